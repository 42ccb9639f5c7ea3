// Many jobs at once: choosing them, one thing done to all, failures in groups, one ZIP.

import { batch, listIds } from "./api.js";
import { confirmDelete, tell } from "./actions.js";
import { say } from "./say.js";
import { Selection } from "./selection.js";

const AT_ONCE = 100; // jobs of one request, so that the page can say how far it is
const TOLD = ["done", "failed", "running", "queued", "paused", "cancelled"];

const find = (id) => document.getElementById(id);

export class Batch {
  /** `hear` has changed(), after jobs were changed, and state(), the filter of the list. */
  constructor(list, hear) {
    this.hear = hear;
    this.bar = find("batch");
    this.shown = [];
    this.total = 0; // jobs that the filter lets through
    this.selection = new Selection(list, { changed: () => this.showChosen() });
    find("choose-page").addEventListener("click", (event) => {
      if (event.target.checked) this.selection.choose(this.shown);
      else for (const id of this.shown) this.selection.forget(id);
    });
    find("choose-all").addEventListener("click", () => this.attempt(async () => {
      this.selection.choose((await listIds({ state: hear.state() })).ids);
    }));
    find("batch-clear").addEventListener("click", () => this.selection.clear());
    this.bar.addEventListener("click", (event) => {
      const verb = event.target.dataset.verb;
      if (verb) this.attempt(() => this.act(verb));
    });
    this.bar.addEventListener("formdata", (event) => {
      for (const id of this.selection.ids) event.formData.append("id", id);
    });
    find("failures").addEventListener("click", (event) => {
      const { failure } = event.target.dataset;
      if (failure) this.attempt(() => this.retryAll(failure));
    });
  }

  /** Tell of the list as it is now. */
  show(jobs, counts, failures) {
    this.shown = jobs.map((job) => job.id);
    const state = this.hear.state();
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    this.total = state ? counts[state] : all;
    const told = TOLD.filter((name) => counts[name]).map((name) => say("list.count", { count: counts[name], state: say(`state.${name}`) }));
    find("totals").textContent = all > 1 ? say("list.totals", { count: all, states: told.join(", ") }) : "";
    this.showFailures(failures);
    this.selection.show();
  }

  showFailures(failures) {
    const look = JSON.stringify(failures);
    const place = find("failures");
    place.hidden = Object.keys(failures).length === 0;
    if (place.dataset.look === look) return;
    place.dataset.look = look;
    place.replaceChildren(...Object.entries(failures).map(([kind, count]) => {
      const item = document.createElement("li");
      const chip = document.createElement("span");
      chip.className = "chip failed";
      chip.textContent = kind;
      chip.translate = false;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.dataset.failure = kind;
      button.textContent = say("batch.retry-all", { count });
      button.ariaLabel = `${button.textContent}: ${kind}`;
      item.append(chip, say("batch.failed", { count }), button);
      return item;
    }));
  }

  showChosen() {
    const { ids } = this.selection;
    const here = this.shown.filter((id) => ids.has(id)).length;
    const box = find("choose-page");
    box.checked = here > 0 && here === this.shown.length;
    box.indeterminate = here > 0 && !box.checked;
    find("choosing").hidden = this.shown.length < 2 && ids.size === 0;
    const all = find("choose-all");
    all.hidden = !(box.checked && this.total > ids.size);
    all.textContent = say("batch.choose-all", { count: this.total });
    this.bar.hidden = ids.size === 0;
    find("batch-count").textContent = say("batch.chosen", { count: ids.size });
  }

  async act(verb) {
    const ids = [...this.selection.ids];
    if (verb === "delete" && !(await confirmDelete({ filename: say("batch.these", { count: ids.length }) }))) return;
    const sum = { done: 0, errors: [] };
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      if (at) find("batch-count").textContent = say("batch.at", { at, count: ids.length });
      note(sum, await batch({ action: verb, ids: ids.slice(at, at + AT_ONCE) }));
    }
    if (verb === "delete") for (const id of ids) this.selection.forget(id);
    this.conclude(verb, sum);
  }

  async retryAll(failure) {
    const sum = { done: 0, errors: [] };
    for (let left = 1; left > 0;) {
      const answer = await batch({ action: "retry", failure });
      note(sum, answer);
      left = answer.done ? answer.left : 0;
    }
    this.conclude("retry", sum);
  }

  conclude(verb, { done, errors }) {
    const words = [say(`batch.done-${verb}`, { count: done })];
    if (errors.length) words.push(say("batch.refused", { count: errors.length, error: errors[0].message }));
    tell(words.join(", "));
    this.hear.changed();
  }

  async attempt(work) {
    const pressed = document.activeElement;
    this.bar.inert = true;
    try {
      await work();
    } catch (error) {
      tell(error.message);
      this.hear.changed();
    }
    this.bar.inert = false;
    this.showChosen();
    if (!this.bar.contains(pressed)) return;
    (this.bar.hidden ? document.querySelector("#upload input[type=file]") : pressed).focus();
  }
}

function note(sum, answer) {
  sum.done += answer.done;
  sum.errors.push(...answer.outcomes.map((outcome) => outcome.error).filter(Boolean));
}
