// The JSON API. Every error is an ApiError with the server's kind and sentence.

import { say } from "./say.js";

export class ApiError extends Error {
  constructor(kind, message, status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
    this.segment = null; // as somebody else has left it meanwhile
  }
}

export const CONNECTION_LOST = say("error.connection");

/** Read an error answer's body; a proxy's own error page has no kind or sentence of ours. */
export function errorOf(status, text) {
  if (status === 401) location.reload();
  try {
    const { error, segment } = JSON.parse(text);
    return Object.assign(new ApiError(error.kind, error.message, status), { segment });
  } catch {
    return new ApiError("internal", say("error.status", { status: String(status) }), status);
  }
}

async function ask(method, path, json) {
  const options = { method, headers: {} };
  if (json !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(json);
  }
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new ApiError("connection", CONNECTION_LOST);
  }
  if (!answer.ok) throw errorOf(answer.status, await answer.text());
  return answer.status === 204 ? null : answer.json();
}

export const listJobs = (query) => ask("GET", `/api/jobs?${new URLSearchParams(query)}`);
export const getJob = (id) => ask("GET", `/api/jobs/${id}`);
export const getSegments = (id, since, limit) => ask("GET", `/api/jobs/${id}/segments?since=${since}&limit=${limit}`);
export const getPlayback = (id) => ask("GET", `/api/jobs/${id}/playback`);
export const wantPlayback = (id) => ask("POST", `/api/jobs/${id}/playback`);
export const getExports = () => ask("GET", "/api/exports");
export const getRender = (address) => ask("GET", address);
export const wantRender = (address) => ask("POST", address);
export const forgetRender = (address) => ask("DELETE", address);
export const getActivity = () => ask("GET", "/api/activity");
export const act = (id, verb) => ask("POST", `/api/jobs/${id}/${verb}`);
export const setPriority = (id, priority) => ask("PATCH", `/api/jobs/${id}`, { priority });
export const deleteJob = (id) => ask("DELETE", `/api/jobs/${id}`);
export const correct = (id, window, wish) => ask("PUT", `/api/jobs/${id}/segments/${window}/text`, wish);
export const getSummary = (id) => ask("GET", `/api/jobs/${id}/summary`);
export const wantSummary = (id) => ask("POST", `/api/jobs/${id}/summary`);
export const dropSummary = (id) => ask("DELETE", `/api/jobs/${id}/summary`);
export const getTranscript = (id) => ask("GET", `/api/jobs/${id}/transcript`);
export const wantTranscript = (id) => ask("POST", `/api/jobs/${id}/transcript`);
export const dropTranscript = (id) => ask("DELETE", `/api/jobs/${id}/transcript`);
export const listRuns = (id) => ask("GET", `/api/jobs/${id}/runs`);
export const startRun = (id, wish) => ask("POST", `/api/jobs/${id}/runs`, wish);
export const compare = (query) => ask("GET", `/api/compare?${new URLSearchParams(query)}`);
export const search = (query) => ask("GET", `/api/search?${new URLSearchParams(query)}`);
export const listIds = (query) => ask("GET", `/api/jobs/ids?${new URLSearchParams(query)}`);
export const batch = (wish) => ask("POST", "/api/jobs/batch", wish);

export const listFolder = (query) => ask("GET", `/api/folder?${new URLSearchParams(query)}`);
/** Return all fetches, the newest first, however many pages they take. */
export async function listFetches() {
  const all = [];
  let query = "";
  do {
    const page = await ask("GET", `/api/fetches${query}`);
    all.push(...page.fetches);
    query = page.next && `?before=${page.next}`;
  } while (query);
  return all;
}
export const beginFetches = (wish) => ask("POST", "/api/fetches", wish);
export const retryFetch = (id) => ask("POST", `/api/fetches/${id}/retry`);
export const removeFetch = (id) => ask("DELETE", `/api/fetches/${id}`);

const presetPath = (name) => `/api/presets/${encodeURIComponent(name)}`;
export const listPresets = () => ask("GET", "/api/presets");
export const savePreset = (name, fields) => ask("PUT", presetPath(name), fields);
export const deletePreset = (name) => ask("DELETE", presetPath(name));
