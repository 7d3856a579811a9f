// The list of traces: only the lines in sight are in the page.

const LINE_HEIGHT = 76;
let listed = lines;

const ORDERS = {
  row: () => 0,
  most: (one, other) => cutShare(other) - cutShare(one),
  least: (one, other) => cutShare(one) - cutShare(other),
  failed: (one, other) => Boolean(other.reason) - Boolean(one.reason),
  long: (one, other) => other.before - one.before,
  short: (one, other) => one.before - other.before,
};

const cutShare = (line) => (line.before ? 1 - outcomeOf(line).tokens / line.before : 0);

/** List these lines, in the chosen order. */
function listLines(found) {
  listed = [...found].sort(ORDERS[state.sort] ?? ORDERS.row);
  at("rows").style.height = `${listed.length * LINE_HEIGHT}px`;
  paintTotals();
  paintList();
}

function paintTotals() {
  const sum = (value) => listed.reduce((total, line) => total + value(line), 0);
  const [before, after] = [sum((line) => line.before), sum((line) => outcomeOf(line).tokens)];
  const some = listed.length === lines.length ? "" : `${count(listed.length)} of `;
  const kept = before ? `, ${share(after, before)} kept` : "";
  at("totals").textContent =
    `${some}${plural(lines.length, "trace")}, ${count(before)} → ${count(after)} tokens${kept}`;
}

/** The lines in sight. */
function paintList() {
  const list = at("list");
  const first = Math.max(0, Math.floor(list.scrollTop / LINE_HEIGHT) - 2);
  const last = Math.min(listed.length, first + Math.ceil(list.clientHeight / LINE_HEIGHT) + 5);
  const focused = listed.indexOf(state.line);
  const places = Array.from({ length: Math.max(0, last - first) }, (_, offset) => first + offset);
  if (focused >= 0 && (focused < first || focused >= last)) places.push(focused); // what is active is always there
  at("rows").replaceChildren(...places.map(drawLine));
  if (focused < 0) list.removeAttribute("aria-activedescendant");
  else list.setAttribute("aria-activedescendant", `line-${focused}`);
}

function drawLine(place) {
  const line = listed[place];
  const { tokens } = outcomeOf(line);
  const top = element("div", "line-top", element("bdi", "line-label", ...marked(line.label)));
  if (line.reason) top.append(element("span", "flag", line.unusable ? "unusable" : "failed"));
  top.append(element("span", "line-share", line.before ? share(tokens, line.before) : ""));
  const title = element("bdi", "line-title muted", ...marked(line.reason || line.title));
  const lengths = line.before ? `${count(line.before)} → ${count(tokens)}` : plural(line.steps, "step");
  const foot = element("div", "line-foot muted", meter(line, tokens), element("span", "", lengths));
  const drawn = element("div", "line", top, title, foot);
  drawn.id = `line-${place}`;
  drawn.style.top = `${place * LINE_HEIGHT}px`;
  drawn.setAttribute("role", "option");
  drawn.setAttribute("aria-selected", String(line === state.line));
  drawn.setAttribute("aria-setsize", String(listed.length));
  drawn.setAttribute("aria-posinset", String(place + 1));
  drawn.addEventListener("click", () => {
    openTrace(line);
    setView("trace");
  });
  return drawn;
}

/** What is kept, what stage 2 cut, and (empty) what stage 1 cut. */
function meter(line, tokens) {
  const bar = element("span", "meter", element("span", "meter-kept"), element("span", "meter-fine"));
  const given = Math.max(line.lengths[0] ?? tokens, tokens);
  bar.children[0].style.width = `${(100 * tokens) / (line.before || 1)}%`;
  bar.children[1].style.width = `${(100 * (given - tokens)) / (line.before || 1)}%`;
  return bar;
}

/** The line of the open trace into sight. */
function scrollToLine() {
  const list = at("list");
  const top = listed.indexOf(state.line) * LINE_HEIGHT;
  if (top < 0) return;
  if (top < list.scrollTop) list.scrollTop = top;
  const below = top + LINE_HEIGHT - list.clientHeight;
  if (below > list.scrollTop) list.scrollTop = below;
}

/** The trace so many lines further down. */
function moveTrace(by) {
  const here = listed.indexOf(state.line);
  const there = here < 0 ? 0 : Math.min(Math.max(here + by, 0), listed.length - 1);
  if (listed[there] && listed[there] !== state.line) openTrace(listed[there]);
}
