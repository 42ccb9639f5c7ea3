// A job's video once more: what to ask, and of which windows.

import { getSegments, startRun } from "./api.js";
import { offerPrompts } from "./prompts.js";
import { say } from "./say.js";
import { Selection } from "./selection.js";
import { clock } from "./words.js";

const AT_ONCE = 1000; // segments of one answer
const AS_CUT = ["capture_fps", "window_hop"]; // single windows are cut as before

const form = document.getElementById("again");
const some = document.getElementById("some");
const list = document.getElementById("windows");
const chosen = document.getElementById("chosen");
const trouble = document.getElementById("trouble");
const template = document.getElementById("window");
const jobId = form.dataset.id;

const kinds = new Map(); // window: what was said of it
const selection = new Selection(list, { changed: tell });
let isRead = false;

function tell() {
  chosen.textContent = say("again.chosen", { chosen: selection.ids.size, count: kinds.size });
}

async function readWindows() {
  if (isRead) return;
  isRead = true;
  list.replaceChildren(); // an earlier try may have come half way
  trouble.hidden = true;
  try {
    for (let since = 0, more = true; more;) {
      const { segments } = await getSegments(jobId, since, AT_ONCE);
      list.append(...segments.map(line));
      more = segments.length === AT_ONCE;
      since = more ? segments.at(-1).index + 1 : since;
    }
    tell();
  } catch (error) {
    isRead = false;
    complain(error);
  }
}

function line(segment) {
  kinds.set(String(segment.index), segment.kind);
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.kind = segment.kind;
  item.querySelector("input").value = segment.index;
  item.querySelector(".time").textContent = clock(segment.start_ms);
  item.querySelector(".text").textContent = segment.text || say(`segment.${segment.kind}`);
  return item;
}

function complain(error) {
  trouble.textContent = error.message;
  trouble.hidden = false;
}

function wish() {
  const { which, priority, ...parameters } = Object.fromEntries(new FormData(form));
  const windows = [...selection.ids].map(Number).sort((a, b) => a - b);
  return { parameters, priority: Number(priority), ...(which === "some" && { windows: spans(windows) }) };
}

/** [0, 1, 2, 7] → "0-2,7" */
function spans(windows) {
  const joined = [];
  for (const window of windows) {
    const last = joined.at(-1);
    if (last && last[1] === window - 1) last[1] = window;
    else joined.push([window, window]);
  }
  return joined.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}

form.addEventListener("change", (event) => {
  if (event.target.name !== "which") return;
  const isSome = event.target.value === "some";
  some.hidden = !isSome;
  for (const name of AS_CUT) {
    form.elements[name].readOnly = isSome;
    if (isSome) form.elements[name].value = form.elements[name].defaultValue;
  }
  if (isSome) readWindows();
});
some.addEventListener("click", (event) => {
  const choose = event.target.closest("[data-choose]")?.dataset.choose;
  if (choose === "all") selection.choose(kinds.keys());
  if (choose === "none") selection.clear();
  if (choose === "empty") selection.choose([...kinds].filter(([, kind]) => kind === "empty").map(([window]) => window));
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const asked = wish();
  if (asked.windows === "") return complain({ message: say("again.none-chosen") });
  form.inert = true;
  try {
    const job = await startRun(jobId, asked);
    location.assign(job.links.page);
  } catch (error) {
    form.inert = false;
    event.submitter?.focus();
    complain(error);
  }
});
form.addEventListener("invalid", (event) => event.target.closest("details")?.setAttribute("open", ""), true);
offerPrompts(form);
