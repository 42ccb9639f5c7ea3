// What a screen reader is told of something that goes on for minutes: each new state, and every tenth of the way.

import { percent } from "./say.js";

const place = document.getElementById("announce");

export class Announcer {
  /** `name` says of what it tells, where a page shows more than one such thing. */
  constructor(name = "") {
    this.name = name && `${name}: `;
    this.state = null; // until it is told of first: a page that opens says its state by itself
    this.tenth = 0;
  }

  /** Tell of a state, in words, and the share that is done, if that is news; a state without words passes unheard. */
  tell(state, share) {
    const tenth = Math.floor(share * 10);
    const isNew = this.state !== null && state !== this.state;
    const isFurther = this.state !== null && tenth > this.tenth && tenth < 10;
    if (isNew && state) place.textContent = `${this.name}${state}`;
    else if (isFurther) place.textContent = `${this.name}${percent(tenth / 10)}`;
    this.state = state;
    this.tenth = tenth;
  }
}
