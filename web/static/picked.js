// Files as people bring them: chosen, dropped, pasted, alone or in folders. Of a folder the videos are
// taken; what is left out is told.

const VIDEO = /\.(mp4|m4v|mov|mkv|webm|avi|wmv|asf|flv|ts|m2ts|mts|mpg|mpeg|vob|mxf|ogv|3gp|3g2|gif)$/i;

/** Return { files, leftOut } of a drop or paste; call it within the event, for it ends the access. */
export async function filesOf(transfer) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const found = items.map((item) => ({ entry: item.webkitGetAsEntry?.(), file: item.getAsFile() }));
  const picked = { files: [], leftOut: [] };
  for (const { entry, file } of found) {
    if (entry?.isDirectory) await collect(entry, picked);
    else if (file) picked.files.push(file);
  }
  return picked;
}

/** Return { files, leftOut } of a chosen folder's files. */
export function filesOfFolder(files) {
  const picked = { files: [], leftOut: [] };
  for (const file of files) sort(file, file.webkitRelativePath || file.name, picked);
  return picked;
}

async function collect(folder, picked) {
  for (const entry of await entriesOf(folder)) {
    const path = entry.fullPath.replace(/^\//, "");
    if (entry.isDirectory) await collect(entry, picked);
    else sort(await fileOf(entry), path, picked);
  }
}

function sort(file, path, { files, leftOut }) {
  if (file && (file.type.startsWith("video/") || VIDEO.test(file.name))) files.push(file);
  else leftOut.push(path);
}

/** A reader hands out a hundred or so at once, and nothing at the end. */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const some = await new Promise((resolve) => { reader.readEntries(resolve, () => resolve([])); });
    if (!some.length) return entries.sort((one, other) => one.name.localeCompare(other.name));
    entries.push(...some);
  }
}

const fileOf = (entry) => new Promise((resolve) => { entry.file(resolve, () => resolve(null)); });
