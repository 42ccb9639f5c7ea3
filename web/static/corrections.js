// Correcting a line of the commentary where it stands. The original stays; whoever was faster is shown, not overwritten.

import { correct } from "./api.js";
import { tell } from "./actions.js";
import { locale, say } from "./say.js";

const NAME = "reelnotes-name"; // of whoever corrects, kept in this browser

/** Open an editor in a line. `saved(segment)` is called with what is stored then, also if another has stored it. */
export function editLine(jobId, segment, item, saved) {
  if (item.querySelector("form")) return;
  const line = item.querySelector(".line");
  const form = document.getElementById("correction").content.firstElementChild.cloneNode(true);
  const { text, by } = form.elements;
  text.value = segment.text;
  by.value = remembered();
  showOriginal(form, segment);
  line.hidden = true;
  item.append(form);
  text.focus();
  fit(text);

  const close = () => {
    form.remove();
    line.hidden = false;
    line.focus();
  };
  const save = async (wish) => {
    form.inert = true;
    remember(by.value);
    try {
      saved(await correct(jobId, segment.index, { text: wish, revision: segment.revision, by: by.value }));
      close();
    } catch (error) {
      form.inert = false;
      if (error.segment) showConflict(form, error);
      else {
        tell(error.message);
        text.focus();
      }
    }
  };
  const showConflict = (place, error) => {
    segment = error.segment;
    saved(segment);
    place.querySelector(".conflict").hidden = false;
    place.querySelector(".conflict .sentence").textContent = error.message;
    place.querySelector(".conflict .theirs").textContent = segment.text || say("correction.nothing");
    showOriginal(place, segment);
    text.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(text.value);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && event.target === text && !event.shiftKey && !event.isComposing) form.requestSubmit();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  text.addEventListener("input", () => fit(text));
  form.querySelector(".keep").addEventListener("click", close);
  form.querySelector(".undo").addEventListener("click", () => save(null));
}

function showOriginal(form, segment) {
  const isCorrected = segment.corrected_ms !== null;
  form.querySelector(".undo").hidden = !isCorrected;
  form.querySelector(".original").hidden = !isCorrected;
  form.querySelector(".original bdi").textContent = segment.original_text || say("correction.nothing");
}

/** Say beneath a line where its words come from, if not from this job's commentator. */
export function origin(segment) {
  const words = [];
  if (segment.corrected_ms !== null) {
    const when = { date: new Date(segment.corrected_ms).toLocaleDateString(locale), name: segment.corrected_by };
    words.push(segment.corrected_by ? say("segment.corrected-by", when) : say("segment.corrected-on", when));
  }
  if (segment.taken_from !== null) words.push(say("segment.taken"));
  return words.join(" · ");
}

function fit(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

function remembered() {
  try {
    return localStorage.getItem(NAME) ?? "";
  } catch { // a browser that keeps nothing
    return "";
  }
}

function remember(name) {
  try {
    localStorage.setItem(NAME, name);
  } catch { // asked again next time
  }
}
