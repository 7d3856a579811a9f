// The search: at once over what the list knows, then chunk by chunk over the texts.

let searching = 0;

const listText = (line) => [line.label, ...Object.values(line.ids), line.title, line.reason].join("\n");
const traceText = (trace) => [trace.question, trace.anchor, trace.answer, ...trace.steps].join("\n");

async function search() {
  const mine = (searching += 1);
  const pattern = patternOf(state.query);
  if (state.trace) drawTrace();
  changed();
  if (!pattern) {
    at("found").textContent = "";
    return listLines(lines);
  }
  const found = new Set(lines.filter((line) => listText(line).search(pattern) >= 0));
  const chunks = Map.groupBy(lines, (line) => line.chunk);
  let [read, told] = [0, 0];
  for (const [chunk, here] of chunks) {
    if (performance.now() - told > 200) {
      tell(found, read);
      told = performance.now();
    }
    const traces = await unpacked(`chunk-${chunk}`);
    if (mine !== searching) return undefined; // another search began
    for (const line of here) if (traceText(traces[line.place]).search(pattern) >= 0) found.add(line);
    read += here.length;
  }
  tell(found, read);
  return undefined;
}

function tell(found, read) {
  listLines(lines.filter((line) => found.has(line)));
  const number = found.size ? plural(found.size, "trace") : "nothing";
  const sofar = `so far, ${share(read, lines.length)} read`;
  at("found").textContent = `${number} ${read < lines.length ? sofar : "found"}`;
}
