// The drop zone: files chosen, dropped or pasted go up with the form's fields, at once or when started.

import { fieldsOfPreset, listNames, offerPresets } from "./presets.js";
import { form, readFields, tellSpan } from "./fields.js";
import { filesOf, filesOfFolder } from "./picked.js";
import { offerPrompts } from "./prompts.js";
import { add, startHeld, startQueue } from "./queue.js";
import { isolated, say } from "./say.js";

const MOST_NAMED = 5;

const input = form.querySelector("input[type=file]");
const hold = document.getElementById("hold");
const leftOut = document.getElementById("left-out");

/** Listen to the drop zone; `whenUploaded` is called after each new job. */
export function startUploads(whenUploaded) {
  input.addEventListener("change", () => {
    take({ files: [...input.files], leftOut: [] });
    input.value = "";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("choose-folder").addEventListener("click", chooseFolder);
  document.getElementById("start-held").addEventListener("click", () => startAll());
  leftOut.querySelector("button").addEventListener("click", () => { leftOut.hidden = true; });
  listenToDrops();
  addEventListener("paste", async (event) => {
    if (event.clipboardData?.files.length) take(await filesOf(event.clipboardData));
  });
  offerPrompts(form);
  offerPresets();
  tellSpan();
  startQueue({ whenUploaded, chooseFile: () => input.click(), listen: offerOwnPreset });
}

function listenToDrops() {
  let depth = 0;
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const overlay = (shown) => document.body.classList.toggle("dropping", shown);
  addEventListener("dragenter", (event) => { if (holdsFiles(event)) overlay(++depth > 0); });
  addEventListener("dragleave", (event) => { if (holdsFiles(event)) overlay(--depth > 0); });
  addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    depth = 0;
    overlay(false);
    take(await filesOf(event.dataTransfer));
  });
}

function chooseFolder() {
  const chooser = document.createElement("input");
  Object.assign(chooser, { type: "file", webkitdirectory: true });
  chooser.addEventListener("change", () => take(filesOfFolder(chooser.files)));
  chooser.click();
}

function take(picked) {
  tellLeftOut(picked.leftOut, picked.files.length);
  const fields = hold.checked ? null : readFields();
  if (!hold.checked && !fields) return;
  for (const file of picked.files) add(file, fields);
}

function tellLeftOut(names, taken) {
  leftOut.hidden = names.length === 0;
  const rest = names.length - MOST_NAMED;
  const named = [...names.slice(0, MOST_NAMED).map(isolated), ...(rest > 0 ? [say("upload.more", { count: rest })] : [])].join(", ");
  leftOut.querySelector("bdi").textContent = say("upload.left-out", { count: taken, names: named });
}

function startAll() {
  const fields = readFields();
  if (fields) startHeld(({ row }) => fieldsOfPreset(row.querySelector("select").value) ?? fields);
}

function offerOwnPreset(row) {
  listNames(row.querySelector("select"));
}
