// The list of jobs: read every two seconds, slower while nobody looks.

import { listJobs } from "./api.js";
import { Batch } from "./batch.js";
import { showActions, showState } from "./actions.js";
import { startFetches } from "./fetches.js";
import { number, say } from "./say.js";
import { startUploads } from "./uploads.js";
import { ago, clock, progressWords } from "./words.js";

const POLL_MS = 2000;
const IDLE_POLL_MS = 5000; // no job is open
const HIDDEN_POLL_MS = 20_000;
const STATES = ["queued", "running", "paused", "done", "failed", "cancelled"];

const list = document.getElementById("jobs");
const template = document.getElementById("job-row");
const filters = document.getElementById("filters");
const older = document.getElementById("older");
const newest = document.getElementById("newest");
const trouble = document.getElementById("trouble");
const announce = document.getElementById("announce");

const batch = new Batch(list, { changed: () => read(), state: () => state });
const rows = new Map();
const known = new Map(); // job id: state, to tell what changed
let state = "";
let before = "";
let nextPage = null;
let timer;
let reading = 0;
let isIdle = false;

async function read() {
  clearTimeout(timer);
  const turn = ++reading;
  try {
    const answer = await listJobs({ ...(state && { state }), ...(before && { before }) });
    if (turn !== reading) return;
    show(answer);
    trouble.hidden = true;
  } catch (error) {
    if (turn !== reading) return;
    if (error.kind === "not-found") before = "";
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
  timer = setTimeout(read, document.hidden ? HIDDEN_POLL_MS : isIdle ? IDLE_POLL_MS : POLL_MS);
}

function show({ jobs, next, counts, failures }) {
  nextPage = next;
  isIdle = counts.queued + counts.running + counts.paused === 0;
  older.hidden = next === null;
  newest.hidden = !before;
  showFilters(counts);
  const total = STATES.reduce((sum, name) => sum + counts[name], 0);
  document.getElementById("empty").hidden = total > 0;
  document.getElementById("none").hidden = total === 0 || jobs.length > 0;
  const shown = jobs.map(showJob);
  for (const [id, row] of rows) {
    if (!jobs.some((job) => job.id === id)) {
      row.remove();
      rows.delete(id);
    }
  }
  shown.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  batch.show(jobs, counts, failures);
  list.removeAttribute("aria-busy");
}

function showFilters(counts) {
  for (const name of STATES) {
    const filter = filters.querySelector(`[data-state="${name}"]`);
    filter.querySelector(".count").textContent = number(counts[name]);
    filter.hidden = counts[name] === 0 && name !== state;
  }
  filters.hidden = STATES.every((name) => counts[name] === 0);
  for (const filter of filters.children) filter.ariaPressed = String(filter.dataset.state === state);
}

function showJob(job) {
  const row = rows.get(job.id) ?? newRow(job);
  showState(row.querySelector(".chip"), job.state);
  const bar = row.querySelector("progress");
  bar.value = job.windows_done / job.windows_total;
  bar.hidden = job.state === "done";
  row.querySelector(".meta").textContent = meta(job).join(" · ");
  const failure = row.querySelector(".failure");
  failure.hidden = job.failure === null;
  if (job.failure) failure.textContent = `${job.failure.kind}: ${job.failure.message}`;
  row.querySelector(".hindrance").hidden = job.hindrance === null;
  row.querySelector(".hindrance").textContent = job.hindrance ?? "";
  const still = row.querySelector("img");
  row.querySelector(".thumb").classList.toggle("gone", job.video.url === null);
  if (job.still && !still.getAttribute("src")) {
    still.src = job.still;
    still.hidden = false;
  }
  showActions(row.querySelector(".actions"), job, { changed: read, deleted: () => leave(row) });
  tellOfEnd(job);
  return row;
}

/** Read the list without a row that was deleted; the keyboard goes on at the next one. */
async function leave(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  await read();
  (next?.querySelector(".name") ?? document.querySelector("#upload input[type=file]")).focus();
}

function newRow(job) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.id = job.id;
  const box = row.querySelector(".choose");
  box.value = job.id;
  box.ariaLabel = say("list.choose", { name: job.filename });
  const name = row.querySelector(".name");
  name.textContent = job.filename;
  name.title = job.filename;
  for (const link of row.querySelectorAll("a")) link.href = job.links.page;
  row.querySelector(".length").textContent = clock(job.video.duration_ms);
  rows.set(job.id, row);
  return row;
}

function meta(job) {
  const words = job.state === "done" ? progressWords(job).slice(1) : progressWords(job);
  const by = "several" in list.dataset ? [say("job.by", { commentator: job.commentator })] : [];
  const gone = job.video.url === null ? [say("job.video-removed")] : [];
  return [...words, ...by, ago(job.finished_ms ?? job.created_ms), ...gone];
}

function tellOfEnd(job) {
  const last = known.get(job.id);
  known.set(job.id, job.state);
  if (last && last !== job.state) announce.textContent = `${job.filename}: ${say(`state.${job.state}`)}`;
}

filters.addEventListener("click", (event) => {
  const filter = event.target.closest("button");
  if (!filter) return;
  state = filter.dataset.state;
  before = "";
  read();
});
older.addEventListener("click", () => { before = nextPage; read(); scrollTo({ top: 0 }); });
newest.addEventListener("click", () => { before = ""; read(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });

const showNewest = () => { before = ""; state = ""; read(); };
startUploads(showNewest);
startFetches(read);
read();
