// The list of what was said: in order of time, whatever order it comes in.

import { clock } from "./words.js";

const LONG = 300; // lines: from here on those out of sight are not laid out
const QUIET = { unchanged: "no change" };

export class Commentary {
  constructor(list, template, choose) {
    this.list = list;
    this.template = template;
    this.segments = []; // in order of index
    this.items = new Map(); // index: <li>
    this.current = null;
    this.follows = true;
    this.held = false; // the pointer or the focus is in the list
    list.addEventListener("click", (event) => {
      const item = event.target.closest("li");
      if (item) choose(this.at(Number(item.dataset.index)));
    });
    list.addEventListener("keydown", (event) => this.move(event));
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

  /** Add segments; return those that are new. */
  add(segments) {
    const fresh = segments.filter((segment) => !this.items.has(segment.index));
    const tail = document.createDocumentFragment(); // those behind the last line: put in at once
    for (const segment of fresh) {
      const position = this.position(segment.index);
      const after = this.segments[position];
      const item = this.show(segment);
      this.segments.splice(position, 0, segment);
      this.items.set(segment.index, item);
      if (after) this.items.get(after.index).before(item);
      else tail.append(item);
    }
    this.list.append(tail);
    this.list.classList.toggle("long", this.segments.length > LONG);
    if (fresh.length && !this.list.querySelector("[tabindex='0']")) this.makeTabStop(this.list.firstElementChild);
    return fresh;
  }

  show(segment) {
    const item = this.template.content.firstElementChild.cloneNode(true);
    item.dataset.index = segment.index;
    item.dataset.kind = segment.kind;
    item.querySelector(".time").textContent = clock(segment.start_ms);
    const text = item.querySelector(".text");
    text.textContent = segment.text || QUIET[segment.kind] || `nothing said: ${segment.reason ?? "no reason given"}`;
    return item;
  }

  /** Highlight the line of a moment; scroll the list to it, but not under a person's hands. */
  highlight(ms) {
    const next = this.segments.findIndex((segment) => segment.start_ms > ms);
    const segment = this.segments[next === -1 ? this.segments.length - 1 : next - 1];
    const shown = segment && ms < segment.end_ms ? segment : null;
    if (shown === this.current) return this.current;
    this.items.get(this.current?.index)?.removeAttribute("aria-current");
    this.current = shown;
    const item = this.items.get(shown?.index);
    item?.setAttribute("aria-current", "true");
    if (item && this.follows && !this.held) this.reveal(item);
    return shown;
  }

  reveal(item) {
    const room = this.list.clientHeight - item.offsetHeight;
    this.list.scrollTop = item.offsetTop - this.list.offsetTop - room / 3;
  }

  /** Keep the newest line in view while nothing plays. */
  showNewest() {
    if (this.follows && !this.held) this.list.scrollTop = this.list.scrollHeight;
  }

  move(event) {
    const item = event.target.closest("li");
    const target = {
      ArrowDown: item?.nextElementSibling,
      ArrowUp: item?.previousElementSibling,
      Home: this.list.firstElementChild,
      End: this.list.lastElementChild,
    }[event.key];
    if (!target) return;
    event.preventDefault();
    this.makeTabStop(target);
    target.firstElementChild.focus();
  }

  makeTabStop(item) {
    this.list.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    item.firstElementChild.tabIndex = 0;
  }
}
