// A job's page: joins the feed, the player, the commentary and the timings.

import { CONNECTION_LOST } from "./api.js";
import { attempt, showActions, showState, tell } from "./actions.js";
import { Announcer } from "./announcing.js";
import { Commentary } from "./commentary.js";
import { editLine } from "./corrections.js";
import { Feed } from "./feed.js";
import { Player } from "./player.js";
import { showRuns } from "./runs.js";
import { say } from "./say.js";
import { Search } from "./search.js";
import { heedKeys } from "./shortcuts.js";
import { Speech } from "./speech.js";
import { Story } from "./story.js";
import { Thumbnails } from "./thumbnails.js";
import { Timeline } from "./timeline.js";
import { Timings } from "./timings.js";
import { clock, progressWords, size } from "./words.js";

const ENDED = ["done", "failed", "cancelled"];
const LIST_TILE = 0.45; // of a thumbnail's size

const page = document.getElementById("job");
const find = (selector) => page.querySelector(selector);

const thumbnails = new Thumbnails(JSON.parse(page.dataset.thumbnails));
const player = new Player(find("#player"), page.dataset.captions);
const commentary = new Commentary(find("#segments"), {
  choose,
  edit,
  link: copyLink,
  paint: (element, segment) => thumbnails.paint(element, segment, LIST_TILE),
  follows: (follows) => { find("#follow").hidden = follows; },
});
const timeline = new Timeline(find("#timeline"), {
  seek: goTo,
  paint: (element, ms) => {
    const segment = commentary.during(ms);
    return segment !== null && thumbnails.paint(element, segment);
  },
  lengthMs: player.lengthMs,
  tile: thumbnails.shape,
});
const story = new Story(find("#story"), page.dataset.id, {
  seek: goTo,
  mark: (chapters) => timeline.mark(chapters),
  changed: () => feed.start(),
});
const speech = new Speech(find("#speech"), page.dataset.id, {
  show: (utterances) => commentary.showSpeech(utterances),
  changed: () => feed.start(),
});
const timings = new Timings(find("#timings"), choose);
const announcer = new Announcer();
const search = new Search(find("#search"), commentary);
const { width, height } = thumbnails.shape;
find("#segments").style.setProperty("--tile-width", `${width * LIST_TILE}px`);
find("#segments").style.setProperty("--tile-height", `${height * LIST_TILE}px`);
let offerExports = () => {}; // until the menu is opened
let told = null; // the job, as it was told last
let state = page.dataset.state;
let windowCount = Number(page.dataset.windows);
let linked = null; // a moment that the address names and that could not be shown yet
thumbnails.windowCount = windowCount;

const feed = new Feed(page.dataset.id, {
  segments: showSegments,
  writing: showWriting,
  job: showJob,
  gone: () => location.assign("/"),
  trouble: (error) => {
    find("#trouble").hidden = !error;
    if (error) find("#trouble").textContent = say("error.trying", { error: error.message });
  },
});

function choose(segment) {
  goTo(segment.start_ms);
  commentary.follow(true);
}

function goTo(ms) {
  player.seek(ms, commentary.during(ms));
  highlight();
}

function skip(seconds) {
  goTo(player.timeMs + seconds * 1000);
}

/** Go to the segment after the present one, or to the one before. */
function goToNeighbour(direction) {
  const at = commentary.position(commentary.current?.index ?? 0);
  const segment = commentary.segments[at + direction];
  if (segment) choose(segment);
}

function highlight() {
  timings.mark(commentary.highlight(player.timeMs));
  timeline.show(player.timeMs);
  story.highlight(player.timeMs);
}

function edit(segment, item) {
  commentary.follow(false);
  editLine(page.dataset.id, segment, item, (stored) => {
    commentary.replace(stored);
    search.find(false);
    story.lookAgain();
    if (player.plays) player.replaceTrack();
  });
}

