// The uploads of this page: two are sent at a time, each has a row with its bar and buttons.
//
//   held → waiting → sending → checking → (a job: the row goes)
//                    sending ⇄ paused, lost;  checking → refused;  earlier → waiting

import { Announcer } from "./announcing.js";
import { ApiError } from "./api.js";
import { isSame, forget, listEarlier, release, remember } from "./earlier.js";
import { askForJob, giveUp, isGone, lookUp, send } from "./sending.js";
import { percent as percents, say } from "./say.js";
import { roughly, size } from "./words.js";

const AT_ONCE = 2;
const SPEED_MS = 5000; // the stretch of time that a speed is told of
const BEAT_MS = 2000;
const TAKES_TURN = ["sending", "checking", "lost"];

const list = document.getElementById("uploads");
const template = document.getElementById("upload-row");
const largest = Number(document.getElementById("upload").dataset.maxBytes);

const uploads = new Set();
let options;

/**
 * Show what was begun earlier. Of `given`, whenUploaded() is called after each new job, chooseFile()
 * when an earlier upload's file is wanted, and listen(row, upload) for each new row.
 */
export function startQueue(given) {
  options = given;
  addEventListener("beforeunload", (event) => {
    if (any("waiting", ...TAKES_TURN)) event.preventDefault();
  });
  addEventListener("pagehide", () => {
    for (const { url } of uploads) if (url) release(url);
  });
  addEventListener("online", () => {
    for (const upload of uploads) if (upload.state === "lost") restart(upload);
  });
  showEarlier();
}

/** Queue a file, or go on with it if its upload was begun earlier. `fields` is null: it is held. */
export function add(file, fields) {
  const begun = [...uploads].find(({ state, record }) => state === "earlier" && isSame(file, record));
  if (begun) {
    begun.file = file;
    queue(begun);
    return;
  }
  const upload = newUpload(file.name, file.size);
  Object.assign(upload, { file, fields });
  if (file.size > largest) {
    refuse(upload, new ApiError("too-large",
      say("upload.too-large", { size: size(file.size), largest: size(largest) })));
  } else if (fields) {
    queue(upload);
  } else {
    show(upload, "held", say("upload.ready"));
  }
}

/** Send what was held, each file with the fields that `fieldsOf(upload)` returns for it. */
export function startHeld(fieldsOf, which = [...uploads]) {
  for (const upload of which.filter(({ state }) => state === "held")) {
    upload.fields = fieldsOf(upload);
    queue(upload);
  }
}

const any = (...states) => [...uploads].some(({ state }) => states.includes(state));

export const holdsAny = () => any("held");

function newUpload(name, bytes) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.querySelector("bdi").textContent = name;
  row.querySelector(".size").textContent = size(bytes);
  const upload = { row, name, state: "", stop: () => {}, speeds: [], announcer: new Announcer(name) };
  const press = (button, step) => {
    row.querySelector(button).ariaLabel = `${row.querySelector(button).textContent}: ${name}`;
    row.querySelector(button).addEventListener("click", () => step(upload));
  };
  press(".pause", pause);
  press(".resume", queue);
  press(".again", restart);
  press(".choose", options.chooseFile);
  press(".drop-it", remove);
  uploads.add(upload);
  list.append(row);
  options.listen(row, upload);
  return upload;
}

function queue(upload) {
  show(upload, "waiting", say("upload.waiting"));
  next();
}

function next() {
  const waiting = [...uploads].filter(({ state }) => state === "waiting");
  const busy = [...uploads].filter(({ state }) => TAKES_TURN.includes(state)).length;
  for (const upload of waiting.slice(0, Math.max(0, AT_ONCE - busy))) begin(upload);
}

async function begin(upload) {
  show(upload, "sending", say("upload.starting"));
  upload.speeds = [];
  const turn = (upload.turn = {}); // what a stopped turn tells late is not heeded
  const heed = (step) => (...told) => { if (upload.turn === turn) step(...told); };
  const tell = {
    begun: heed((url) => keep(upload, url)),
    progress: heed((sent, total) => showProgress(upload, sent, total)),
    interrupted: heed((error) => show(upload, "lost", say("error.trying", { error: error.message }))),
    done: heed(() => finish(upload)),
    failed: heed((error) => fail(upload, error)),
  };
  try {
    const stop = await send(upload.file, upload.fields, upload.url, tell);
    if (upload.turn === turn) upload.stop = stop;
    else stop();
  } catch (error) {
    heed((problem) => fail(upload, problem))(error);
  }
}

function keep(upload, url) {
  upload.url = url;
  upload.beatMs = Date.now();
  remember(url, upload.file);
}

function stop(upload) {
  upload.turn = null;
  upload.stop();
  upload.stop = () => {};
}

function pause(upload) {
  stop(upload);
  if (upload.url) release(upload.url);
  show(upload, "paused", say("upload.paused-at", { percent: percent(upload) }));
  next();
}

function restart(upload) {
  stop(upload);
  queue(upload);
}

