// What can be done to a job: its buttons, the question before deleting, and what went wrong.

import { act, deleteJob, setPriority } from "./api.js";
import { say } from "./say.js";

const VERBS = {
  queued: ["pause", "cancel"],
  running: ["pause", "cancel"],
  paused: ["resume", "cancel"],
  done: [],
  failed: ["retry"],
  cancelled: ["retry"],
};
const OPEN = ["queued", "running", "paused"];

/** A job whose video was removed can't be taken up again. */
const allowed = (job) => VERBS[job.state].filter((verb) => verb !== "retry" || job.video.url !== null);

/** Fill `place` with the buttons that a job's state allows; it is left alone while nothing changes. */
export function showActions(place, job, { changed, deleted }) {
  const look = `${job.state} ${job.priority}`;
  if (place.dataset.look === look) return;
  place.dataset.look = look;
  const focused = place.contains(document.activeElement);
  place.replaceChildren(
    ...allowed(job).map((verb) => button(verb, job, async () => changed(await act(job.id, verb)))),
    ...(OPEN.includes(job.state) ? [prioritySelect(job, changed)] : []),
    button("delete", job, async () => {
      if (await confirmDelete(job)) deleted(await deleteJob(job.id));
    }),
  );
  if (focused) place.querySelector("button").focus();
}

function button(verb, job, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = verb === "retry" && job.failure?.kind !== "bad-file" ? "small primary" : "small";
  made.textContent = say(`verb.${verb}`);
  made.ariaLabel = `${made.textContent} ${job.filename}`;
  let busy = false; // not disabled meanwhile: it would lose the focus, and a dialog couldn't give it back
  made.addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    await attempt(work);
    busy = false;
  });
  return made;
}

let choices; // one <select> that is copied: a list has hundreds of these options

function prioritySelect(job, changed) {
  choices ??= newChoices();
  const label = document.createElement("label");
  label.className = "priority";
  const select = choices.cloneNode(true);
  select.value = job.priority;
  select.addEventListener("change", () =>
    attempt(async () => changed(await setPriority(job.id, Number(select.value)))));
  label.append(`${say("field.priority")} `, select);
  return label;
}

function newChoices() {
  const select = document.createElement("select");
  const [lowest, highest] = document.body.dataset.priorities.split(" ").map(Number);
  for (let value = highest; value >= lowest; value -= 1) select.add(new Option(value > 0 ? `+${value}` : String(value), value));
  return select;
}

/** Do what was asked for; tell in a sentence if it can't be done, and return whether it could. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    tell(error.message);
    return false;
  }
}

let silence;

export function tell(sentence) {
  const toast = document.getElementById("toast");
  toast.textContent = sentence;
  toast.hidden = false;
  clearTimeout(silence);
  silence = setTimeout(() => { toast.hidden = true; }, 8000);
}

export function confirmDelete(job) {
  const dialog = document.getElementById("confirm-delete");
  dialog.querySelector("bdi").textContent = job.filename;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

/** Show a job's state as a chip. */
export function showState(chip, state) {
  chip.textContent = say(`state.${state}`);
  chip.className = `chip ${state}`;
}
