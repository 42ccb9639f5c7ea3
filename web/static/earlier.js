// Uploads that this browser began and didn't end: remembered until they are done or removed, so that
// a page opened later can go on with them.

const PLACE = "reelnotes-uploads";
const SILENT_MS = 10_000; // another page sends no longer

/** Address: { name, size, modified, aliveMs } of each. */
function read() {
  try {
    return JSON.parse(localStorage.getItem(PLACE)) ?? {};
  } catch { // no storage here, or not ours
    return {};
  }
}

function write(change) {
  const known = read();
  change(known);
  try {
    localStorage.setItem(PLACE, JSON.stringify(known));
  } catch {
    // Without room, or a right, to remember, an upload goes on as long as its page is open.
  }
}

/** Remember an upload that is being sent; call it again now and then while it is. */
export const remember = (url, { name, size, lastModified }) =>
  write((known) => { known[url] = { name, size, modified: lastModified, aliveMs: Date.now() }; });

export const forget = (url) => write((known) => { delete known[url]; });

/** Let other pages go on with an upload that this one sends no longer. */
export const release = (url) => write((known) => { if (known[url]) known[url].aliveMs = 0; });

/** Return the uploads that no page sends: [url, { name, size, modified }]; and when to look again, in ms. */
export function listEarlier() {
  const all = Object.entries(read());
  const silent = all.filter(([, { aliveMs }]) => Date.now() - aliveMs >= SILENT_MS);
  return { earlier: silent, lookAgainMs: silent.length < all.length ? SILENT_MS : null };
}

/** Tell whether a file is the one that was chosen for an earlier upload, as far as a page can tell. */
export const isSame = (file, record) =>
  file.name === record.name && file.size === record.size && file.lastModified === record.modified;
