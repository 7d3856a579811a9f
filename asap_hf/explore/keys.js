// The keyboard, and the controls.

const KEYS = {
  j: () => moveTrace(1),
  k: () => moveTrace(-1),
  ArrowDown: () => moveStep(1),
  ArrowUp: () => moveStep(-1),
  Home: () => selectStep(0),
  End: () => selectStep(state.trace.steps.length - 1),
  "[": () => cutOneMore(1),
  "]": () => cutOneMore(-1),
  0: () => setBudget(null),
  s: () => choose("score", 1),
  v: () => choose("show", 1),
  b: () => choose("beside", 1),
  t: () => toggleTheme(),
  "/": () => enterSearch(),
  "?": () => at("help").showModal(),
};
const LIST_KEYS = {
  ArrowDown: () => moveTrace(1),
  ArrowUp: () => moveTrace(-1),
  PageDown: () => moveTrace(10),
  PageUp: () => moveTrace(-10),
  Home: () => moveTrace(-lines.length),
  End: () => moveTrace(lines.length),
  Enter: () => leaveList(),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open || !state.trace) return;
  const { target } = event;
  if (event.key === "Escape") return target === at("query") ? leaveSearch() : target.blur?.();
  if (target.matches("input, select, textarea, summary")) return;
  const act = (target === at("list") && LIST_KEYS[event.key]) || KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

function enterSearch() {
  setView("list");
  at("query").select();
}

function leaveList() {
  setView("trace");
  selectStep(Math.max(state.step, 0));
}

function leaveSearch() {
  at("query").blur();
  setView("trace");
}

/** The next option of a choice. */
function choose(id, by) {
  const options = [...at(id).options].filter((option) => !option.hidden);
  const here = options.findIndex((option) => option.value === at(id).value);
  state[id] = options[(here + by) % options.length].value;
  changed();
}

function onBudget({ target }) {
  const unit = state.budget?.unit ?? "max_tokens";
  const amount = Number(target.value);
  if (unit === "ratio") return setBudget({ unit, amount: Math.min(amount, 1) });
  return setBudget({ unit, amount: Math.floor(amount) });
}

function onUnit({ target }) {
  const { tokens } = outcomeOf(state.line);
  const hundredths = Math.round((100 * tokens) / (state.line.before || 1));
  const amounts = { max_tokens: tokens, ratio: Math.max(hundredths, 1) / 100 };
  setBudget(target.value ? { unit: target.value, amount: amounts[target.value] } : null);
}

function toggleTheme() {
  const root = document.documentElement;
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme ?? preferred) === "dark" ? "light" : "dark";
}

/** On a narrow screen either the list or the trace is in sight. */
function setView(view) {
  document.body.dataset.view = view;
  if (view === "list") paintList();
  if (view === "list") scrollToLine();
}

function listen() {
  let waiting = 0;
  document.addEventListener("keydown", onKey);
  at("list").addEventListener("scroll", () => requestAnimationFrame(paintList));
  at("query").addEventListener("input", ({ target }) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      state.query = target.value;
      search();
    }, 150);
  });
  for (const id of ["sort", "score", "show", "beside"]) {
    at(id).addEventListener("change", ({ target }) => {
      state[id] = target.value;
      if (id === "sort") listLines(listed);
      changed();
    });
  }
  for (const id of ["slider", "amount"]) at(id).addEventListener("input", onBudget);
  at("unit").addEventListener("change", onUnit);
  at("theme").addEventListener("click", toggleTheme);
  at("to-help").addEventListener("click", () => at("help").showModal());
  at("to-list").addEventListener("click", () => setView("list"));
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names a trace
    selectStep(Math.max(state.step, 0));
  });
  window.addEventListener("resize", () => {
    if (state.trace) drawRibbon();
    changed();
  });
  window.addEventListener("hashchange", readAddress);
}
