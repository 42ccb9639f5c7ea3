// Keys: each does one thing, none while somebody writes, none together with Ctrl, Alt or Meta.

const TYPES = "input:not([type=range]), textarea, select, [contenteditable]";
const PRESSES = "button, a, summary, label"; // Space and Enter are theirs

/** Heed the keys of `actions`: {key: function}. They are listed by the dialog itself. */
export function heedKeys(actions) {
  document.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    const target = event.target instanceof Element ? event.target : document.body;
    if (!action || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (target.closest(TYPES) || document.querySelector("dialog[open]")) return;
    if (event.key === " " && target.closest(PRESSES)) return;
    if (event.key.startsWith("Arrow") && target.matches("input")) return;
    event.preventDefault();
    action();
  });
}
