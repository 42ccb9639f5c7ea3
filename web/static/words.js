// Times, sizes and rates as people read them.

import { number, say } from "./say.js";

/** 83000 → "1:23"; an hour and more → "1:00:00". */
export function clock(ms) {
  const all = Math.floor(ms / 1000);
  const seconds = String(all % 60).padStart(2, "0");
  const minutes = Math.floor(all / 60) % 60;
  const hours = Math.floor(all / 3600);
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${seconds}` : `${minutes}:${seconds}`;
}

/** 40 → "40 ms", 1234 → "1.23 s". */
export function duration(ms) {
  if (ms < 1000) return say("unit.ms", { value: number(ms, ms < 9.95 ? 1 : 0) });
  return ms < 100_000 ? say("unit.s", { value: number(ms / 1000, ms < 9995 ? 2 : 1) }) : clock(ms);
}

const STEPS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];

/** 125000 → "2 min". */
export function roughly(ms) {
  const [size, unit] = STEPS.find(([step]) => ms >= step) ?? [1000, "s"];
  return say(`unit.${unit}`, { value: Math.max(1, Math.round(ms / size)) });
}

export const ago = (ms) => (Date.now() - ms < 5000 ? say("time.now") : say("time.ago", { time: roughly(Date.now() - ms) }));

/** 1572864 → "1.5 MB". */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return say(`unit.${units[unit]}`, { value: number(value, value < 9.95 && unit ? 1 : 0) });
}

/** 1.53 → "1.5× real time". */
export const speed = (realtime) => say("job.realtime", { value: number(realtime, realtime < 99.95 ? 1 : 0) });

/** What a person wants to know while a job goes on. */
export function progressWords(job) {
  const words = [say("job.windows", { done: job.windows_done, count: job.windows_total })];
  if (job.eta_ms !== null) words.push(say("time.left", { time: roughly(job.eta_ms) }));
  if (job.realtime !== null) words.push(speed(job.realtime));
  return words;
}
