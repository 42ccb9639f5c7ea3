// Two runs of a video beside each other, row by row; what the other doesn't say is marked.

import { attempt } from "./actions.js";
import { compare, listRuns } from "./api.js";
import { compareAddress, nameOf } from "./runs.js";
import { say } from "./say.js";
import { clock } from "./words.js";

const table = document.getElementById("comparison");
const body = table.tBodies[0];
const sum = document.getElementById("sum");
const only = document.getElementById("only");
const more = document.getElementById("more");
const trouble = document.getElementById("trouble");
const sides = { left: table.dataset.left, right: table.dataset.right };

let reading = 0;
let next = null;

async function read(since = 0) {
  const turn = ++reading;
  try {
    const answer = await compare({ ...sides, since, ...(only.checked && { only: "different" }) });
    if (turn !== reading) return;
    show(answer, since);
    trouble.hidden = true;
  } catch (error) {
    if (turn !== reading) return;
    trouble.textContent = error.message;
    trouble.hidden = false;
  }
}

function show(answer, since) {
  const rows = answer.rows.map((row) => tableRow(row, answer));
  if (since) body.append(...rows);
  else body.replaceChildren(...rows);
  next = answer.next;
  more.hidden = next === null;
  table.removeAttribute("aria-busy");
  sum.textContent = answer.different === 0
    ? say("compare.same", { count: answer.total })
    : say("compare.differ", { different: answer.different, count: answer.total });
  for (const side of ["left", "right"]) document.getElementById(`${side}-open`).href = answer[side].page;
}

function tableRow(row, answer) {
  const line = document.createElement("tr");
  line.classList.toggle("differs", row.differs);
  const time = document.createElement("th");
  time.scope = "row";
  const link = document.createElement("a");
  link.href = `${answer.left.page}#t=${row.start_ms / 1000}`;
  link.textContent = clock(row.start_ms);
  time.append(link);
  line.append(time, ...["left", "right"].map((side) => cell(row[side], side)));
  return line;
}

function cell({ segments, words }, side) {
  const made = document.createElement("td");
  made.dir = "auto";
  made.append(...words.map((stretch) => {
    if (stretch.shared) return stretch.text;
    const mark = document.createElement(side === "left" ? "del" : "ins");
    mark.textContent = stretch.text;
    return mark;
  }));
  if (words.length === 0) note(made, segments.length ? say(`segment.${segments[0].kind}`) : say("compare.nothing-yet"));
  const origins = [segments.some((s) => s.corrected) && say("segment.corrected"), segments.some((s) => s.taken_from) && say("segment.taken")];
  if (origins.some(Boolean)) note(made, origins.filter(Boolean).join(" · "));
  return made;
}

function note(place, words) {
  const small = document.createElement("span");
  small.className = "note quiet";
  small.textContent = words;
  place.append(small);
}

async function offerRuns() {
  const { runs } = await listRuns(sides.left);
  for (const side of ["left", "right"]) {
    const select = document.getElementById(side);
    select.replaceChildren(...runs.map((run) => new Option(nameOf(run), run.id, false, run.id === sides[side])));
    select.addEventListener("change", () => {
      sides[side] = select.value;
      history.replaceState(null, "", compareAddress(sides.left, sides.right));
      read();
    });
  }
}

only.addEventListener("change", () => read());
more.addEventListener("click", () => read(next));
attempt(offerRuns);
read();
