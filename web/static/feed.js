// What is said of a job, as it happens: server-sent events, and polling where they can't be had.

import { getJob, getSegments } from "./api.js";

const POLL_MS = 2000;
const STREAM_AGAIN_MS = 30_000;
const FIRST_SEGMENTS = 50; // what fills a screen is there at once
const SEGMENTS_AT_ONCE = 200; // so that no page of them takes long to show
const ENDED = ["done", "failed", "cancelled"];

/** Follow a job until it ends. `hear` has segments(list), writing(list), job(job), gone() and trouble(error or null). */
export class Feed {
  constructor(jobId, hear) {
    this.id = jobId;
    this.hear = hear;
    this.since = 0;
    this.turn = 0; // work begun in an older turn is void
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.start()));
  }

  stop() {
    this.turn += 1;
    this.stream?.close();
    clearTimeout(this.timer);
  }

  /** Read all there is, then listen; also after a retry or a return to the page. */
  async start() {
    this.stop();
    const turn = this.turn;
    const job = await this.read(turn);
    if (turn !== this.turn || (job && ENDED.includes(job.state))) return;
    if (job) this.listen();
    else this.timer = setTimeout(() => this.start(), POLL_MS);
  }

  /** Return the job once all its stored segments were handed on; null if that failed. */
  async read(turn) {
    try {
      const job = await getJob(this.id); // before its segments: an ended job gets no more of them
      for (let more = true; more;) {
        const { segments, writing, next } = await getSegments(this.id, this.since, this.since ? SEGMENTS_AT_ONCE : FIRST_SEGMENTS);
        if (turn !== this.turn) return null;
        this.hear.segments(segments);
        this.hear.writing(writing);
        more = segments.length > 0 && next === segments.at(-1).index + 1 && next < job.windows_total;
        this.since = next;
      }
      this.hear.job(job);
      this.hear.trouble(null);
      return job;
    } catch (error) {
      if (turn !== this.turn) return null;
      if (error.kind === "not-found") this.end();
      else this.hear.trouble(error);
      return null;
    }
  }

  listen() {
    const stream = new EventSource(`/api/jobs/${this.id}/events?since=${this.since}`);
    this.stream = stream;
    stream.addEventListener("open", () => this.hear.trouble(null));
    stream.addEventListener("segments", (event) => {
      this.since = Number(event.lastEventId);
      this.hear.segments(JSON.parse(event.data).segments);
    });
    stream.addEventListener("writing", (event) => this.hear.writing(JSON.parse(event.data).writing));
    stream.addEventListener("job", (event) => {
      const job = JSON.parse(event.data);
      this.hear.job(job);
      if (ENDED.includes(job.state)) this.stop();
    });
    stream.addEventListener("deleted", () => this.end());
    stream.addEventListener("error", () => {
      if (stream.readyState === EventSource.CLOSED) this.poll(Date.now() + STREAM_AGAIN_MS);
    });
  }

  /** Ask again and again; try the stream anew after a while. */
  async poll(until) {
    this.stop();
    const turn = this.turn;
    const job = await this.read(turn);
    if (turn !== this.turn || (job && ENDED.includes(job.state))) return;
    this.timer = setTimeout(() => (Date.now() < until ? this.poll(until) : this.start()), POLL_MS);
  }

  end() {
    this.stop();
    this.hear.gone();
  }
}
