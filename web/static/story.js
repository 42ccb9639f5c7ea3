// The summary of a video and its chapters: below player and commentary, and as marks on the seek bar.

import { attempt } from "./actions.js";
import { Announcer } from "./announcing.js";
import { dropSummary, getSummary, wantSummary } from "./api.js";
import { isolated, say } from "./say.js";
import { clock, duration } from "./words.js";

const OVER = ["ready", "failed"];
const STOPPED = ["paused", "failed", "cancelled"]; // states of a job

export class Story {
  /** `hear` has seek(ms), mark(chapters) and changed(), for which the job is looked at again. */
  constructor(place, jobId, hear) {
    this.place = place;
    this.id = jobId;
    this.hear = hear;
    this.chapters = [];
    this.momentMs = 0;
    this.look = ""; // what is shown
    this.announcer = new Announcer(say("story.summary"));
    this.find = (selector) => place.querySelector(selector);
    this.find(".want").addEventListener("click", () => this.ask(wantSummary));
    this.find(".forget").addEventListener("click", () => this.ask(dropSummary));
  }

  ask(wish) {
    return attempt(async () => {
      await wish(this.id);
      this.hear.changed();
    });
  }

  /** Tell how far the summary of a job is; read it once it is ready. */
  async tell(job) {
    const addition = job.additions.find(({ kind }) => kind === "summary");
    const look = JSON.stringify([job.state, addition]);
    if (look === this.look) return;
    this.look = look;
    const isRead = await attempt(async () => {
      const answer = OVER.includes(addition?.state) ? await getSummary(this.id) : null;
      if (look === this.look) this.show(job, answer, addition); // else newer news have been told meanwhile
    });
    if (!isRead && look === this.look) this.look = ""; // read again with the next news
  }

  /** Look again: comments may have been corrected since. */
  lookAgain() {
    return attempt(async () => {
      const answer = await getSummary(this.id);
      if (answer.summary) this.find(".outdated").hidden = !answer.outdated;
    });
  }

  show(job, answer, addition) {
    const state = addition?.state ?? "none";
    const summary = answer?.summary ?? null;
    this.place.hidden = state === "none" && job.state !== "done";
    const held = this.place.contains(document.activeElement);
    this.find(".state").textContent = words(state, job, addition, summary);
    this.announcer.tell(state === "making" ? say("story.being-made") : this.find(".state").textContent, share(addition));
    this.find(".state").classList.toggle("bad", state === "failed");
    this.find(".outdated").hidden = !answer?.outdated;
    this.find(".want").hidden = !(job.state === "done" && ["none", ...OVER].includes(state));
    this.find(".want").textContent = state === "none" ? say("story.want") : say("story.again");
    this.find(".forget").hidden = state === "none";
    this.find(".forget").textContent = OVER.includes(state) ? say("story.remove") : say("story.cancel");
    const lost = document.activeElement.hidden || !this.place.contains(document.activeElement);
    if (held && lost) this.find("button:not([hidden])")?.focus();
    this.find(".title").textContent = summary?.title ?? "";
    this.find(".text").textContent = summary?.text ?? "";
    this.find(".effort").textContent = answer ? effort(answer) : "";
    for (const part of this.place.querySelectorAll(".made")) part.hidden = summary === null;
    this.chapters = summary?.chapters ?? [];
    this.find(".chapters").replaceChildren(...this.chapters.map((chapter, number) => this.line(chapter, number)));
    this.hear.mark(this.chapters);
    this.highlight(this.momentMs);
  }

  line(chapter, number) {
    const item = document.getElementById("chapter").content.firstElementChild.cloneNode(true);
    item.querySelector(".time").textContent = clock(chapter.start_ms);
    item.querySelector(".name").textContent = chapter.title || say("story.chapter", { number: number + 1 });
    const button = item.querySelector("button");
    button.title = chapter.text;
    button.addEventListener("click", () => this.hear.seek(chapter.start_ms));
    return item;
  }

  /** Mark the chapter in which a moment lies. */
  highlight(ms) {
    this.momentMs = ms;
    const items = this.find(".chapters").children;
    this.chapters.forEach(({ start_ms: start, end_ms: end }, number) => {
      if (start <= ms && ms < end) items[number].setAttribute("aria-current", "true");
      else items[number].removeAttribute("aria-current");
    });
  }
}

const share = (addition) => (addition?.steps_total ? addition.steps_done / addition.steps_total : 0);

function words(state, job, addition, summary) {
  if (state === "failed") return say("story.failed", { error: isolated(addition.failure.message) });
  if (state === "waiting") return say(STOPPED.includes(job.state) ? "story.stopped" : "story.waiting");
  if (state === "making") return say("story.steps", { done: addition.steps_done, count: addition.steps_total });
  if (state === "ready" && summary === null) return say("story.nothing");
  return "";
}

function effort({ passages, effort: { total_ms: total, tokens_in: read, tokens_out: written } }) {
  const work = say("story.effort", { count: passages, time: duration(total) });
  return read === null ? work : say("story.effort-tokens", { work, read, written: written ?? "?" });
}
