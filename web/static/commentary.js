// The list of what was said: in order of time, whatever order it comes in. Between its lines stand those
// that are being written: to look at only, for they change every second and each is soon a line.
//
// The list follows the video until the reader scrolls it; then it stands still until it is told to follow again.

import { origin } from "./corrections.js";
import { say } from "./say.js";
import { clock } from "./words.js";

const GROUP = 25; // windows: a group of lines that is out of sight is not laid out
const LINE_HEIGHT = 46; // pixels, more or less, of a line that never was in sight
const SIDES = 30; // lines around those in sight that get their picture
const LINE = "li[data-kind]"; // no draft
const SCROLLS = ["ArrowDown", "ArrowUp", "Home", "End", "PageDown", "PageUp"];

export class Commentary {
  /** `hear` has choose(segment), edit(segment, item), link(segment), paint(element, segment) and follows(boolean). */
  constructor(list, hear) {
    this.list = list;
    this.hear = hear;
    this.template = document.getElementById("segment");
    this.writingTemplate = document.getElementById("writing");
    this.segments = []; // in order of index
    this.items = new Map(); // index: <li>
    this.groups = new Map(); // number: <ol>
    this.drafts = new Map(); // index: <li> of a window that is being written
    this.spoken = []; // what is said, in order of time
    this.current = null;
    this.hit = null; // the segment that a search has found
    this.momentMs = 0;
    this.follows = true;
    this.held = false; // the pointer or the focus is in the list
    this.scroll = null; // what the next painting does first
    list.addEventListener("click", (event) => {
      const item = event.target.closest(LINE);
      if (!item || event.target.closest("form")) return;
      const segment = this.at(Number(item.dataset.index));
      if (event.target.closest(".link")) hear.link(segment);
      else if (event.target.closest(".edit")) hear.edit(segment, item);
      else hear.choose(segment);
    });
    list.addEventListener("keydown", (event) => this.move(event));
    for (const name of ["wheel", "touchmove"]) list.addEventListener(name, () => this.follow(false), { passive: true });
    list.addEventListener("pointerdown", (event) => { if (event.target === list) this.follow(false); }); // its scroll bar
    list.addEventListener("scroll", () => this.paintSoon(), { passive: true });
    for (const [name, held] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]]) {
      list.addEventListener(name, () => { this.held = held; });
    }
  }

  at(index) {
    return this.segments[this.position(index)];
  }

  /** Return where `index` stands, or would stand, in the list. */
  position(index) {
    let [low, high] = [0, this.segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.segments[middle].index < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get isEmpty() {
    return this.segments.length + this.drafts.size === 0;
  }

  /** Show the windows that are being written, each where its line will stand. */
  write(windows) {
    const open = windows.filter((window) => !this.items.has(window.index));
    for (const index of this.drafts.keys()) {
      if (!open.some((window) => window.index === index)) this.dropDraft(index);
    }
    for (const window of open) {
      const item = this.drafts.get(window.index) ?? this.newDraft(window);
      item.querySelector(".text").textContent = window.text;
    }
  }

  newDraft(window) {
    const item = this.writingTemplate.content.firstElementChild.cloneNode(true);
    item.querySelector(".time").textContent = clock(window.start_ms);
    this.drafts.set(window.index, item);
    this.place(item, window.index);
    return item;
  }

  dropDraft(index) {
    this.drafts.get(index)?.remove();
    this.drafts.delete(index);
  }

  /** Add segments; return those that are new. What was corrected meanwhile takes its line's place. */
  add(segments) {
    for (const segment of segments) {
      if (segment.revision > (this.items.has(segment.index) ? this.at(segment.index).revision : Infinity)) this.replace(segment);
    }
    const fresh = segments.filter((segment) => !this.items.has(segment.index));
    for (const segment of fresh) {
      const item = this.show(segment);
      this.segments.splice(this.position(segment.index), 0, segment);
      this.items.set(segment.index, item);
      this.dropDraft(segment.index);
      this.place(item, segment.index);
    }
    if (fresh.length === 0) return fresh;
    if (!this.list.querySelector("[tabindex='0']")) this.makeTabStop(this.list.querySelector(LINE));
    this.paintSoon();
    return fresh;
  }

  /** Put a line, or a draft, where its window wants it. */
  place(item, index) {
    const number = Math.floor(index / GROUP);
    let group = this.groups.get(number);
    if (!group) {
      group = document.createElement("ol");
      group.className = "plain group";
      group.role = "presentation"; // the list is one list
      this.groups.set(number, group);
      insertInOrder(this.list, group, number);
    }
    insertInOrder(group, item, index);
    group.style.containIntrinsicSize = `auto ${group.childElementCount * LINE_HEIGHT}px`;
  }

  show(segment) {
    const item = this.template.content.firstElementChild.cloneNode(true);
    const moment = clock(segment.start_ms);
    item.querySelector(".time").textContent = moment;
    item.querySelector(".link").ariaLabel = say("job.copy-link-to", { time: moment });
    item.querySelector(".edit").ariaLabel = say("job.correct-at", { time: moment });
    this.showWords(item, segment);
    return item;
  }

  showWords(item, segment) {
    item.dataset.kind = segment.kind;
    const text = item.querySelector(".text");
    text.textContent = segment.text || quiet(segment);
    item.querySelector(".heard").textContent = this.heardIn(segment);
    item.querySelector(".origin").textContent = origin(segment);
  }

  /** Show what is said under the comments. */
  showSpeech(utterances) {
    this.spoken = utterances;
    for (const [index, item] of this.items) item.querySelector(".heard").textContent = this.heardIn(this.at(index));
  }

  heardIn({ start_ms: start, end_ms: end }) {
    const middle = (one) => (one.start_ms + one.end_ms) / 2;
    let [low, high] = [0, this.spoken.length];
    while (low < high) {
      const half = (low + high) >> 1;
      if (middle(this.spoken[half]) < start) low = half + 1;
      else high = half;
    }
    const words = [];
    for (; low < this.spoken.length && middle(this.spoken[low]) < end; low += 1) words.push(this.spoken[low].text);
    return words.length ? say("segment.heard", { words: words.join(" ") }) : "";
  }

  /** Show a segment as a person has made it. */
  replace(segment) {
    const old = this.at(segment.index);
    this.segments[this.position(segment.index)] = segment;
    if (this.current === old) this.current = segment;
    this.showWords(this.items.get(segment.index), segment);
  }

  /** Return the segment in which a moment lies, null where there is none yet. */
  during(ms) {
    let [low, high] = [0, this.segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.segments[middle].start_ms <= ms) low = middle + 1;
      else high = middle;
    }
    const segment = this.segments[low - 1];
    return segment && ms < segment.end_ms ? segment : null;
  }

  /** Highlight the line of a moment; scroll the list to it if that is another one, but not under a person's hands. */
  highlight(ms) {
    this.momentMs = ms;
    const current = this.current;
    if (current && current.start_ms <= ms && ms < current.end_ms) return current;
    const shown = this.during(ms);
    if (shown === current) return current;
    this.items.get(current?.index)?.removeAttribute("aria-current");
    this.current = shown;
    const item = this.items.get(shown?.index);
    item?.setAttribute("aria-current", "true");
    if (item) this.scrollSoon(() => this.reveal(item));
    return shown;
  }

  /** Follow the video, or let the reader read. */
  follow(follows) {
    if (this.follows === follows) return;
    this.follows = follows;
    this.hear.follows(follows);
    const item = this.items.get(this.current?.index);
    if (follows && item) this.reveal(item);
  }

  /** Scroll the list, and nothing but the list, so that a line stands in its upper part. */
  reveal(item) {
    const room = this.list.clientHeight - item.offsetHeight;
    this.list.scrollTop = item.offsetTop - room / 3;
  }

  /** Keep the newest line in view while nothing plays. */
  showNewest() {
    this.scrollSoon(() => { this.list.scrollTop = this.list.scrollHeight; });
  }

  /** Scroll with the next painting, if the list follows: to ask where a line stands would lay the page out at once. */
  scrollSoon(scroll) {
    this.scroll = scroll;
    this.paintSoon();
  }

  /** Return the text node of a segment's words. */
  wordsOf(segment) {
    return this.items.get(segment.index).querySelector(".text").firstChild;
  }

  /** Mark the line that a search has found, and go there. */
  markHit(segment, jumps) {
    this.items.get(this.hit?.index)?.classList.remove("hit");
    this.hit = segment;
    const item = this.items.get(segment?.index);
    if (!item) return;
    item.classList.add("hit");
    if (!jumps) return;
    this.follow(false);
    this.reveal(item);
  }

  paintSoon() {
    this.painting ??= requestAnimationFrame(() => {
      this.painting = undefined;
      if (this.follows && !this.held) this.scroll?.();
      this.scroll = null;
      this.paintInSight();
    });
  }

  /** Give the lines in sight, and some around them, their pictures. */
  paintInSight() {
    if (this.segments.length === 0 || this.list.clientHeight === 0) return;
    const box = this.list.getBoundingClientRect();
    const at = (y) => {
      const item = document.elementFromPoint(box.left + box.width / 2, y)?.closest(LINE);
      return item ? this.position(Number(item.dataset.index)) : null;
    };
    const first = at(Math.max(box.top, 0) + 12) ?? 0;
    const last = at(Math.min(box.bottom, innerHeight) - 12) ?? first + SIDES;
    for (const segment of this.segments.slice(Math.max(0, first - SIDES), last + SIDES)) {
      this.hear.paint(this.items.get(segment.index).querySelector(".tile"), segment);
    }
  }

  move(event) {
    if (event.key === "e" && event.target.matches(".line") && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const item = event.target.closest(LINE);
      this.hear.edit(this.at(Number(item.dataset.index)), item);
      return;
    }
    if (event.target.closest("form")) return;
    if (SCROLLS.includes(event.key)) this.follow(false);
    const at = this.position(Number(event.target.closest(LINE)?.dataset.index));
    const last = this.segments.length - 1;
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: last }[event.key];
    const target = this.items.get(this.segments[next]?.index);
    if (!target || !event.target.matches(".line")) return;
    event.preventDefault();
    this.makeTabStop(target);
    target.firstElementChild.focus();
  }

  makeTabStop(item) {
    for (const button of this.list.querySelectorAll("[tabindex='0']")) button.tabIndex = -1;
    for (const button of item.querySelectorAll("button")) button.tabIndex = 0;
  }
}

/** Say of a window of which nothing was said why that is so. */
function quiet({ kind, reason }) {
  if (kind === "unchanged") return say("segment.unchanged");
  return say("segment.empty-why", { reason: reason ?? say("segment.no-reason") });
}

/** Put an element among its siblings, which stand in order of a number; mostly it is the last one. */
function insertInOrder(parent, element, number) {
  element.dataset.index = number;
  let before = parent.lastElementChild;
  while (before && Number(before.dataset.index) > number) before = before.previousElementSibling;
  if (before) before.after(element);
  else parent.prepend(element);
}
