// A job's page: joins the feed, the player, the commentary and the timings.

import { showActions, showState } from "./actions.js";
import { Commentary } from "./commentary.js";
import { Feed } from "./feed.js";
import { Player } from "./player.js";
import { Timings } from "./timings.js";
import { clock, progressWords } from "./words.js";

const page = document.getElementById("job");
const find = (selector) => page.querySelector(selector);

const player = new Player(find("#player"), page.dataset.captions);
const commentary = new Commentary(find("#segments"), document.getElementById("segment"), choose);
const timings = new Timings(find("#timings"), choose);
let state = page.dataset.state;
let windowCount = Number(page.dataset.windows);

const feed = new Feed(page.dataset.id, {
  segments: showSegments,
  job: showJob,
  gone: () => location.assign("/"),
  trouble: (error) => {
    find("#trouble").hidden = !error;
    if (error) find("#trouble").textContent = `${error.message} Trying again …`;
  },
});

function choose(segment) {
  player.seek(segment);
  highlight();
}

function highlight() {
  timings.mark(commentary.highlight(player.timeMs));
}

function showSegments(segments) {
  const fresh = commentary.add(segments);
  if (fresh.length === 0) return;
  timings.update(commentary.segments, windowCount);
  player.wantCaptions(commentary.segments.length);
  find("#silence").hidden = true;
  if (!player.plays && !player.still.querySelector("img").src) player.showStill(commentary.segments[0]);
  if (!player.moving && state === "running") commentary.showNewest();
  else highlight();
}

function showJob(job) {
  state = job.state;
  windowCount = job.windows_total;
  showState(find("#state"), job.state);
  find("#progress").value = job.windows_done / job.windows_total;
  find("#progress").hidden = job.state === "done";
  find("#numbers").textContent = progressWords(job).join(" · ");
  find("#silence").textContent = SILENCE[job.state];
  find("#silence").hidden = commentary.segments.length > 0;
  showFailure(job.failure);
  showActions(find("#actions"), job, {
    changed: () => feed.start(),
    deleted: () => location.assign("/"),
  });
}

const SILENCE = {
  queued: "Waiting for a worker. The first comment appears here as soon as it is made.",
  running: "A worker looks at the first windows …",
  paused: "Paused before anything was said.",
  done: "Nothing was said.",
  failed: "It failed before anything was said.",
  cancelled: "Cancelled before anything was said.",
};

function showFailure(failure) {
  find("#failure").hidden = failure === null;
  if (failure === null) return;
  find("#failure .kind").textContent = failure.kind;
  find("#failure .sentence").textContent = failure.message;
  find("#failure .where").textContent =
    failure.start_ms === null ? "" : `It happened at window ${failure.window + 1}, ${clock(failure.start_ms)} into the video.`;
}

for (const name of ["timeupdate", "seeking"]) player.video?.addEventListener(name, highlight);
player.video?.addEventListener("unplayable", () => {
  if (commentary.segments.length) player.showStill(commentary.segments[0]);
});
find("#follow").addEventListener("change", (event) => {
  commentary.follows = event.target.checked;
});
feed.start();
