// Presets: the form's fields under a name, kept by the server for all who use it.

import { deletePreset, listPresets, savePreset } from "./api.js";
import { tell } from "./actions.js";
import { fillFields, form, readFields } from "./fields.js";

const choice = document.getElementById("preset");
const removal = document.getElementById("delete-preset");
const dialog = document.getElementById("name-preset");

const presets = new Map();

export const fieldsOfPreset = (name) => presets.get(name);

/** Listen to the choice and the buttons, and read what there is. */
export async function offerPresets() {
  choice.addEventListener("change", () => {
    removal.hidden = !choice.value;
    fillFields(presets.get(choice.value) ?? {});
  });
  form.addEventListener("input", (event) => { // what was changed since is no longer the preset
    if (event.isTrusted && event.target.name) choose("");
  });
  document.getElementById("save-preset").addEventListener("click", save);
  removal.addEventListener("click", () => attempt(remove));
  await attempt(read);
}

/** Fill a select with the presets' names, behind its first option; the chosen one stays. */
export function listNames(select) {
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...[...presets.keys()].map((name) => new Option(name, name)));
  select.value = presets.has(chosen) ? chosen : "";
}

async function read() {
  presets.clear();
  for (const { name, fields } of (await listPresets()).presets) presets.set(name, fields);
  document.querySelectorAll("select.presets").forEach(listNames);
  choice.closest(".field").hidden = presets.size === 0;
  removal.hidden = !choice.value;
}

function choose(name) {
  choice.value = name;
  removal.hidden = !name;
}

function save() {
  const fields = readFields();
  if (!fields) return;
  const name = dialog.querySelector("input");
  name.value = choice.value;
  dialog.returnValue = "";
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "save" || !name.value.trim()) return;
    attempt(async () => {
      const saved = await savePreset(name.value.trim(), fields);
      await read();
      choose(saved.name);
    });
  }, { once: true });
}

async function remove() {
  await deletePreset(choice.value);
  choice.value = "";
  await read();
}

async function attempt(step) {
  try {
    await step();
  } catch (error) {
    tell(error.message);
  }
}
