// Where the time of each window went: charts to look at, tables to read, the slowest windows to go to.

import { lineChart, loadCharts, stackedBars } from "./charts.js";
import { number, say } from "./say.js";
import { clock, duration, speed } from "./words.js";

export const STEPS = ["waiting", "decode", "vision", "prefill", "generate"];
const COLUMNS = [...STEPS, "total"];
const MOST_BARS = 150;
const FEWEST_BARS = 12; // that have room: so that three windows don't look like walls
const SLOWEST = 5;
const ROWS_MORE = 200;
const PACES = 120; // points of the line
const SMOOTH = 5; // of these points are one mean
const DRAW_MS = 700; // between two drawings, for nobody sees more of them
const NEAR = "150px";

/** Return the milliseconds of a segment's steps and their total. */
export function stepsOf({ timings }) {
  return Object.fromEntries(COLUMNS.map((step) => [step, timings[`${step}_ms`]]));
}

/** The value under which a share of the values lies (nearest rank). */
export function percentile(values, share) {
  return rank(Float64Array.from(values).sort(), share);
}

function rank(sorted, share) {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** Wait until a place is nearly in sight: who doesn't scroll there needs neither the charts nor their library. */
function nearness(place) {
  return new Promise((done) => {
    const observer = new IntersectionObserver((seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      done();
    }, { rootMargin: NEAR });
    observer.observe(place);
  });
}

export class Timings {
  constructor(place, choose) {
    this.place = place;
    this.choose = choose;
    this.readout = place.querySelector(".readout");
    this.paceReadout = place.querySelector(".pace-readout");
    this.details = place.querySelector("details.every");
    this.body = place.querySelector(".by-window tbody");
    this.segments = [];
    this.bars = [];
    this.paces = [];
    this.tabled = new Map(); // index: <tr>
    this.rows = ROWS_MORE; // most that the table shows
    this.more = place.querySelector(".more");
    this.near = nearness(place);
    this.details.addEventListener("toggle", () => this.fillTable());
    this.more.addEventListener("click", () => {
      this.rows += ROWS_MORE;
      this.fillTable();
    });
  }

  /** Show all segments that this job said, soon: what it took over was timed in another. */
  update(segments, windowCount) {
    this.segments = segments.filter((segment) => segment.taken_from === null);
    if (!this.segments.length) return;
    this.windowCount = windowCount;
    this.place.hidden = false;
    this.pending ??= this.near.then(() => pause(DRAW_MS)).then(async () => {
      const charts = await loadCharts().then(() => ["showChart", "showPace"], (error) => {
        this.readout.textContent = error.message;
        return []; // the tables tell the same
      });
      // One after the other, each a short task: thousands of windows take a while to add up.
      for (const show of ["showSummary", ...charts, "showSlowest", "showTokens", "fillTable"]) {
        this[show]();
        await pause(0);
      }
      this.pending = undefined;
      if (this.shown !== this.segments.length) this.update(this.segments, this.windowCount);
    });
  }

  /** Tell how fast the job goes, or went. */
  tell(job) {
    const perMinute = 60_000 * job.realtime * job.windows_total / job.video.duration_ms;
    const facts = {
      speed: () => speed(job.realtime),
      pace: () => say("timings.a-minute", { count: Number(perMinute.toFixed(perMinute < 10 ? 1 : 0)) }),
    };
    for (const [name, words] of Object.entries(facts)) {
      this.place.querySelector(`[data-fact=${name}]`).textContent = job.realtime === null ? say("timings.unknown") : words();
    }
  }

  showSummary() {
    this.shown = this.segments.length;
    const rows = ["p50", "p95"].map((name) => this.place.querySelectorAll(`.summary [data-row=${name}] td`));
    COLUMNS.forEach((column, index) => {
      const sorted = Float64Array.from(this.segments, ({ timings }) => timings[`${column}_ms`]).sort();
      [0.5, 0.95].forEach((share, row) => { rows[row][index].textContent = duration(rank(sorted, share)); });
    });
  }

  showChart() {
    this.chart ??= stackedBars(this.place.querySelector(".bars"), STEPS, {
      x: (tick) => (Number.isInteger(tick) && tick < this.windowCount ? tick + 1 : ""),
      y: (tick) => (tick ? duration(tick) : "0"),
    }, {
      read: (at) => this.read(this.bars[at] ?? null),
      choose: (at) => this.choose(this.bars[at].segments[0]),
    });
    this.perBar = Math.ceil(this.windowCount / MOST_BARS);
    this.bars = gather(this.segments, this.perBar);
    const sums = this.bars.map((bar) => STEPS.reduce((sum, step) => sum + bar.stack[step], 0));
    const top = Math.min(Math.max(...sums), 2.5 * percentile(sums, 0.95)) || 1;
    this.place.querySelector(".per-bar").textContent =
      say("timings.per-bar", { count: this.perBar });
    const slots = Math.max(FEWEST_BARS, Math.ceil(this.windowCount / this.perBar));
    this.chart.show(
      this.bars.map((bar) => bar.slot * this.perBar),
      STEPS.map((step) => this.bars.map((bar) => bar.stack[step])),
      top,
      [-0.6 * this.perBar, (slots - 0.4) * this.perBar],
    );
  }

  /** Mark the segment that is being played. */
  mark(segment) {
    this.chart?.mark(segment ? Math.floor(segment.index / this.perBar) * this.perBar : null);
  }

  read(bar) {
    if (!bar) {
      this.readout.textContent = "\u00a0";
      return;
    }
    const words = STEPS.map((step) => `${say(`step.${step}`)} ${duration(bar.steps[step])}`);
    const [first] = bar.segments;
    this.readout.textContent = say("timings.window-steps", { window: first.index + 1, time: clock(first.start_ms), steps: words.join(", ") });
  }

  showPace() {
    this.paceChart ??= lineChart(this.place.querySelector(".pace"), [
      { colour: "generate" },
      { colour: "decode", right: true, dash: [6, 4] },
    ], {
      x: (tick) => clock(tick * 1000),
      left: (tick) => say("unit.times", { value: tick }),
      right: (tick) => say("unit.per-minute", { value: tick }),
    }, { read: (at) => this.readPace(this.paces[at] ?? null) });
    this.paces = paceOf(this.segments);
    this.paceChart.show([
      this.paces.map((pace) => pace.seconds),
      this.paces.map((pace) => pace.realtime),
      this.paces.map((pace) => pace.windows),
    ]);
    this.readPace(null);
  }

  readPace(pace) {
    const shown = pace ?? this.paces.at(-1);
    if (!shown) return;
    const when = pace ? say("timings.after", { time: clock(pace.seconds * 1000) }) : say("timings.last");
    this.paceReadout.textContent = say("timings.pace-at", { when, speed: number(shown.realtime, 1), count: Math.round(shown.windows) });
  }

  showSlowest() {
    const slowest = [];
    for (const segment of this.segments) {
      if (slowest.length === SLOWEST && segment.timings.total_ms <= slowest.at(-1).timings.total_ms) continue;
      slowest.push(segment);
      slowest.sort((a, b) => b.timings.total_ms - a.timings.total_ms).splice(SLOWEST);
    }
    this.place.querySelector(".slowest").replaceChildren(...slowest.map((segment) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const steps = stepsOf(segment);
      const most = STEPS.reduce((best, step) => (steps[step] > steps[best] ? step : best));
      button.type = "button";
      button.className = "small";
      button.textContent = `${clock(segment.start_ms)}`;
      button.ariaLabel = say("timings.go-to", { window: segment.index + 1, time: clock(segment.start_ms) });
      button.addEventListener("click", () => this.choose(segment));
      item.append(button, ` ${say("timings.of-which", { total: duration(steps.total), step: say(`step.${most}`), time: duration(steps[most]) })}`);
      return item;
    }));
  }

  showTokens() {
    for (const [name, key] of [["in", "tokens_in"], ["out", "tokens_out"]]) {
      const counts = this.segments.map((segment) => segment[key]).filter((count) => count !== null);
      const total = counts.reduce((sum, count) => sum + count, 0);
      this.place.querySelector(`[data-fact=tokens-${name}]`).textContent =
        counts.length ? say("timings.tokens", { total, median: percentile(counts, 0.5) }) : say("timings.not-counted");
    }
  }

  /** Fill the table with the newest windows; a button shows more. */
  fillTable() {
    if (!this.details.open) return;
    let before = null;
    for (const segment of this.segments.slice(-this.rows).toReversed()) {
      const row = this.tabled.get(segment.index) ?? this.newRow(segment);
      this.tabled.set(segment.index, row);
      if (!row.isConnected) this.body.insertBefore(row, before);
      before = row;
    }
    const left = this.segments.length - this.tabled.size;
    this.more.hidden = left <= 0;
    this.more.textContent = say("timings.show-more", { more: Math.min(left, ROWS_MORE), count: left });
  }

  newRow(segment) {
    const steps = stepsOf(segment);
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = segment.index + 1;
    row.append(head);
    const tokens = [segment.tokens_in, segment.tokens_out].map((count) => (count === null ? "–" : number(count)));
    for (const words of [clock(segment.start_ms), ...COLUMNS.map((column) => duration(steps[column])), ...tokens]) {
      row.insertCell().textContent = words;
    }
    return row;
  }
}

