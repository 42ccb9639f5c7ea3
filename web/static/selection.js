// Choosing many of a list: boxes, a stretch with Shift, all with Ctrl-A, none with Escape.

export class Selection {
  /** The boxes lie in `list`, each with its id as value. `hear` has changed(). */
  constructor(list, hear) {
    this.list = list;
    this.hear = hear;
    this.ids = new Set(); // also of what is not in the list just now
    this.last = null; // the box from which Shift reaches
    list.addEventListener("click", (event) => {
      const box = event.target.closest("input[type=checkbox]");
      if (box) this.toggle(box, event.shiftKey);
    });
    list.addEventListener("keydown", (event) => this.key(event));
  }

  get boxes() {
    return [...this.list.querySelectorAll("input[type=checkbox]")];
  }

  toggle(box, reaches) {
    const boxes = this.boxes;
    const from = boxes.indexOf(this.last);
    const to = boxes.indexOf(box);
    const stretch = reaches && from !== -1 ? boxes.slice(Math.min(from, to), Math.max(from, to) + 1) : [box];
    for (const one of stretch) {
      if (box.checked) this.ids.add(one.value);
      else this.ids.delete(one.value);
    }
    this.last = box;
    this.show();
  }

  key(event) {
    if (!event.target.matches("input[type=checkbox]")) return;
    const boxes = this.boxes;
    const at = boxes.indexOf(event.target);
    const next = boxes[{ ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: boxes.length - 1 }[event.key]];
    if (next) {
      next.focus();
      if (event.shiftKey && event.key.startsWith("Arrow")) {
        next.checked = event.target.checked;
        this.toggle(next, false);
      }
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.choose(boxes.map((box) => box.value));
    else if (event.key === "Escape" && this.ids.size) this.clear();
    else return;
    event.preventDefault();
  }

  choose(ids) {
    for (const id of ids) this.ids.add(id);
    this.show();
  }

  clear() {
    this.ids.clear();
    this.show();
  }

  forget(id) {
    if (this.ids.delete(id)) this.show();
  }

  /** Check the boxes of what is chosen; call it after the list has changed, too. */
  show() {
    for (const box of this.boxes) box.checked = this.ids.has(box.value);
    this.hear.changed();
  }
}
