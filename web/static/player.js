// The video with its captions; or, where the browser can't play it, the picture of a window.

const CAPTIONS_MS = 5000; // between two readings of captions that grow,
const CAPTIONS_MS_A_LINE = 10; // and more for long ones, which cost the server more

export class Player {
  constructor(place, captionsUrl) {
    this.video = place.querySelector("video");
    this.still = place.querySelector(".still");
    this.captionsUrl = captionsUrl;
    this.count = 0;
    this.moment = 0; // of the still that is shown
    if (!this.video) return;
    this.video.addEventListener("error", () => this.showStills());
    if (this.video.error) this.showStills(); // it gave up before this script ran
    this.video.addEventListener("loadedmetadata", () => { if (!this.video.videoWidth) this.showStills(); });
  }

  get plays() {
    return Boolean(this.video) && !this.video.hidden;
  }

  get moving() {
    return this.plays && !this.video.paused;
  }

  get timeMs() {
    return this.plays ? this.video.currentTime * 1000 : this.moment;
  }

  showStills() {
    this.video.hidden = true;
    this.video.removeAttribute("src");
    this.still.hidden = false;
    this.video.dispatchEvent(new Event("unplayable"));
  }

  /** Go to a segment: to its first moment, or to its picture. */
  seek(segment) {
    this.moment = segment.start_ms;
    if (this.plays) this.video.currentTime = segment.start_ms / 1000 + 0.001;
    else this.showStill(segment);
  }

  showStill(segment) {
    this.moment = segment.start_ms;
    const image = this.still.querySelector("img");
    image.src = segment.still;
    image.hidden = false;
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
    Object.assign(track, { kind: "captions", label: "Commentary", srclang: "en" });
    track.src = `${this.captionsUrl}?inline=1&n=${this.count}`;
    this.video.append(track);
    track.track.mode = mode;
    old?.remove();
  }
}
