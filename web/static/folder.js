// The server's folder: looked through in a dialog; what is chosen stays so from folder to folder.

import { listFolder } from "./api.js";
import { isolated, say } from "./say.js";
import { ago, size } from "./words.js";

const SEARCH_MS = 250;

const dialog = document.getElementById("folder");
const entries = document.getElementById("folder-entries");
const search = document.getElementById("folder-search");
const told = document.getElementById("folder-told");
const all = document.getElementById("folder-all");
const up = document.getElementById("folder-up");
const button = dialog?.querySelector('[value="add"]');

const chosen = new Set(); // paths
let path = "";
let reading = 0;
let timer;

/** Let a person choose; `take` is called with the paths of the chosen videos. */
export function offerFolder(take) {
  if (!dialog) return;
  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(show, SEARCH_MS); });
  up.addEventListener("click", () => enter(path.split("/").slice(0, -1).join("/")));
  all.querySelector("input").addEventListener("change", ({ target: { checked } }) => {
    for (const box of boxes()) choose(Object.assign(box, { checked }));
  });
  entries.addEventListener("change", (event) => choose(event.target));
  dialog.addEventListener("close", () => { if (dialog.returnValue === "add") take([...chosen]); });
  document.getElementById("from-folder").addEventListener("click", () => {
    dialog.returnValue = "";
    chosen.clear();
    dialog.showModal();
    enter(path);
  });
}

const boxes = () => [...entries.querySelectorAll("input")];

function choose(box) {
  if (box.checked) chosen.add(box.value);
  else chosen.delete(box.value);
  count();
}

function enter(folder) {
  path = folder;
  search.value = "";
  show();
}

async function show() {
  const turn = ++reading;
  document.getElementById("folder-path").textContent = path || say("folder.whole");
  if (path === "" && up === document.activeElement) search.focus();
  up.disabled = path === "";
  let found;
  try {
    found = await listFolder({ path, q: search.value });
  } catch (error) {
    found = { entries: [], left: 0, others: 0, watched: false, trouble: error.message };
  }
  if (turn !== reading) return;
  const held = entries.contains(document.activeElement);
  entries.replaceChildren(...found.entries.map(newRow));
  if (held) search.focus();
  told.textContent = words(found).join(" ");
  all.hidden = boxes().length < 2;
  count();
}

function words({ entries: shown, left, others, watched, trouble }) {
  return [
    trouble ? isolated(trouble) : "",
    watched ? say("folder.watched") : "",
    shown.length ? "" : say("folder.empty"),
    left ? say("folder.left", { count: left }) : "",
    others ? say("folder.others", { count: others }) : "",
  ].filter(Boolean);
}

function newRow(entry) {
  const row = document.getElementById("folder-row").content.firstElementChild.cloneNode(true);
  const [label, open] = [row.querySelector("label"), row.querySelector("button")];
  (entry.is_folder ? label : open).remove();
  label.querySelector("input").value = entry.path;
  label.querySelector("input").checked = chosen.has(entry.path);
  label.querySelector("bdi").textContent = entry.name;
  open.textContent = `${entry.name}/`;
  open.addEventListener("click", () => enter(entry.path));
  if (!entry.is_folder) row.querySelector(".quiet").textContent = say("folder.about", { size: size(entry.size_bytes), age: ago(entry.modified_ms) });
  return row;
}

function count() {
  const number = chosen.size;
  all.querySelector("input").checked = boxes().every((box) => box.checked);
  button.disabled = number === 0;
  button.textContent = number ? say("folder.add-videos", { count: number }) : say("folder.add");
}
