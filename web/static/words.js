// Times, sizes and rates as people read them.

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
  if (ms < 1000) return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)} ms`;
  return ms < 100_000 ? `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s` : clock(ms);
}

const STEPS = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];

/** 125000 → "2 min". */
export function roughly(ms) {
  const [size, unit] = STEPS.find(([step]) => ms >= step) ?? [1000, "s"];
  return `${Math.max(1, Math.round(ms / size))} ${unit}`;
}

export const ago = (ms) => (Date.now() - ms < 5000 ? "just now" : `${roughly(Date.now() - ms)} ago`);

/** 1572864 → "1.5 MB". */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.95 && unit ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** What a person wants to know while a job goes on. */
export function progressWords(job) {
  const words = [`${job.windows_done} of ${job.windows_total} ${job.windows_total === 1 ? "window" : "windows"}`];
  if (job.eta_ms !== null) words.push(`about ${roughly(job.eta_ms)} left`);
  if (job.realtime !== null) words.push(`${job.realtime.toFixed(job.realtime < 99.95 ? 1 : 0)}× real time`);
  return words;
}
