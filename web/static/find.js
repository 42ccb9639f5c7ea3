// The search over comments, speech and summaries: answers as one types, and keeps what is asked in the address.

import { search } from "./api.js";
import { showState } from "./actions.js";
import { say } from "./say.js";
import { ago, clock } from "./words.js";

const PAUSE_MS = 150; // after the last key
const FIELDS = ["q", "state", "commentator", "profile", "from", "until"];

const form = document.getElementById("find");
const hits = document.getElementById("hits");
const found = document.getElementById("found");
const more = document.getElementById("more");
const trouble = document.getElementById("trouble");
const template = document.getElementById("hit");

let timer;
let asking = 0;
let next = null;

function asked() {
  return Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value]).filter(([, value]) => value));
}

/** The days of the form are this browser's; the API takes moments, the second one not included. */
function query() {
  const { from, until, ...rest } = asked();
  return {
    ...rest,
    ...(from && { from: new Date(`${from}T00:00`).getTime() }),
    ...(until && { until: dayAfter(until).getTime() }),
  };
}

/** Return when the next day begins: one day in a year has 23 hours, another 25. */
function dayAfter(day) {
  const date = new Date(`${day}T00:00`);
  date.setDate(date.getDate() + 1);
  return date;
}

async function look(offset = 0) {
  clearTimeout(timer);
  const turn = ++asking;
  const wish = asked();
  history.replaceState(null, "", Object.keys(wish).length ? `?${new URLSearchParams(wish)}` : location.pathname);
  if (!wish.q?.trim()) return show({ hits: [], total: 0, next: null }, 0, "");
  try {
    const answer = await search({ ...query(), offset });
    if (turn !== asking) return;
    trouble.hidden = true;
    show(answer, offset, tell(answer));
  } catch (error) {
    if (turn !== asking) return;
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

function tell({ total, most }) {
  if (total === 0) return say("find.nothing");
  return say(total === most ? "find.found-or-more" : "find.found", { count: total });
}

function show(answer, offset, words) {
  found.textContent = words;
  next = answer.next;
  more.hidden = next === null;
  const rows = answer.hits.map(row);
  if (offset) hits.append(...rows);
  else hits.replaceChildren(...rows);
  if (offset) rows[0]?.querySelector("a").focus();
}

function row(hit) {
  const item = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => item.querySelector(selector);
  part("a").href = hit.page;
  if (hit.still === null) part("img").remove();
  else part("img").src = hit.still;
  part(".name").textContent = hit.filename;
  part(".time").textContent = clock(hit.start_ms);
  showState(part(".chip"), hit.state);
  part(".excerpt").append(...hit.excerpt.map((piece) => {
    if (!piece.hit) return piece.text;
    const mark = document.createElement("mark");
    mark.textContent = piece.text;
    return mark;
  }));
  const by = [
    say(`find.source.${hit.source}`),
    say("job.by", { commentator: hit.commentator }),
    hit.profile && say(`profile.${hit.profile}`),
    ago(hit.created_ms),
    hit.corrected && say("segment.corrected"),
    hit.still === null && say("job.video-removed"),
  ];
  part(".meta").textContent = by.filter(Boolean).join(" · ");
  return item;
}

const given = new URLSearchParams(location.search);
for (const name of FIELDS) form.elements[name].value ||= given.get(name) ?? ""; // unless somebody was quicker than this script
form.addEventListener("submit", (event) => {
  event.preventDefault();
  look();
});
form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE_MS);
});
more.addEventListener("click", () => look(next));
look();
