// What the page was made of: an index of all traces, and the traces themselves in chunks that are opened when needed.

const OPEN_CHUNKS = 6;

async function unpacked(id) {
  const letters = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at += 1) bytes[at] = letters.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const { about, lines } = await unpacked("index");
for (const line of lines) {
  line.label = Object.values(line.ids)[0] ?? `row ${line.row}`;
  let length = 0;
  line.lengths = line.lengths.map((value, at) => (length = at ? length - value : value));
}

const openChunks = new Map();

/** The trace behind a line of the list. */
async function traceOf(line) {
  const id = `chunk-${line.chunk}`;
  const chunk = openChunks.get(id) ?? unpacked(id);
  openChunks.delete(id);
  openChunks.set(id, chunk); // the last one used is the last one to go
  if (openChunks.size > OPEN_CHUNKS) openChunks.delete(openChunks.keys().next().value);
  return (await chunk)[line.place];
}

// What is shown; the address holds the same (start.js).
const state = {
  line: lines[0],
  trace: null,
  step: -1,
  budget: null, // as pruned, or {unit: "max_tokens" | "ratio", amount}
  score: "",
  beside: "",
  show: "all",
  query: "",
  sort: "row",
};

const at = (id) => document.getElementById(id);
const count = new Intl.NumberFormat("en").format;
const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
