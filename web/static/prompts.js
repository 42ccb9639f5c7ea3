// The fields of a commentator that is asked in words: shown for such a one only, the prompt filled in
// from the profile. What a person wrote is kept for each profile.

/** Listen to the choice of commentator and profile. */
export function offerPrompts(form) {
  const { commentator, profile } = form.elements;
  commentator?.addEventListener("change", () => showFor(form, commentator.selectedOptions[0]));
  if (profile) fillFrom(profile, form.elements.system_prompt);
  leaveOut(form, (commentator?.selectedOptions[0] ?? form).dataset.unheeded);
}

function showFor(form, { dataset }) {
  for (const part of form.querySelectorAll(".prompted")) part.hidden = !("prompted" in dataset);
  for (const part of form.querySelectorAll("fieldset.prompted")) part.disabled = part.hidden;
  leaveOut(form, dataset.unheeded);
  document.getElementById("commentator-meaning").textContent = dataset.label;
  document.getElementById("max_new_tokens-meaning").textContent = dataset.counts;
}

/** Take away the fields that the commentator doesn't heed; the server refuses them. */
function leaveOut(form, unheeded) {
  const names = unheeded.split(" ");
  for (const input of form.querySelectorAll("fieldset.prompted [name]")) {
    input.disabled = names.includes(input.name);
    input.closest(".field").hidden = input.disabled;
  }
}

function fillFrom(profile, area) {
  const written = new Map();
  area.addEventListener("input", () => written.set(profile.value, area.value));
  profile.addEventListener("change", () => {
    area.defaultValue = profile.selectedOptions[0].dataset.text;
    area.value = written.get(profile.value) ?? area.defaultValue;
  });
}
