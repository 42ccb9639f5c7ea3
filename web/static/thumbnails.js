// Small pictures of windows: cut from sheets of many, or, while a sheet still grows, a window's own still.

export class Thumbnails {
  /** `shape` is the API's: url, columns, rows, width, height of a thumbnail. */
  constructor(shape) {
    this.shape = shape;
    this.perSheet = shape.columns * shape.rows;
    this.stored = new Map(); // sheet: how many of its windows have a segment
    this.ended = false; // the job: no window will come
    this.windowCount = 0;
  }

  count(segments) {
    for (const { index } of segments) {
      const sheet = Math.floor(index / this.perSheet);
      this.stored.set(sheet, (this.stored.get(sheet) ?? 0) + 1);
    }
  }

  isWhole(sheet) {
    const size = Math.min(this.perSheet, this.windowCount - sheet * this.perSheet);
    return this.ended || this.stored.get(sheet) === size;
  }

  /** Show a segment's picture in `element`, `scale` times as large as a thumbnail; tell whether there is one. */
  paint(element, segment, scale = 1) {
    if (!segment.still) return false; // the video was removed
    const { url, columns, width, height } = this.shape;
    const sheet = Math.floor(segment.index / this.perSheet);
    const whole = this.isWhole(sheet);
    const look = `${segment.index} ${whole}`;
    if (element.dataset.look === look) return true;
    element.dataset.look = look;
    const style = element.style;
    if (!whole) {
      style.backgroundImage = `url("${segment.still}")`;
      style.backgroundSize = "cover";
      style.backgroundPosition = "center";
      return true;
    }
    const place = segment.index % this.perSheet;
    style.backgroundImage = `url("${url.replace("{sheet}", sheet)}?n=${this.stored.get(sheet)}")`;
    style.backgroundSize = `${columns * width * scale}px auto`;
    style.backgroundPosition = `${-(place % columns) * width * scale}px ${-Math.floor(place / columns) * height * scale}px`;
    return true;
  }
}