function remove(upload) {
  stop(upload);
  if (upload.url) {
    forget(upload.url);
    giveUp(upload.url).catch(() => {}); // it expires on the server by itself
  }
  takeAway(upload);
}

function finish(upload) {
  if (upload.url) forget(upload.url);
  takeAway(upload);
  options.whenUploaded();
}

function takeAway(upload) {
  const held = upload.row.contains(document.activeElement);
  uploads.delete(upload);
  upload.row.remove();
  if (held) document.querySelector("#upload input[type=file]").focus();
  next();
}

function fail(upload, error) {
  if (isGone(error) && upload.url) { // expired, or removed from another page: the file is still here
    forget(upload.url);
    upload.url = null;
    restart(upload);
    return;
  }
  upload.turn = null;
  refuse(upload, error);
  next();
}

function refuse(upload, error) {
  if (error.status === 415 || error.status === 422) startAnew(upload);
  show(upload, error.kind === "connection" ? "stopped" : "refused", error.message);
  upload.row.querySelector(".kind").textContent = error.kind;
  upload.row.querySelector(".again").classList.toggle("primary", error.kind !== "bad-file"); // it would be refused again
}

/** A file that was looked into and refused is sent as a whole when it is tried again. */
function startAnew(upload) {
  if (upload.url) forget(upload.url);
  upload.url = null;
}

async function showEarlier() {
  const { earlier, lookAgainMs } = listEarlier();
  if (lookAgainMs !== null) setTimeout(showEarlier, lookAgainMs);
  const shown = new Set([...uploads].map(({ url }) => url));
  for (const [url, record] of earlier.filter(([address]) => !shown.has(address))) {
    try {
      showOne(url, record, await lookUp(url));
    } catch {
      setTimeout(showEarlier, BEAT_MS); // the server is away just now
      return;
    }
  }
}

function showOne(url, record, known) {
  if (known === null || known.job !== null) {
    forget(url);
    return;
  }
  const upload = newUpload(record.name, record.size);
  Object.assign(upload, { url, record, sent: known.offset_bytes, total: known.size_bytes });
  if (known.failure) {
    refuse(upload, Object.assign(new ApiError(known.failure.kind, known.failure.message), { status: 422 }));
    upload.row.querySelector(".again").hidden = true; // its file is not at hand
  } else if (upload.sent === upload.total) {
    show(upload, "checking", say("upload.checking"));
    askForJob(url, upload.total).then(() => finish(upload), (error) => refuse(upload, error));
  } else {
    show(upload, "earlier", say("upload.earlier", { percent: percent(upload) }));
    upload.row.querySelector("progress").value = upload.sent / upload.total;
  }
}

const percent = ({ sent = 0, total = 1 }) => percents(sent / total);

function showProgress(upload, sent, total) {
  const now = performance.now();
  Object.assign(upload, { sent, total });
  upload.speeds = [...upload.speeds.filter(([then]) => now - then < SPEED_MS), [now, sent]];
  if (upload.url && Date.now() - upload.beatMs > BEAT_MS) keep(upload, upload.url);
  if (sent === total) {
    show(upload, "checking", say("upload.checking"));
    return;
  }
  const [[then, first]] = upload.speeds;
  const rate = (sent - first) / (now - then); // bytes per millisecond
  const pace = now - then > 500 && rate > 0
    ? say("upload.pace", { size: size(rate * 1000), left: say("time.left", { time: roughly((total - sent) / rate) }) }) : "";
  show(upload, "sending", [say("upload.sent", { size: size(sent) }), pace].filter(Boolean).join(", "));
  upload.row.querySelector("progress").value = sent / total;
  upload.announcer.tell(say("upload.sending"), sent / total);
}

const BUTTONS = {
  held: [".drop-it"],
  waiting: [".drop-it"],
  sending: [".pause", ".drop-it"],
  lost: [".pause", ".drop-it"],
  checking: [],
  paused: [".resume", ".drop-it"],
  stopped: [".again", ".drop-it"],
  refused: [".again", ".drop-it"],
  earlier: [".choose", ".drop-it"],
};

function show(upload, state, words) {
  const { row } = upload;
  const place = row.querySelector(".words");
  if (place.textContent !== words) place.textContent = words;
  if (upload.state === state) return;
  upload.announcer.tell(state === "sending" ? say("upload.sending") : words, 0);
  upload.state = row.dataset.state = state;
  const focused = row.contains(document.activeElement);
  for (const button of row.querySelectorAll(".actions button")) {
    button.hidden = !BUTTONS[state].some((name) => button.matches(name));
  }
  const lost = document.activeElement.hidden || !row.contains(document.activeElement);
  if (focused && lost) row.querySelector(".actions button:not([hidden])")?.focus();
  const bar = row.querySelector("progress");
  bar.hidden = ["held", "refused"].includes(state);
  if (state === "checking") bar.removeAttribute("value");
  else if (bar.position < 0) bar.value = 0;
  row.querySelector(".kind").hidden = state !== "refused";
  row.querySelector(".own").hidden = state !== "held";
  document.getElementById("held").hidden = !holdsAny();
}