/** Go to the moment that the address names: `#t=12.5`, in seconds. */
function goToLinked() {
  const named = location.hash.match(/^#t=(\d+(?:\.\d+)?)$/);
  if (!named) return;
  linked = Number(named[1]) * 1000;
  goTo(linked);
  if (player.plays || commentary.during(linked)) linked = null;
}

async function copyLink(segment) {
  const address = new URL(`#t=${segment.start_ms / 1000}`, location.href);
  history.replaceState(null, "", address);
  try {
    await navigator.clipboard.writeText(address.href);
    tell(say("job.link-copied", { time: clock(segment.start_ms) }));
  } catch { // no clipboard without HTTPS
    tell(say("job.link-shown", { time: clock(segment.start_ms) }));
  }
}

function showSegments(segments) {
  const fresh = commentary.add(segments);
  if (fresh.length === 0) return;
  thumbnails.count(fresh);
  timings.update(commentary.segments, windowCount);
  showSilence();
  if (search.field.value) search.find(false);
  if (linked !== null) goToLinked();
  if (!player.plays && !player.hasStill) player.showStill(commentary.during(player.moment) ?? commentary.segments[0]);
  if (!player.moving && state === "running" && linked === null && !location.hash) commentary.showNewest();
  else highlight();
}

function showWriting(windows) {
  commentary.write(windows);
  showSilence();
  if (windows.length && !player.moving) commentary.showNewest();
}

function showSilence() {
  find("#silence").hidden = !commentary.isEmpty;
}

function showJob(job) {
  state = job.state;
  windowCount = thumbnails.windowCount = job.windows_total;
  thumbnails.ended = ENDED.includes(job.state);
  commentary.paintSoon();
  timings.tell(job);
  player.wantCaptions(job.windows_done);
  showState(find("#state"), job.state);
  announcer.tell(say(`state.${job.state}`), job.windows_done / job.windows_total);
  find("#progress").value = job.windows_done / job.windows_total;
  find("#progress").hidden = job.state === "done";
  find("#numbers").textContent = progressWords(job).join(" · ");
  find("#silence").textContent = say(`job.silence-${job.state}`);
  showSilence();
  find("#hindrance").textContent = job.hindrance ?? "";
  find("#hindrance").hidden = job.hindrance === null;
  story.tell(job);
  speech.tell(job);
  told = job;
  offerExports(job);
  showNetworks(job.networks);
  showFailure(job.failure);
  showActions(find("#actions"), job, {
    changed: () => feed.start(),
    deleted: () => location.assign("/"),
  });
}

function showNetworks(networks) {
  const names = networks.map(({ name, checkpoint, fingerprint }) => `${name}: ${checkpoint} (${fingerprint})`);
  find("dd.networks").textContent = names.join("; ");
  for (const part of page.querySelectorAll(".networks")) part.hidden = networks.length === 0;
}

function showFailure(failure) {
  find("#failure").hidden = failure === null;
  if (failure === null) return;
  find("#failure .kind").textContent = failure.kind;
  find("#failure .sentence").textContent = failure.message;
  find("#failure .where").textContent =
    failure.start_ms === null ? "" : say("job.failed-at", { window: failure.window + 1, time: clock(failure.start_ms) });
}

/** Go on with a module that few first views need. */
function whenFetched(module, step) {
  module.then(step, () => tell(CONNECTION_LOST));
}

player.addEventListener("moment", highlight);
player.addEventListener("unplayable", offer);
let offered = false;
function offer() {
  if (player.removed) return; // nothing is left to make a copy of
  if (commentary.segments.length) player.showStill(commentary.during(player.moment) ?? commentary.segments[0]);
  find("#offer").hidden = false;
  if (offered) return;
  offered = true;
  whenFetched(import("./playback.js"), ({ offerCopy }) => offerCopy(find("#offer"), page.dataset.id, (url) => player.play(url)));
}
if (!player.plays) offer();

find("#exports").addEventListener("toggle", () => whenFetched(import("./exports.js"), ({ watchExports }) => {
  offerExports = watchExports(find("#exports"), told);
}), { once: true });
find("#size").textContent = size(Number(find("#size").dataset.bytes));
find("#follow").addEventListener("click", () => commentary.follow(true));
const help = document.getElementById("shortcuts");
find("#help").addEventListener("click", () => help.showModal());
const back = { j: -10, ArrowLeft: -5 };
const on = { l: 10, ArrowRight: 5 };
heedKeys({
  ...Object.fromEntries(Object.entries({ ...back, ...on }).map(([key, seconds]) => [key, () => skip(seconds)])),
  " ": () => player.toggle(),
  k: () => player.toggle(),
  ",": () => player.step(-1),
  ".": () => player.step(1),
  n: () => goToNeighbour(1),
  p: () => goToNeighbour(-1),
  m: () => { player.video.muted = !player.video.muted; },
  c: () => player.toggleCaptions(),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : player.video.requestFullscreen()),
  "/": () => search.focus(),
  "?": () => help.showModal(),
});
addEventListener("hashchange", goToLinked);
goToLinked();
feed.start();
attempt(() => showRuns(find("#runs"), page.dataset.id));
