// One file on its way to the server: tus-js-client, in our words. The library comes with the first file.

import { ApiError, CONNECTION_LOST, errorOf } from "./api.js";

const ADDRESS = "/api/uploads";
const PIECE_BYTES = 32 * 2 ** 20; // more than this no proxy has to let through at once
const RETRIES_MS = [0, 500, 1000, 2000, 4000, 8000, ...Array(30).fill(10_000)]; // begun anew after each success
const JOB = "Reelnotes-Job";
const GONE = [404, 410];

let library;

/** Load the library once; what failed for lack of a connection is tried again. */
async function load() {
  library ??= import("./vendor/tus-js-client/tus.min.js");
  try {
    await library;
  } catch {
    library = undefined;
    throw new ApiError("connection", CONNECTION_LOST);
  }
  return globalThis.tus;
}

/**
 * Send a file, from where an earlier upload at `url` stopped if there is one. Of `tell` is called:
 * begun(url), progress(sent, total), interrupted(error) before each new try, and at the end either
 * done(jobId) or failed(error). Returns a function that stops sending; what has come stays.
 */
export async function send(file, fields, url, tell) {
  const tus = await load();
  let stopped = false;
  const fail = (error) => {
    if (!stopped) tell.failed(error);
  };
  const transfer = new tus.Upload(file, {
    endpoint: url ? null : ADDRESS,
    uploadUrl: url,
    metadata: { ...fields, filename: file.name },
    chunkSize: PIECE_BYTES,
    retryDelays: RETRIES_MS,
    storeFingerprintForResuming: false, // earlier.js remembers, with what the page needs to tell
    onUploadUrlAvailable() {
      transfer.options.endpoint = null; // or an ailing server would be sent the whole file anew
      tell.begun(new URL(transfer.url, location.href).pathname);
    },
    onProgress: tell.progress,
    onShouldRetry(error) {
      const retries = isPassing(error);
      if (retries && !stopped) tell.interrupted(meaning(error));
      return retries;
    },
    onError: (error) => fail(meaning(error)),
    onSuccess: ({ lastResponse }) => {
      const job = lastResponse.getHeader(JOB);
      const known = job ? Promise.resolve(job) : askForJob(transfer.url, file.size);
      known.then(tell.done, fail);
    },
  });
  transfer.start();
  return () => {
    stopped = true;
    transfer.abort();
  };
}

/** Ask again for the job of an upload that is whole; there is one, however often it is asked for. */
export async function askForJob(url, size) {
  const answer = await ask(url, "PATCH", {
    "Upload-Offset": String(size),
    "Content-Type": "application/offset+octet-stream",
  });
  return answer.headers.get(JOB);
}

/** Have the server forget what it has of an upload. */
export const giveUp = (url) => ask(url, "DELETE", {});

/** Return what the server knows of an upload; null if it knows it no more. */
export async function lookUp(url) {
  try {
    return await (await ask(url, "GET", {})).json();
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

export const isGone = (error) => GONE.includes(error.status);

async function ask(url, method, headers) {
  let answer;
  try {
    answer = await fetch(url, { method, headers: { "Tus-Resumable": "1.0.0", ...headers } });
  } catch {
    throw new ApiError("connection", CONNECTION_LOST);
  }
  if (!answer.ok) throw errorOf(answer.status, await answer.text());
  return answer;
}

/** A lost connection, a server that is being restarted, somebody else who sends the same. */
function isPassing(error) {
  const status = error.originalResponse?.getStatus() ?? 0;
  return [0, 409, 423, 429, 502, 503, 504].includes(status);
}

function meaning(error) {
  const answer = error.originalResponse;
  if (answer) return errorOf(answer.getStatus(), answer.getBody());
  return new ApiError("connection", CONNECTION_LOST);
}
