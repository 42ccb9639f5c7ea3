// Charts in the page's own colours, drawn by uPlot. Whoever draws one shows the same numbers in a table.

import { say } from "./say.js";

const SOURCE = new URL("vendor/uplot/uPlot.iife.min.js", import.meta.url);
const HEIGHT = 170; // pixels

const probe = document.createElement("span"); // whose colour the browser works out for the canvas
probe.hidden = true;
document.body.append(probe);

function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

let loading;

/** Fetch the library, once; what can be read without charts doesn't wait for it. */
export function loadCharts() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = SOURCE;
    script.addEventListener("load", done);
    script.addEventListener("error", () => {
      loading = undefined; // the next one tries again
      failed(new Error(say("error.charts")));
    });
    document.head.append(script);
  });
  return loading;
}

const WHOLE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800];
const drawn = new Set();

function redrawAll() {
  for (const chart of drawn) chart.redraw(true); // its paths keep their colours
}

new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);

function axis(values, scale, side) {
  return {
    scale,
    side,
    stroke: () => colour("quiet"),
    grid: { show: scale !== "right", stroke: () => colour("line"), width: 1 },
    ticks: { stroke: () => colour("line"), width: 1 },
    font: "12px system-ui, sans-serif",
    size: side === 2 ? 28 : 76,
    ...(side === 2 && { incrs: WHOLE }),
    values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : values(tick))),
  };
}

function make(place, options, data) {
  const chart = new uPlot({
    width: Math.max(place.clientWidth, 200),
    height: HEIGHT,
    legend: { show: false },
    padding: [10, 4, 0, 0],
    ...options,
  }, data, place);
  drawn.add(chart);
  new ResizeObserver(() => {
    if (place.clientWidth) chart.setSize({ width: place.clientWidth, height: HEIGHT });
  }).observe(place);
  return chart;
}

/**
 * Draw bars of stacked parts, once the library is loaded. `parts` names the colours, lowest first; `hear` has read(place in the
 * data, or null) and choose(place in the data).
 */
export function stackedBars(place, parts, { x, y }, hear) {
  const chart = make(place, {
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, high || 1] } },
    axes: [axis(x, "x", 2), axis(y, "y", 3)],
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    series: [{}, ...parts.toReversed().map((part) => ({
      paths: uPlot.paths.bars({ size: [0.85, 60], gap: 0 }),
      fill: () => colour(part),
      width: 0,
      points: { show: false },
    }))],
    hooks: {
      setCursor: [(self) => hear.read(self.cursor.idx ?? null)],
      draw: [(self) => drawMark(self)],
    },
  }, [[], ...parts.map(() => [])]);
  chart.over.addEventListener("click", () => { if (chart.cursor.idx !== null) hear.choose(chart.cursor.idx); });
  return {
    /** Show `places` (x) and for each part its list of values; values above `top` are cut off. */
    show(places, values, top, range) {
      const sums = [];
      const heights = values.map((list) => {
        list.forEach((value, index) => { sums[index] = (sums[index] ?? 0) + value; });
        return sums.map((sum) => Math.min(sum, top));
      });
      chart.batch(() => {
        chart.setData([places, ...heights.toReversed()], false);
        chart.setScale("x", { min: range[0], max: range[1] });
        chart.setScale("y", { min: 0, max: top });
      });
    },
    /** Mark a place with a line; null: none. */
    mark(at) {
      if (chart.marked === at) return;
      chart.marked = at;
      chart.redraw(false);
    },
  };
}

function drawMark(chart) {
  if (chart.marked === undefined || chart.marked === null) return;
  const { ctx, bbox } = chart;
  const at = Math.round(chart.valToPos(chart.marked, "x", true));
  ctx.save();
  ctx.fillStyle = colour("ink");
  ctx.fillRect(at - 1, bbox.top, Math.max(2, devicePixelRatio * 1.5), bbox.height);
  ctx.restore();
}

/** Draw lines, once the library is loaded. `lines` is a list of { colour, words, right }; `right`: measured at the right axis. */
export function lineChart(place, lines, { x, left, right }, hear) {
  const scale = { range: (_, low, high) => [0, high ? high * 1.1 : 1] };
  const chart = make(place, {
    scales: { x: { time: false }, y: scale, ...(right && { right: scale }) },
    axes: [axis(x, "x", 2), axis(left, "y", 3), ...(right ? [axis(right, "right", 1)] : [])],
    cursor: { drag: { x: false, y: false }, y: false },
    series: [{}, ...lines.map((line) => ({
      scale: line.right ? "right" : "y",
      stroke: () => colour(line.colour),
      width: 2,
      dash: line.dash,
      points: { show: (self) => self.data[0].length < 3, size: 7, fill: () => colour(line.colour) }, // no line yet
      spanGaps: false,
    }))],
    hooks: { setCursor: [(self) => hear.read(self.cursor.idx ?? null)] },
  }, [[], ...lines.map(() => [])]);
  return { show: (data) => chart.setData(data) };
}
