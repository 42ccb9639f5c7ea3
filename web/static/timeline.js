// The seek bar under the picture: where the moment is, and what is to be seen elsewhere.

import { say } from "./say.js";
import { clock } from "./words.js";

const KEY_STEP_MS = 5000;

export class Timeline {
  constructor(place, { seek, paint, lengthMs, tile }) {
    this.bar = place.querySelector("input");
    this.preview = place.querySelector(".preview");
    this.tile = this.preview.querySelector(".tile");
    this.marks = place.querySelector(".marks");
    this.words = this.preview.querySelector("figcaption");
    this.tile.style.width = `${tile.width}px`;
    this.tile.style.height = `${tile.height}px`;
    this.paint = paint;
    this.lengthMs = lengthMs;
    this.bar.max = lengthMs;
    this.bar.step = Math.min(KEY_STEP_MS, Math.max(1, Math.round(lengthMs / 100)));
    this.bar.addEventListener("input", () => seek(Number(this.bar.value)));
    this.bar.addEventListener("pointermove", (event) => this.showAt(event));
    this.bar.addEventListener("pointerleave", () => { this.preview.hidden = true; });
    this.show(0);
  }

  /** Move the thumb to a moment. A bar of a step of seconds would round it: the step is for keys only. */
  show(ms) {
    const step = this.bar.step;
    this.bar.step = "any";
    this.bar.value = ms;
    this.bar.step = step;
    const words = say("job.moment-of", { time: clock(ms), length: clock(this.lengthMs) });
    if (this.bar.ariaValueText !== words) this.bar.ariaValueText = words;
  }

  /** Show where chapters begin. */
  mark(chapters) {
    this.marks.replaceChildren(...chapters.slice(1).map(({ start_ms: start }) => {
      const mark = document.createElement("span");
      mark.style.left = `${(100 * start) / this.lengthMs}%`;
      return mark;
    }));
  }

  showAt(event) {
    const box = this.bar.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const ms = share * this.lengthMs;
    this.preview.hidden = false;
    this.tile.hidden = !this.paint(this.tile, ms);
    this.words.textContent = clock(ms);
    const half = this.preview.offsetWidth / 2;
    this.preview.style.left = `${Math.min(Math.max(share * box.width, half), box.width - half)}px`;
  }
}
