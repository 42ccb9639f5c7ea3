// The menu of files to save: its choices go into every address; what takes time is asked for and waited for,
// and what a job doesn't have is not offered.

import { forgetRender, getExports, getRender, wantRender } from "./api.js";
import { percent, say } from "./say.js";

const LOOK_MS = 1000;

/** Take over the menu, which has been opened; return a function that is to be told of the job whenever it has changed. */
export function watchExports(menu, job) {
  const links = [...menu.querySelectorAll("a[data-format]")];
  let addresses = Object.fromEntries(links.map((link) => [link.dataset.format, link.getAttribute("href")])); // of what there is
  const choices = menu.querySelector(".choices");
  const renders = [...menu.querySelectorAll("[data-render]")].map((item) => new Render(item, menu.dataset.job, query));

  function query(names) {
    const chosen = new FormData(choices);
    const pairs = names.map((name) => [name, chosen.get(name)]).filter(([, value]) => value);
    return new URLSearchParams(pairs).toString();
  }

  function offer() {
    for (const link of links) {
      const address = addresses[link.dataset.format];
      if (address) link.href = `${address}?${query(["text", "cues"])}`;
      else link.removeAttribute("href");
      link.ariaDisabled = address ? null : "true";
      const missing = link.closest("li").querySelector(".missing");
      if (missing) missing.hidden = Boolean(address);
    }
  }

  function apply() {
    offer();
    if (menu.open) for (const render of renders) render.look();
    else for (const render of renders) render.rest();
  }

  async function open() {
    if (menu.open && !menu.dataset.asked) await showOffer(menu);
    apply();
  }

  choices.addEventListener("change", apply);
  choices.addEventListener("submit", (event) => event.preventDefault());
  menu.addEventListener("toggle", open);
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  const tell = (news) => {
    addresses = news.links.exports;
    offer();
  };
  if (job) tell(job);
  open();
  return tell;
}

/** Learn which voices there are; without any the spoken formats say why. */
async function showOffer(menu) {
  let offer;
  try {
    offer = await getExports();
  } catch {
    return; // asked again when the menu is opened again
  }
  menu.dataset.asked = "yes";
  const voice = menu.querySelector(".voice");
  voice.hidden = offer.voices.length === 0;
  for (const { language, name } of offer.voices) {
    voice.querySelector("select").append(new Option(`${name} (${language})`, language, false, language === offer.default_voice));
  }
  for (const button of menu.querySelectorAll("[data-speaks]")) {
    if (offer.no_speech === null) continue;
    button.disabled = true;
    button.dataset.missing = "yes";
    button.closest("li").querySelector(".quiet").textContent = offer.no_speech;
  }
}

/** One file that takes time. */
class Render {
  constructor(item, jobId, query) {
    this.item = item;
    this.start = item.querySelector("button");
    this.place = item.querySelector(".making");
    this.bar = item.querySelector("progress");
    this.words = item.querySelector(".words");
    this.link = item.querySelector("a");
    this.cancel = item.querySelector(".cancel");
    this.address = () => `/api/jobs/${jobId}/renders/${item.dataset.render}?${query(this.start.dataset.choices.split(" "))}`;
    this.waitsFor = null; // the address of what was asked for here
    this.start.addEventListener("click", () => {
      this.waitsFor = this.address();
      this.ask(wantRender);
    });
    this.cancel.addEventListener("click", () => {
      this.waitsFor = null;
      this.ask(async (address) => {
        await forgetRender(address);
        return getRender(address);
      });
    });
  }

  look() {
    if (!this.start.dataset.missing) this.ask(getRender);
  }

  rest() {
    clearTimeout(this.timer);
  }

  async ask(request) {
    clearTimeout(this.timer);
    const address = this.address();
    let making;
    try {
      making = await request(address);
    } catch (error) {
      making = { state: "failed", progress: 0, message: error.message, notes: [], url: null };
    }
    if (address !== this.address()) return; // something else is chosen by now
    // The server was restarted while it was being made: ask for it again.
    if (making.state === "none" && this.waitsFor === address && request === getRender) return this.ask(wantRender);
    this.show(making);
  }

  show({ state, progress, message, notes, url }) {
    const isUnderWay = state === "waiting" || state === "making";
    this.item.dataset.state = state;
    this.place.hidden = state === "none";
    this.start.disabled = isUnderWay || state === "ready";
    this.bar.hidden = this.cancel.hidden = !isUnderWay;
    if (state === "waiting") this.bar.removeAttribute("value");
    else this.bar.value = progress;
    this.link.hidden = state !== "ready";
    if (url) this.link.href = url;
    this.words.textContent = {
      waiting: say("exports.waiting"),
      making: say("exports.being-made"),
      ready: notes.join(" "),
      failed: message,
    }[state] ?? "";
    this.bar.setAttribute("aria-valuetext", percent(progress));
    if (isUnderWay) this.timer = setTimeout(() => this.ask(getRender), LOOK_MS);
  }
}
