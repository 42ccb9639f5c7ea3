// What is said in the video: under the comment of the window in which most of each utterance lies.

import { attempt } from "./actions.js";
import { Announcer } from "./announcing.js";
import { dropTranscript, getTranscript, wantTranscript } from "./api.js";
import { isolated, say } from "./say.js";

const OVER = ["ready", "failed"];

export class Speech {
  /** `hear` has show(utterances), and changed(), for which the job is looked at again. */
  constructor(place, jobId, hear) {
    this.place = place;
    this.id = jobId;
    this.hear = hear;
    this.look = ""; // what is shown
    this.announcer = new Announcer();
    this.find = (selector) => place.querySelector(selector);
    this.find(".want").addEventListener("click", () => this.ask(wantTranscript));
    this.find(".forget").addEventListener("click", () => this.ask(dropTranscript));
  }

  ask(wish) {
    return attempt(async () => {
      await wish(this.id);
      this.hear.changed();
    });
  }

  /** Tell how far the transcript of a job is; read it as it grows. */
  async tell(job) {
    const addition = job.additions.find(({ kind }) => kind === "transcript");
    const look = JSON.stringify([job.state, addition]);
    if (look === this.look || !job.video.has_audio) return;
    this.look = look;
    const isRead = await attempt(async () => {
      const answer = await getTranscript(this.id);
      if (look === this.look) this.show(job, answer); // else newer news have been told meanwhile
    });
    if (!isRead && look === this.look) this.look = ""; // read again with the next news
  }

  show(job, answer) {
    const isOver = OVER.includes(answer.state);
    const held = this.place.contains(document.activeElement);
    this.find(".state").textContent = words(answer);
    this.announcer.tell(answer.state === "making" ? say("speech.being-made") : words(answer), share(answer));
    this.find(".state").classList.toggle("bad", answer.state === "failed");
    this.find(".want").hidden = !(answer.offered && job.state === "done" && (answer.state === "none" || isOver));
    this.find(".want").textContent = answer.state === "none" ? say("speech.want") : say("speech.again");
    this.find(".forget").hidden = answer.state === "none";
    this.find(".forget").textContent = isOver ? say("speech.remove") : say("speech.cancel");
    const lost = document.activeElement.hidden || !this.place.contains(document.activeElement);
    if (held && lost) this.find("button:not([hidden])")?.focus();
    this.place.hidden = answer.state === "none" && this.find(".want").hidden;
    this.hear.show(answer.utterances);
  }
}

const share = ({ steps_done: done, steps_total: total }) => (total ? done / total : 0);

function words({ state, failure, steps_done: done, steps_total: total, utterances }) {
  if (state === "failed") return say("speech.failed", { error: isolated(failure.message) });
  if (state === "waiting") return say("speech.waiting"); // it comes first: its job has stopped
  if (state === "making") return say("speech.pieces", { done, count: total });
  if (state !== "ready") return "";
  const languages = [...new Set(utterances.map(({ language }) => language).filter(Boolean))].join(", ");
  if (!utterances.length) return say("speech.nothing");
  return languages ? say("speech.ready-in", { languages }) : say("speech.ready");
}
