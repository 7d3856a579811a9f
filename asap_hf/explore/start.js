// The address holds what is shown; then the page begins.

const SPACES = "https://huggingface.co";
let painting = 0;

/** Something of the state is new: paint it, once per picture that the screen shows. */
function changed() {
  cancelAnimationFrame(painting);
  painting = requestAnimationFrame(paintAll);
}

function paintAll() {
  if (!state.trace) return; // the first one is still being opened
  at("score").value = scoreShown(state.trace);
  at("show").value = state.show;
  at("sort").value = state.sort;
  paintBudget();
  paintTrace();
  paintTotals();
  paintList();
  writeAddress();
}

function writeAddress() {
  const { line, step, budget, score, beside, show, query, sort } = state;
  const told = new URLSearchParams({ row: line.row });
  if (step >= 0) told.set("step", step + 1);
  if (budget) told.set(budget.unit, budget.amount);
  const view = { score, beside, show, q: query, sort };
  const usual = { score: "", beside: "", show: "all", q: "", sort: "row" };
  for (const [name, value] of Object.entries(view)) if (value !== usual[name]) told.set(name, value);
  const hash = `#${told}`;
  if (hash === location.hash) return;
  history.replaceState(null, "", hash);
  // A Space stands in a frame of the Hub's page, which takes the address from it.
  if (location.hostname.endsWith(".hf.space")) parent.postMessage({ hash }, SPACES);
}

/** The state that an address tells; what it does not name, or what is not there, is as at the beginning. */
async function readAddress() {
  const told = new URLSearchParams(location.hash.slice(1));
  const unit = ["max_tokens", "ratio"].find((name) => Number(told.get(name)) > 0);
  state.budget = unit ? withinStage1({ unit, amount: Number(told.get(unit)) }) : null;
  state.score = told.get("score") ?? "";
  state.beside = told.get("beside") ?? "";
  state.show = ["kept", "differ"].find((show) => show === told.get("show")) ?? "all";
  state.sort = told.get("sort") in ORDERS ? told.get("sort") : "row";
  const line = lines.find((one) => String(one.row) === told.get("row")) ?? lines[0];
  setView(told.has("row") ? "trace" : "list");
  if (state.query !== (told.get("q") ?? "")) {
    at("query").value = state.query = told.get("q") ?? "";
    search();
  } else listLines(listed);
  await openTrace(line, Number(told.get("step") ?? 0) - 1);
}

at("name").textContent = about.names[0];
for (const [name, value] of [["source", about.source], ...Object.entries(about.settings)]) {
  at("settings").append(element("dt", "", name), element("dd", "", value));
}
listen();
await readAddress();
