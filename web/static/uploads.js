// The drop zone: files go up two at a time, each with its bar, its refusal and its second try.

import { ApiError, CONNECTION_LOST, errorOf } from "./api.js";
import { roughly, size } from "./words.js";

const AT_ONCE = 2;

const form = document.getElementById("upload");
const list = document.getElementById("uploads");
const template = document.getElementById("upload-row");
const largest = Number(form.dataset.maxBytes);

const waiting = [];
const active = new Set();
let uploaded = () => {};

/** Listen to the drop zone; `whenUploaded` is called with each new job. */
export function startUploads(whenUploaded) {
  uploaded = whenUploaded;
  const input = form.querySelector("input[type=file]");
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  listenToDrops();
  addEventListener("beforeunload", (event) => {
    if (active.size || waiting.length) event.preventDefault();
  });
  form.addEventListener("input", showSpan);
  showSpan();
}

function listenToDrops() {
  let depth = 0;
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const overlay = (shown) => document.body.classList.toggle("dropping", shown);
  addEventListener("dragenter", (event) => { if (holdsFiles(event)) overlay(++depth > 0); });
  addEventListener("dragleave", (event) => { if (holdsFiles(event)) overlay(--depth > 0); });
  addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    overlay(false);
    const folders = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()?.isDirectory);
    const files = [...event.dataTransfer.files];
    add(files.filter((_, index) => !folders[index]));
    files.filter((_, index) => folders[index]).forEach((folder) =>
      refuse(addRow(folder), new ApiError("invalid", "This is a folder: open it and drop the files in it.")));
  });
}

function add(files) {
  if (!form.reportValidity()) return;
  const settings = readSettings();
  for (const file of files) {
    const upload = { file, settings, row: addRow(file) };
    upload.row.querySelector(".again").addEventListener("click", () => queue(upload));
    upload.row.querySelector(".drop-it").addEventListener("click", () => drop(upload));
    queue(upload);
  }
}

function addRow(file) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.querySelector("bdi").textContent = file.name;
  row.querySelector(".size").textContent = size(file.size);
  list.append(row);
  row.querySelector(".drop-it").addEventListener("click", () => row.remove());
  return row;
}

function queue(upload) {
  show(upload.row, "waiting", "Waiting for its turn");
  if (upload.file.size > largest) {
    refuse(upload.row, new ApiError("too-large",
      `The file is ${size(upload.file.size)}; this server accepts up to ${size(largest)}.`));
    return;
  }
  waiting.push(upload);
  next();
}

function next() {
  while (active.size < AT_ONCE && waiting.length) send(waiting.shift());
}

function drop(upload) {
  upload.request?.abort();
  if (waiting.includes(upload)) waiting.splice(waiting.indexOf(upload), 1);
}

function send(upload) {
  const request = new XMLHttpRequest();
  const began = performance.now();
  upload.request = request;
  active.add(upload);
  show(upload.row, "sending", "Starting");
  request.upload.addEventListener("progress", (event) =>
    showProgress(upload.row, event.loaded, upload.file.size, performance.now() - began));
  request.upload.addEventListener("load", () => show(upload.row, "checking", "Looking into the file …"));
  request.addEventListener("load", () => receive(upload));
  request.addEventListener("error", () => refuse(upload.row, new ApiError("connection", CONNECTION_LOST)));
  request.addEventListener("loadend", () => {
    active.delete(upload);
    next();
  });
  request.open("POST", `/api/jobs?${new URLSearchParams({ ...upload.settings, filename: upload.file.name })}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.send(upload.file);
}

function receive({ request, row }) {
  if (request.status !== 201) {
    refuse(row, errorOf(request.status, request.responseText));
    return;
  }
  const held = row.contains(document.activeElement);
  row.remove();
  if (held) form.querySelector("input[type=file]").focus();
  uploaded(JSON.parse(request.responseText));
}

function showProgress(row, loaded, total, elapsedMs) {
  const bar = row.querySelector("progress");
  bar.value = loaded / total;
  const rate = loaded / elapsedMs; // bytes per millisecond
  const left = elapsedMs > 1000 && loaded < total ? `, about ${roughly((total - loaded) / rate)} left` : "";
  show(row, "sending", `${size(loaded)} sent, ${size(rate * 1000)}/s${left}`);
}

function show(row, state, words) {
  row.dataset.state = state;
  row.querySelector(".words").textContent = words;
  row.querySelector(".kind").hidden = row.querySelector(".again").hidden = true;
  row.querySelector("progress").hidden = false;
  if (state === "waiting") row.querySelector("progress").value = 0;
  if (state === "checking") row.querySelector("progress").removeAttribute("value");
}

function refuse(row, error) {
  show(row, "refused", error.message);
  row.querySelector("progress").hidden = true;
  row.querySelector(".kind").textContent = error.kind;
  row.querySelector(".kind").hidden = row.querySelector(".again").hidden = false;
}

function readSettings() {
  const settings = {};
  for (const field of form.querySelectorAll("[name]")) {
    if (field.value.trim() !== field.defaultValue) settings[field.name] = field.value.trim();
  }
  return settings;
}

function showSpan() {
  const value = (name) => fraction(form.elements[name].value);
  const [fps, frames, stride] = ["capture_fps", "frames_per_inference", "frame_stride"].map(value);
  const hop = value("window_hop") || frames * stride;
  const seconds = (samples) => `${Number((samples / fps).toFixed(2))} s`;
  document.getElementById("span").textContent = fps > 0 && hop > 0
    ? `A comment for every ${seconds(hop)} of video, from ${frames} frames ${seconds(stride)} apart.`
    : "";
}

function fraction(text) {
  const [above, below] = text.split("/").map(Number);
  return below === undefined ? above : above / below;
}
