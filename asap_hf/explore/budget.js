// Algorithm 2 on stored scores: the same decisions as `asap-hf prune RESULT --max_tokens N`.

/** The fewest removals after which the length is at most the budget; all possible ones if none suffices. */
function removalsWithin(lengths, budget) {
  const first = lengths.findIndex((length) => length <= budget);
  return first < 0 ? lengths.length - 1 : first;
}

/** The budget of a trace in tokens: a share is counted from the original reasoning. */
function budgetInTokens(line, { unit, amount }) {
  return unit === "max_tokens" ? amount : Math.max(1, Math.floor(amount * line.before));
}

/** What the chosen budget leaves of a trace, by the list's own numbers. */
function outcomeOf(line, budget = state.budget) {
  if (!budget || about.rebudget || line.fixed) {
    return { tokens: line.after, kept: line.kept, removals: -1 };
  }
  if (!line.lengths.length) return { tokens: line.after, kept: line.given, removals: -1 };
  const removals = removalsWithin(line.lengths, budgetInTokens(line, budget));
  return { tokens: line.lengths[removals], kept: line.lengths.length - removals, removals };
}

/** Positions that the chosen budget keeps. */
function keptOf(line, trace) {
  if (!state.budget || about.rebudget || line.fixed) return new Set(trace.versions[0].kept);
  if (!line.lengths.length) return new Set(trace.given);
  return new Set(trace.order.slice(outcomeOf(line).removals));
}

/** What each removal saves, by position. */
function savedBy(line, trace) {
  const after = (place) => line.lengths[place + 1] ?? 0;
  return new Map(trace.order.map((position, place) => [position, line.lengths[place] - after(place)]));
}

/** Numbers of removals after which the loop can stop: each leaves less than any fewer. */
function stops(lengths) {
  const found = [];
  lengths.forEach((length, removals) => {
    if (!found.length || length < lengths[found.at(-1)]) found.push(removals);
  });
  return found;
}

/** Cut one step more (1) or fewer (-1), where the loop can stop there. */
function cutOneMore(direction) {
  const { lengths, fixed } = state.line;
  if (about.rebudget || fixed || !lengths.length) return;
  const possible = stops(lengths);
  const made = lengths.length - outcomeOf(state.line).kept;
  const here = possible.findLastIndex((removals) => removals <= made);
  const next = possible[Math.min(Math.max(here + direction, 0), possible.length - 1)];
  setBudget({ unit: "max_tokens", amount: lengths[next] });
}

function setBudget(budget) {
  if (budget && !(budget.amount > 0)) return;
  state.budget = withinStage1(budget);
  changed();
}

/** The budget, a share at most as large as `asap-hf prune` takes it: what stage 1 cut was not scored. */
function withinStage1(budget) {
  if (budget?.unit !== "ratio") return budget;
  return { ...budget, amount: Math.min(budget.amount, about.largest_ratio) };
}

/** The budget's controls as the trace and the budget want them. */
function paintBudget() {
  const { line, budget } = state;
  const unit = budget?.unit ?? "";
  const inShares = unit === "ratio";
  const outcome = outcomeOf(line);
  const most = inShares ? about.largest_ratio : Math.max(line.lengths[0] ?? line.before, 1);
  const amount = budget ? budget.amount : outcome.tokens;
  const stuck = Boolean(about.rebudget) || line.fixed || !line.lengths.length;
  for (const control of [at("slider"), at("amount")]) {
    control.min = inShares ? 0.01 : 1;
    control.max = inShares || control.id === "slider" ? most : "";
    control.step = inShares ? (control.id === "slider" ? 0.01 : "any") : 1;
    if (document.activeElement !== control || Number(control.value) !== amount) control.value = amount;
    control.disabled = stuck;
  }
  at("unit").value = unit;
  at("unit").disabled = Boolean(about.rebudget);
  at("told").textContent = toldOfBudget(line, budget, outcome);
  const output = `${about.folder}-${budget?.amount ?? ""}`;
  const command = `asap-hf prune ${about.folder}/ --${unit} ${budget?.amount} --output_dir ${output}/`;
  at("command").textContent = budget ? `The same for every trace: ${command}` : "";
}

function toldOfBudget(line, budget, outcome) {
  if (line.unusable) return "as it came";
  if (about.rebudget) return `fixed: ${about.rebudget}`;
  if (line.fixed) return "fixed: the record holds no order of removal";
  if (!line.lengths.length) return "not scored: no budget changes what is kept";
  const tokens = budget ? budgetInTokens(line, budget) : state.trace.facts.budget;
  const over = tokens && outcome.tokens > tokens ? ", over the budget: one step has to stay" : "";
  const all = budget?.unit === "ratio" && about.largest_ratio < 1 && budget.amount >= about.largest_ratio;
  const left = all ? "; stage 1 left no more: for a larger share prune the traces anew" : "";
  const within = tokens ? ` of ${count(tokens)}` : "";
  return `${count(outcome.tokens)}${within} tokens, ${plural(outcome.kept, "step")} kept${over}${left}`;
}
