// The other runs of a job's video: links to them, and to their comparison with this one.

import { listRuns } from "./api.js";
import { say } from "./say.js";
import { ago } from "./words.js";

/** Name a run so that it can be told from the others. */
export function nameOf(run) {
  const { profile } = run.parameters;
  const count = run.windows_taken && run.windows_total - run.windows_taken;
  const words = [run.commentator, profile && say(`profile.${profile}`), count && say("run.windows", { count }), ago(run.created_ms)];
  return words.filter(Boolean).join(", ");
}

export const compareAddress = (left, right) => `/compare?${new URLSearchParams({ left, right })}`;

/** Tell of a job's other runs, if there are any. */
export async function showRuns(place, jobId) {
  const { runs } = await listRuns(jobId);
  const others = runs.filter((run) => run.id !== jobId);
  if (others.length === 0) return;
  const source = runs.find((run) => run.id === jobId)?.source_id;
  const other = others.find((run) => run.id === source) ?? others[0];
  const [left, right] = [other.id, jobId];
  const link = document.createElement("a");
  link.href = compareAddress(left, right);
  link.textContent = say("run.compare", { count: others.length });
  place.querySelector(".others").replaceChildren(" · ", link);
  place.querySelector(".others").hidden = false;
}
