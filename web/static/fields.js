// The form's fields: what differs from the defaults is what a job is asked for, and what a preset holds.

import { say } from "./say.js";

export const form = document.getElementById("upload");

const named = () => [...form.querySelectorAll("[name]")];

/** Return { name: text } of what differs from the defaults; null if a field is wrong, which is then shown. */
export function readFields() {
  for (const field of form.querySelectorAll(":invalid")) field.closest("details")?.setAttribute("open", "");
  if (!form.reportValidity()) return null;
  const differing = named().filter((field) => field.matches(":enabled") && field.value.trim() !== defaultOf(field));
  return Object.fromEntries(differing.map((field) => [field.name, field.value.trim()]));
}

/** Fill the form with `fields`, and the defaults for the rest. */
export function fillFields(fields) {
  // Who comments and the profile come first: other fields follow from them.
  for (const name of ["commentator", "profile"]) {
    const choice = form.elements[name];
    if (!choice) continue;
    choice.value = fields[name] ?? defaultOf(choice);
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  }
  for (const field of named()) {
    if (["commentator", "profile"].includes(field.name)) continue;
    field.value = fields[field.name] ?? defaultOf(field);
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

function defaultOf(field) {
  return field.options ? [...field.options].find((option) => option.defaultSelected).value : field.defaultValue;
}

/** Tell in words what the windows will be, whenever that changes. */
export function tellSpan() {
  form.addEventListener("input", showSpan);
  showSpan();
}

function showSpan() {
  const value = (name) => fraction(form.elements[name].value);
  const [fps, frames, stride] = ["capture_fps", "frames_per_inference", "frame_stride"].map(value);
  const hop = value("window_hop") || frames * stride;
  const seconds = (samples) => say("unit.s", { value: Number((samples / fps).toFixed(2)) });
  document.getElementById("span").textContent = fps > 0 && hop > 0
    ? say("upload.span", { hop: seconds(hop), count: frames, stride: seconds(stride) })
    : "";
}

function fraction(text) {
  const [above, below] = text.split("/").map(Number);
  return below === undefined ? above : above / below;
}
