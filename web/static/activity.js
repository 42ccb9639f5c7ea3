// What goes on over all jobs and workers, asked for every few seconds while somebody looks.

import { getActivity } from "./api.js";
import { lineChart, loadCharts } from "./charts.js";
import { locale, number, say } from "./say.js";
import { roughly, size } from "./words.js";

const LOOK_MS = 3000;

const page = document.getElementById("activity");
const find = (selector) => page.querySelector(selector);
let minutes = [];

const chart = await loadCharts().then(() => lineChart(find(".pace"), [
  { colour: "generate" },
  { colour: "decode", right: true, dash: [6, 4] },
], {
  x: (tick) => (tick === 0 ? say("activity.now") : say("unit.min", { value: tick })),
  left: (tick) => say("unit.times", { value: tick }),
  right: (tick) => say("unit.per-minute", { value: tick }),
}, { read: (at) => read(minutes[at] ?? minutes.at(-1)) }), (error) => {
  find(".pace").textContent = error.message; // the table tells the same
  return null;
});

const realtime = (minute) => minute.video_ms / Math.min(60_000, Math.max(Date.now() - minute.start_ms, 5000));
const minuteOf = (minute) => new Date(minute.start_ms).toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" });

function read(minute) {
  if (minute) find(".pace-readout").textContent = say("activity.at", { time: minuteOf(minute), speed: number(realtime(minute), 1), count: minute.windows });
}

function show(activity) {
  for (const [state, count] of Object.entries(activity.jobs)) find(`.counts [data-state=${state}]`).textContent = number(count);
  minutes = activity.minutes;
  chart?.show([
    minutes.map((_, at) => at - minutes.length + 1),
    minutes.map(realtime),
    minutes.map((minute) => minute.windows),
  ]);
  read(minutes.at(-1));
  fill(".minutes", minutes.toReversed().map((minute) => [minuteOf(minute), number(minute.windows), number(realtime(minute), 1), number(minute.tokens_out)]));
  fill(".workers", activity.workers.map((worker) => [
    worker.name,
    worker.commentator,
    roughly(Date.now() - worker.started_ms),
    size(worker.memory_bytes),
    worker.accelerator === null ? say("activity.no-gpu") : memory(worker.accelerator),
    say("activity.busy-of", { busy: worker.holds.length, count: worker.streams }),
    work(worker.holds),
  ]));
  fill(".queue", activity.queue.map(({ commentator, jobs, windows }) => [commentator, number(jobs), number(windows)]));
  fill(".failures", Object.entries(activity.failures).map(([kind, count]) => [kind, number(count)]));
}

function memory({ name, used_bytes: used, total_bytes: total }) {
  return say("activity.memory-of", { used: size(used), total: size(total), name });
}

/** Return links to the jobs that a worker is at, each with its first window under way, or what is added to it. */
function work(holds) {
  const place = document.createDocumentFragment();
  const jobs = new Map();
  for (const hold of holds) if (!jobs.has(hold.job)) jobs.set(hold.job, hold);
  if (jobs.size === 0) return say("activity.idle");
  for (const hold of jobs.values()) {
    const line = document.createElement("span");
    line.className = "at-work";
    const link = document.createElement("a");
    link.href = hold.page;
    link.dir = "auto";
    link.textContent = hold.filename;
    const count = holds.filter(({ job }) => job === hold.job).length;
    const at = hold.addition ? say(`activity.adding.${hold.addition}`) : say("activity.at-windows", { count, first: hold.window + 1 });
    line.append(link, `, ${at}`);
    place.append(line);
  }
  return place;
}

/** Fill a table; where it would be empty, the words before it say so. */
function fill(selector, rows) {
  const table = find(selector);
  const none = table.closest("section").querySelector(".none");
  if (none) none.hidden = rows.length > 0;
  table.hidden = rows.length === 0;
  table.tBodies[0].replaceChildren(...rows.map(([head, ...cells]) => {
    const row = document.createElement("tr");
    const first = document.createElement("th");
    first.scope = "row";
    first.append(head);
    first.translate = false; // a name, a time
    row.append(first);
    for (const cell of cells) row.insertCell().append(cell);
    return row;
  }));
}

async function look() {
  if (!document.hidden) {
    try {
      show(await getActivity());
      find("#trouble").hidden = true;
    } catch (error) {
      find("#trouble").textContent = say("error.trying", { error: error.message });
      find("#trouble").hidden = false;
    }
  }
  setTimeout(look, LOOK_MS);
}

look();
