// What the server gets by itself: wished for here, then shown with its bar until it is a job.

import { Announcer } from "./announcing.js";
import { beginFetches, listFetches, removeFetch, retryFetch } from "./api.js";
import { tell } from "./actions.js";
import { readFields } from "./fields.js";
import { offerFolder } from "./folder.js";
import { isolated, say } from "./say.js";
import { size } from "./words.js";

const POLL_MS = 2000;
const IDLE_POLL_MS = 10_000; // something may come into the folder

const list = document.getElementById("fetches");
const template = document.getElementById("fetch-row");
const addresses = document.getElementById("addresses");

const rows = new Map();
const announcers = new Map(); // fetch id: what a screen reader hears of it
let whenQueued;
let timer;
let reading = 0;
let isToldWhy = false; // why the fetches can't be told just now

/** Offer the ways that the server has; `whenDone` is called when one may have become a job. */
export function startFetches(whenDone) {
  if (!document.getElementById("from-folder") && !addresses) return;
  whenQueued = whenDone;
  offerFolder((paths) => { if (paths.length) begin({ paths }); });
  offerAddresses();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) read(); });
  read();
}

function offerAddresses() {
  if (!addresses) return;
  const text = document.getElementById("addresses-text");
  document.getElementById("from-addresses").addEventListener("click", () => {
    addresses.returnValue = "";
    addresses.showModal();
  });
  addresses.addEventListener("close", () => {
    const urls = text.value.split("\n").map((line) => line.trim()).filter(Boolean);
    if (addresses.returnValue !== "add" || !urls.length) return;
    begin({ urls }).then((refused) => { text.value = refused.map(({ address }) => address).join("\n"); });
  });
}

/** Return what was refused, each with its address. */
async function begin(wish) {
  const fields = readFields();
  if (!fields) return Object.values(wish)[0].map((address) => ({ address }));
  try {
    const { refused } = await beginFetches({ ...wish, fields });
    if (refused.length) tell(refusal(refused));
    return refused;
  } catch (error) {
    tell(error.message);
    return Object.values(wish)[0].map((address) => ({ address }));
  } finally {
    read();
  }
}

function refusal([{ address, error }, ...more]) {
  const first = { address: isolated(address.slice(0, 80)), error: error.message };
  return more.length ? say("fetch.refused-more", { ...first, count: more.length }) : say("fetch.refused", first);
}

async function read() {
  clearTimeout(timer);
  const turn = ++reading;
  let isIdle = true;
  try {
    const fetches = await listFetches();
    if (turn !== reading) return;
    show(fetches);
    isIdle = fetches.every(({ state }) => state === "refused");
    isToldWhy = false;
  } catch (error) {
    // That the server is away is told by the list of jobs.
    if (error.kind !== "connection" && !isToldWhy) tell(error.message);
    isToldWhy = true;
  }
  timer = setTimeout(read, isIdle || document.hidden ? IDLE_POLL_MS : POLL_MS);
}

function show(fetches) {
  const shown = fetches.map(showOne);
  let gone = false;
  for (const [id, row] of rows) {
    if (fetches.some((fetch) => fetch.id === id)) continue;
    takeAway(id, row);
    gone = true;
  }
  shown.forEach((row, index) => {
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  if (gone) whenQueued();
}

function takeAway(id, row) {
  const held = row.contains(document.activeElement);
  row.remove();
  rows.delete(id);
  announcers.delete(id);
  if (held) document.querySelector("#upload input[type=file]").focus();
}

function showOne(fetch) {
  const row = rows.get(fetch.id) ?? newRow(fetch);
  const isRefused = fetch.state === "refused";
  row.dataset.state = fetch.state;
  row.querySelector(".name").textContent = fetch.filename;
  row.querySelector(".size").textContent = fetch.size_bytes === null ? "" : size(fetch.size_bytes);
  const said = words(fetch);
  if (row.querySelector(".words").textContent !== said) row.querySelector(".words").textContent = said;
  row.querySelector(".kind").hidden = !isRefused;
  row.querySelector(".kind").textContent = fetch.failure?.kind ?? "";
  const again = row.querySelector(".again");
  if (!isRefused && again === document.activeElement) row.querySelector(".drop-it").focus();
  again.hidden = !isRefused;
  const bar = row.querySelector("progress");
  bar.hidden = isRefused;
  if (fetch.size_bytes) bar.value = share(fetch);
  if (fetch.state === "checking" || (fetch.state === "fetching" && !fetch.size_bytes)) bar.removeAttribute("value");
  announcers.get(fetch.id).tell(fetch.state === "fetching" && !fetch.trouble ? say("fetch.fetching") : said, share(fetch));
  return row;
}

const share = ({ size_bytes: whole, offset_bytes: here }) => (whole ? here / whole : 0);

function words({ state, offset_bytes: here, trouble, failure }) {
  if (failure) return failure.message;
  if (trouble) return say("fetch.trouble", { error: trouble });
  if (state === "checking") return say("upload.checking");
  return state === "fetching" ? say("fetch.here", { size: size(here) }) : say("upload.waiting");
}

function newRow(fetch) {
  const row = template.content.firstElementChild.cloneNode(true);
  const from = { address: isolated(fetch.address) };
  row.querySelector(".from").textContent = fetch.watched ? say("fetch.from-folder", from) : say("fetch.from", from);
  const press = (button, step) => {
    row.querySelector(button).ariaLabel = `${row.querySelector(button).textContent}: ${fetch.filename}`;
    row.querySelector(button).addEventListener("click", async () => {
      try {
        await step(fetch.id);
      } catch (error) {
        tell(error.message);
      }
      read();
    });
  };
  press(".again", retryFetch);
  press(".drop-it", removeFetch);
  rows.set(fetch.id, row);
  announcers.set(fetch.id, new Announcer(fetch.filename));
  return row;
}
