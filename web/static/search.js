// Search within the commentary: counts, goes from one hit to the next, marks the words without touching the lines.

import { say } from "./say.js";

const PAINT = Boolean(window.CSS?.highlights); // of browsers that can't, the line of the hit is marked alone
const MOST_PAINTED = 400; // hits around the present one

export class Search {
  /** `commentary` has segments, wordsOf(segment), momentMs and markHit(segment, jumps). */
  constructor(place, commentary) {
    this.commentary = commentary;
    this.field = place.querySelector("input");
    this.count = place.querySelector(".count");
    this.steps = place.querySelectorAll("button");
    this.hits = []; // of { segment, text, start, end }
    this.at = -1;
    place.addEventListener("submit", (event) => event.preventDefault());
    this.field.addEventListener("input", () => this.find(true));
    this.field.addEventListener("keydown", (event) => this.key(event));
    for (const button of this.steps) button.addEventListener("click", () => this.go(Number(button.value)));
  }

  focus() {
    this.field.focus();
    this.field.select();
  }

  key(event) {
    if (event.key === "Enter") this.go(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && this.field.value) {
      this.field.value = "";
      this.find(false);
    } else if (event.key === "Escape") this.field.blur();
    else return;
    event.preventDefault();
  }

  /** Look again, because other words are sought or more was said. */
  find(jumps) {
    const sought = this.field.value.trim();
    const before = this.hits[this.at]?.segment.index;
    this.hits = [];
    if (sought) {
      const pattern = new RegExp(sought.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+"), "giu");
      for (const segment of this.commentary.segments) {
        for (const match of segment.text.matchAll(pattern)) {
          this.hits.push({ segment, start: match.index, end: match.index + match[0].length });
        }
      }
    }
    this.at = jumps ? -1 : this.hits.findIndex((hit) => hit.segment.index === before);
    if (jumps) this.at = this.hits.findIndex((hit) => hit.segment.end_ms > this.commentary.momentMs);
    if (this.at === -1 && this.hits.length) this.at = 0;
    this.show(jumps);
  }

  go(direction) {
    if (!this.hits.length) return;
    this.at = (this.at + direction + this.hits.length) % this.hits.length;
    this.show(true);
  }

  show(jumps) {
    const sought = Boolean(this.field.value.trim());
    this.count.textContent = !sought ? "" : this.hits.length ? say("search.hit", { at: this.at + 1, count: this.hits.length }) : say("search.none");
    for (const button of this.steps) button.disabled = this.hits.length === 0;
    const hit = this.hits[this.at];
    this.commentary.markHit(hit?.segment ?? null, jumps);
    if (!PAINT) return;
    const first = Math.max(0, this.at - MOST_PAINTED / 2);
    const ranges = this.hits.slice(first, first + MOST_PAINTED).map((one) => this.rangeOf(one));
    CSS.highlights.set("hits", new Highlight(...ranges));
    CSS.highlights.set("hit", new Highlight(...(hit ? [this.rangeOf(hit)] : [])));
  }

  rangeOf({ segment, start, end }) {
    const words = this.commentary.wordsOf(segment);
    const range = new Range();
    range.setStart(words, start);
    range.setEnd(words, end);
    return range;
  }
}
