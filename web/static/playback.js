// The offer of a copy that plays, for a file that this browser can't play.

import { getPlayback, wantPlayback } from "./api.js";
import { percent as percents, say } from "./say.js";

const LOOK_MS = 1000;

/** Offer a copy in `place`; call `ready(url)` once there is one. */
export async function offerCopy(place, jobId, ready) {
  const words = place.querySelector(".words");
  const percent = place.querySelector(".percent"); // outside of what is read out, for it changes every second
  const button = place.querySelector("button");
  const bar = place.querySelector("progress");

  function show({ state, progress, message, url }) {
    place.hidden = state === "ready";
    button.hidden = !["none", "failed"].includes(state);
    bar.hidden = !["waiting", "making"].includes(state);
    if (state === "waiting") bar.removeAttribute("value");
    else bar.value = progress;
    place.dataset.state = state;
    words.textContent = state === "failed" ? say("copy.failed", { error: message }) : say(`copy.${state}`);
    percent.textContent = state === "making" && progress > 0 ? percents(progress) : "";
    if (state === "ready") ready(url);
    else if (!bar.hidden) setTimeout(() => ask(getPlayback), LOOK_MS);
  }

  async function ask(request) {
    try {
      show(await request(jobId));
    } catch (error) {
      show({ state: "failed", progress: 0, message: error.message, url: null });
    }
  }

  button.addEventListener("click", () => ask(wantPlayback));
  await ask(getPlayback);
}
