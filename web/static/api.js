// The JSON API. Every error is an ApiError with the server's kind and sentence.

export class ApiError extends Error {
  constructor(kind, message, status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

export const CONNECTION_LOST = "The server can't be reached. Is it running, and are you connected?";

/** Read an error answer's body; a proxy's own error page has no kind or sentence of ours. */
export function errorOf(status, text) {
  if (status === 401) location.reload();
  try {
    const { kind, message } = JSON.parse(text).error;
    return new ApiError(kind, message, status);
  } catch {
    return new ApiError("internal", `The server, or one before it, answered with status ${status}.`, status);
  }
}

async function ask(method, path, json) {
  const options = { method, headers: { Accept: "application/json" } };
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
export const getSegments = (id, since) => ask("GET", `/api/jobs/${id}/segments?since=${since}`);
export const act = (id, verb) => ask("POST", `/api/jobs/${id}/${verb}`);
export const setPriority = (id, priority) => ask("PATCH", `/api/jobs/${id}`, { priority });
export const deleteJob = (id) => ask("DELETE", `/api/jobs/${id}`);
