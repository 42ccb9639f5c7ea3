// Where the time of each window went: a chart to look at, a table to read.

import { clock, duration } from "./words.js";

export const STEPS = ["waiting", "decode", "inference"];
const COLUMNS = [...STEPS, "total"];
const WIDTH = 600;
const HEIGHT = 120;
const MOST_BARS = 150;
const FEWEST_BARS = 24; // that have room: so that three windows don't look like walls
const SVG = "http://www.w3.org/2000/svg";

/** Return the milliseconds of a segment's steps and their total. */
export function stepsOf({ timings }) {
  const inference = timings.vision_ms + timings.prefill_ms + timings.generate_ms;
  return { waiting: timings.waiting_ms, decode: timings.decode_ms, inference, total: timings.total_ms };
}

/** Return what of a window's total each step took. Decoding runs ahead: only what was waited for counts. */
function stackOf(segment) {
  const { waiting, decode, inference } = stepsOf(segment);
  const awaited = Math.min(waiting, decode);
  return { waiting: waiting - awaited, decode: awaited, inference };
}

/** The value under which a share of the values lies (nearest rank). */
export function percentile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export class Timings {
  constructor(place, choose) {
    this.place = place;
    this.chart = place.querySelector("svg");
    this.readout = place.querySelector(".readout");
    this.details = place.querySelector("details");
    this.body = place.querySelector(".by-window tbody");
    this.segments = [];
    this.bars = [];
    this.tabled = new Map(); // index: <tr>
    this.paths = STEPS.map((step) => this.draw("path", { class: step }));
    this.playhead = this.draw("path", { class: "playhead" });
    this.chart.addEventListener("pointermove", (event) => this.read(this.barAt(event)));
    this.chart.addEventListener("pointerleave", () => this.read(null));
    this.chart.addEventListener("click", (event) => {
      const bar = this.barAt(event);
      if (bar) choose(bar.segments[0]);
    });
    this.details.addEventListener("toggle", () => this.fillTable());
  }

  draw(name, attributes) {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    this.chart.append(element);
    return element;
  }

  /** Show all segments that there are; drawn at most once a frame. */
  update(segments, windowCount) {
    this.segments = segments;
    this.windowCount = windowCount;
    this.place.hidden = segments.length === 0;
    if (this.pending || segments.length === 0) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = undefined;
      this.showSummary();
      this.showChart();
      this.fillTable();
    });
  }

  showSummary() {
    const steps = this.segments.map(stepsOf);
    for (const [name, share] of [["p50", 0.5], ["p95", 0.95]]) {
      const cells = this.place.querySelectorAll(`.summary [data-row=${name}] td`);
      COLUMNS.forEach((column, index) => {
        cells[index].textContent = duration(percentile(steps.map((step) => step[column]), share));
      });
    }
  }

  showChart() {
    this.perBar = Math.ceil(this.windowCount / MOST_BARS);
    this.bars = gather(this.segments, this.perBar);
    const sums = this.bars.map((bar) => STEPS.reduce((sum, step) => sum + bar.stack[step], 0));
    const top = Math.min(Math.max(...sums), 2.5 * percentile(sums, 0.95)) || 1;
    this.place.querySelector(".highest").textContent = duration(top);
    this.place.querySelector(".per-bar").textContent =
      this.perBar > 1 ? `Each bar is the mean of ${this.perBar} windows.` : "Each bar is a window.";
    const slots = Math.max(FEWEST_BARS, Math.ceil(this.windowCount / this.perBar));
    this.slot = WIDTH / slots;
    const wide = Math.max(this.slot * 0.8, this.slot - 2);
    const shapes = STEPS.map(() => "");
    for (const bar of this.bars) {
      let floor = HEIGHT;
      STEPS.forEach((step, index) => {
        const high = Math.min(bar.stack[step] / top * HEIGHT, floor);
        shapes[index] += `M${(bar.slot * this.slot).toFixed(2)} ${floor.toFixed(2)}h${wide.toFixed(2)}v${(-high).toFixed(2)}h${(-wide).toFixed(2)}z`;
        floor -= high;
      });
    }
    this.paths.forEach((path, index) => path.setAttribute("d", shapes[index]));
  }

  /** Mark the segment that is being played. */
  mark(segment) {
    const at = segment && this.slot ? (Math.floor(segment.index / this.perBar) + 0.4) * this.slot : null;
    this.playhead.setAttribute("d", at === null ? "" : `M${at.toFixed(1)} 0v${HEIGHT}`);
  }

  barAt(event) {
    const box = this.chart.getBoundingClientRect();
    const slot = Math.floor((event.clientX - box.left) / box.width * WIDTH / this.slot);
    return this.bars.find((bar) => bar.slot === slot) ?? null;
  }

  read(bar) {
    if (!bar) {
      this.readout.textContent = "\u00a0";
      return;
    }
    const words = STEPS.map((step) => `${step} ${duration(bar.steps[step])}`);
    const [first] = bar.segments;
    this.readout.textContent = `Window ${first.index + 1} at ${clock(first.start_ms)}: ${words.join(", ")}`;
  }

  fillTable() {
    if (!this.details.open) return;
    let before = null;
    for (const segment of this.segments.toReversed()) {
      const row = this.tabled.get(segment.index) ?? this.newRow(segment);
      if (row.parentNode !== this.body) this.body.insertBefore(row, before);
      before = row;
    }
  }

  newRow(segment) {
    const row = document.createElement("tr");
    const steps = stepsOf(segment);
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = segment.index + 1;
    row.append(head, ...[clock(segment.start_ms), ...COLUMNS.map((column) => duration(steps[column]))].map((words) => {
      const cell = document.createElement("td");
      cell.textContent = words;
      return cell;
    }));
    this.tabled.set(segment.index, row);
    return row;
  }
}

/** Join windows into bars of `perBar`, each step the mean of theirs. */
function gather(segments, perBar) {
  const bars = [];
  for (const segment of segments) {
    const slot = Math.floor(segment.index / perBar);
    if (bars.at(-1)?.slot !== slot) bars.push({ slot, segments: [] });
    bars.at(-1).segments.push(segment);
  }
  for (const bar of bars) {
    bar.steps = mean(bar.segments.map(stepsOf));
    bar.stack = mean(bar.segments.map(stackOf));
  }
  return bars;
}

function mean(all) {
  return Object.fromEntries(STEPS.map((step) =>
    [step, all.reduce((sum, steps) => sum + steps[step], 0) / all.length]));
}
