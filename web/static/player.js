// The video with its captions; or, where the browser can't play it, the picture of a window. Neither
// is there once the server's retention has removed the video.

import { say } from "./say.js";

const CAPTIONS_MS = 5000; // between two readings of captions that grow,
const CAPTIONS_MS_A_LINE = 10; // and more for long ones, which cost the server more
const JUST_INSIDE = 0.001; // seconds: past a frame's start, or before it
const MOST_PAINTINGS = 20; // of the page, until the frame of a seek is on display: a busy machine paints late
const MOST_STEPS = 40; // seeks to leave a picture that stands still

const isSame = (frame, other) => Math.abs(frame - other) <= JUST_INSIDE / 2; // seconds

/** Wait until the page has been painted so often. */
async function paintings(count) {
  for (let painted = 0; painted < count; painted += 1) await new Promise(requestAnimationFrame);
}

export class Player extends EventTarget {
  /** Tells of `moment` (where it is now), `unplayable` and `playable`. */
  constructor(place, captionsUrl) {
    super();
    this.video = place.querySelector("video");
    this.still = place.querySelector(".still");
    this.captionsUrl = captionsUrl;
    this.removed = "removed" in place.dataset;
    this.frameSeconds = Number(place.dataset.frameSeconds);
    this.lengthMs = Number(place.dataset.lengthMs);
    this.count = 0; // captions that are shown
    this.moment = 0; // ms; of the still that is shown, or where to begin
    this.shown = 0; // seconds: where it is, or where it was last sent
    this.frame = null; // seconds: time of the frame on display, where the browser tells it
    this.presented = null; // what waits for a frame while a step is made
    this.stepping = Promise.resolve();
    if (this.removed) return;
    this.image.addEventListener("error", () => { this.image.hidden = true; }); // not stored
    this.video.addEventListener("error", () => this.showStills());
    this.video.addEventListener("loadedmetadata", () => {
      if (!this.video.videoWidth) this.showStills();
      else if (this.moment) this.video.currentTime = this.moment / 1000 + JUST_INSIDE;
    });
    for (const name of ["timeupdate", "seeking"]) this.video.addEventListener(name, () => this.tell(this.video.currentTime));
    // After a person's seek the frame that was is no place to step from.
    this.video.addEventListener("seeking", () => { if (!this.presented) this.frame = null; });
    this.watchFrames();
    if (this.video.hidden || this.video.error) this.showStills(); // it may have given up before this script ran
  }

  get image() {
    return this.still.querySelector("img");
  }

  get plays() {
    return !this.video.hidden;
  }

  get moving() {
    return this.plays && !this.video.paused;
  }

  get timeMs() {
    return this.plays ? this.shown * 1000 : this.moment;
  }

  /** Hear of every frame as it is presented, where the browser tells. */
  watchFrames() {
    if (!this.video.requestVideoFrameCallback) return;
    const hear = (_, frame) => {
      this.frame = frame.mediaTime;
      this.presented?.(frame.mediaTime);
      this.tell(frame.mediaTime);
      this.video.requestVideoFrameCallback(hear);
    };
    this.video.requestVideoFrameCallback(hear);
  }

  tell(seconds) {
    if (!this.plays) return;
    this.shown = seconds;
    this.dispatchEvent(new Event("moment"));
  }

  showStills() {
    this.video.hidden = true;
    this.still.hidden = false;
    this.dispatchEvent(new Event("unplayable"));
  }

  /** Play this file from where the stills are. */
  play(url) {
    this.video.hidden = false;
    this.still.hidden = true;
    this.video.src = url;
    this.video.load();
    this.wantCaptions(this.wanted ?? 0);
    this.dispatchEvent(new Event("playable"));
  }

  /** Go to a moment; `segment` is the one it lies in, for its picture. */
  seek(ms, segment) {
    this.moment = Math.min(Math.max(ms, 0), this.lengthMs);
    this.shown = this.moment / 1000; // the next key counts from here, though the frame is still to come
    if (this.plays) this.video.currentTime = this.shown + JUST_INSIDE;
    else if (segment) this.showStill(segment);
    this.dispatchEvent(new Event("moment"));
  }

  toggle() {
    if (!this.plays) return;
    if (this.video.paused) this.video.play().catch(() => {}); // a pause may come before it has begun
    else this.video.pause();
  }

  /** Show the next frame, or the one before; one step after the other. */
  step(direction) {
    this.stepping = this.stepping.then(() => this.stepNow(direction));
    return this.stepping;
  }

  async stepNow(direction) {
    if (!this.plays || !this.video.videoWidth) return;
    this.video.pause();
    const before = this.frame ?? this.video.currentTime;
    let target = direction > 0 ? before + this.frameSeconds + JUST_INSIDE : before - JUST_INSIDE;
    for (let tries = 0; tries < MOST_STEPS && target >= 0 && target < this.video.duration; tries += 1) {
      await this.leave(before, target);
      if (!isSame(this.frame ?? target, before)) return;
      target += direction * this.frameSeconds; // a picture that stands for longer than most
    }
  }

  /** Seek from the frame of one moment to that of another; wait until it is on display, or is the same one. */
  async leave(before, target) {
    const seeked = new Promise((done) => { this.video.addEventListener("seeked", done, { once: true }); });
    const presented = new Promise((done) => {
      // The frame of a seek before this one may be presented only now.
      this.presented = (seconds) => { if (!isSame(seconds, before)) done(); };
    });
    this.video.currentTime = target;
    await seeked;
    if (this.video.requestVideoFrameCallback) await Promise.race([presented, paintings(MOST_PAINTINGS)]);
    this.presented = null;
  }

  showStill(segment) {
    this.moment = Math.max(this.moment, segment.start_ms);
    if (!segment.still) return;
    this.image.src = segment.still;
    this.image.hidden = false;
  }

  get hasStill() {
    return Boolean(this.image.src);
  }

  toggleCaptions() {
    const track = this.video.querySelector("track")?.track;
    if (track) track.mode = track.mode === "showing" ? "hidden" : "showing";
  }

  /** Read the captions again when there are more segments than they hold, every few seconds at most. */
  wantCaptions(count) {
    this.wanted = count;
    if (!this.plays || this.captionsTimer || count === this.count) return;
    this.captionsTimer = setTimeout(() => {
      this.captionsTimer = undefined;
      this.count = this.wanted;
      this.replaceTrack();
    }, this.count === 0 ? 0 : CAPTIONS_MS + CAPTIONS_MS_A_LINE * count);
  }

  replaceTrack() {
    const old = this.video.querySelector("track");
    const track = document.createElement("track");
    const mode = old?.track.mode ?? "showing";
    Object.assign(track, { kind: "captions", label: say("job.captions"), srclang: "en" });
    track.src = `${this.captionsUrl}?inline=1&n=${this.count}`;
    this.video.append(track);
    track.track.mode = mode;
    old?.remove();
  }
}