/** Group segments into bars of `perBar` windows each, with the mean of their steps and of what is stacked. */
function gather(segments, perBar) {
  const bars = [];
  for (const segment of segments) {
    const slot = Math.floor(segment.index / perBar);
    if (bars.at(-1)?.slot !== slot) bars.push({ slot, segments: [], steps: zeros(), stack: zeros() });
    const { segments: own, steps, stack } = bars.at(-1);
    own.push(segment);
    for (const step of STEPS) steps[step] += segment.timings[`${step}_ms`];
    // Decoding runs ahead: only what was waited for counts, and it is no waiting.
    const { waiting_ms: waiting, decode_ms: decode } = segment.timings;
    const awaited = Math.min(waiting, decode);
    stack.waiting += waiting - awaited;
    stack.decode += awaited;
  }
  for (const bar of bars) {
    for (const step of STEPS) bar.steps[step] /= bar.segments.length;
    for (const step of ["waiting", "decode"]) bar.stack[step] /= bar.segments.length;
    for (const step of ["vision", "prefill", "generate"]) bar.stack[step] = bar.steps[step];
  }
  return bars;
}

const zeros = () => Object.fromEntries(STEPS.map((step) => [step, 0]));

/** Return how fast it went over time: seconds since the first window was begun, × real time, windows a minute. */
function paceOf(segments) {
  const [start, end] = segments.reduce(
    ([first, last], { created_ms: ms, timings }) => [Math.min(first, ms - timings.total_ms), Math.max(last, ms)],
    [Infinity, -Infinity]);
  const step = Math.max(1000, (end - start) / PACES);
  const slots = Array.from({ length: Math.ceil((end - start + 1) / step) }, () => ({ windows: 0, video: 0 }));
  for (const segment of segments) {
    const slot = slots[Math.floor((segment.created_ms - start) / step)];
    slot.windows += 1;
    slot.video += segment.end_ms - segment.start_ms;
  }
  return slots.map((_, at) => {
    const some = slots.slice(Math.max(0, at - SMOOTH + 1), at + 1);
    const ms = some.length * step;
    return {
      seconds: (at + 1) * step / 1000,
      realtime: some.reduce((sum, slot) => sum + slot.video, 0) / ms,
      windows: some.reduce((sum, slot) => sum + slot.windows, 0) / ms * 60_000,
    };
  });
}
