// One trace: its texts are put into the page once, what is kept of it is painted at every change.

let opening = 0;

async function openTrace(line, step = -1) {
  const mine = (opening += 1);
  at("main").setAttribute("aria-busy", "true");
  const trace = await traceOf(line);
  if (mine !== opening) return; // another one was asked for meanwhile
  Object.assign(state, { line, trace, step: Math.min(step, trace.steps.length - 1) });
  drawTrace();
  scrollToLine();
  paintAll();
  if (state.step >= 0) at("steps").children[state.step].scrollIntoView({ block: "center" });
  else at("main").scrollTop = 0;
  at("main").setAttribute("aria-busy", "false");
}

/** Everything that stays as it is while this trace is open. */
function drawTrace() {
  const { line, trace } = state;
  at("label").textContent = line.label;
  const ids = Object.entries(line.ids).slice(1).map(([name, value]) => `${name} ${value}`);
  at("ids").replaceChildren(...facts([`row ${line.row}`, ...ids, ...factsOf(trace)]));
  drawNotices(line, trace);
  at("excerpt").textContent = line.title;
  fillProse(at("question"), trace.question);
  fillProse(at("anchor"), trace.anchor);
  at("anchor-fold").hidden = !trace.anchor;
  at("anchor-told").textContent = "the direct solution that stage 1 cut by";
  fillProse(at("answer"), trace.answer);
  at("answer").parentElement.hidden = !trace.answer;
  const code = new Set(trace.code);
  at("steps").replaceChildren(...trace.steps.map((step, position) => drawStep(step, position, code.has(position))));
  paintScores();
  drawRibbon();
}

/** What the record says about how it came about. */
function factsOf(trace) {
  const { budget, attempts, windows } = trace.facts;
  const told = [];
  if (budget) told.push(`budget ${plural(budget, "token")}`);
  if (attempts) told.push(`${plural(attempts, "attempt")} of stage 1`);
  if (windows > 1) told.push(`scored in ${windows} windows`);
  return told;
}

function drawNotices(line, trace) {
  const reasons = line.unusable
    ? [`No pruner could work on this row: ${line.reason}. It stands here as it came.`]
    : trace.stages.filter((stage) => stage.reason).map((stage) => stage.reason);
  const told = reasons.length || !line.reason ? reasons : [line.reason];
  const remarks = line.remark ? [`Pruned, with a remark: ${line.remark}`] : [];
  at("notices").replaceChildren(...[...told, ...remarks].map((reason) => element("p", "notice", ...marked(reason))));
}

function drawStep(text, position, code) {
  const words = element("div", code ? "text code" : "text");
  fill(words, text.replace(/\s+$/, ""));
  const score = element("span", "score", element("span", "bar"), element("span", "value"));
  const number = element("span", "number", String(position + 1));
  const margin = element("div", "margin", number, score, element("span", "tag"));
  const step = element("li", "step", margin, words, element("span", "size"));
  step.id = `step-${position + 1}`;
  step.tabIndex = -1;
  step.addEventListener("click", () => selectStep(position, false));
  return step;
}

/** Which of the stages cut a step, or that it is kept. */
function stateOf(position, kept, given) {
  if (kept.has(position)) return "kept";
  if (wordsOfNoStep(state.trace.versions[0])) return "source";
  if (!given.has(position)) return "coarse";
  return state.trace.stages.length === 1 && !state.trace.order.length ? "coarse" : "fine";
}

const wordsOfNoStep = (version) => version.text !== undefined && !version.kept.length;

/** The word for a cut: the stage by number, or the only stage by name. */
function tagOf(cut) {
  if (cut === "kept" || cut === "source") return "";
  const { stages } = state.trace;
  if (stages.length < 2) return `cut: ${stages[0]?.name ?? ""}`;
  return cut === "coarse" ? "cut, stage 1" : "cut, stage 2";
}

/** What the budget, the score and the result beside it make of the trace. */
function paintTrace() {
  const { line, trace } = state;
  const [kept, given, saved] = [keptOf(line, trace), new Set(trace.given), savedBy(line, trace)];
  const key = scoreShown(trace);
  const shares = sharesOf(trace, key);
  const steps = at("steps").children;
  for (let position = 0; position < steps.length; position += 1) {
    const step = steps[position];
    const cut = stateOf(position, kept, given);
    step.dataset.state = cut;
    step.classList.toggle("chosen", position === state.step);
    step.tabIndex = position === Math.max(state.step, 0) ? 0 : -1;
    step.querySelector(".tag").textContent = tagOf(cut);
    step.querySelector(".value").textContent = trace.scores[key]?.[position]?.toFixed(2) ?? "";
    const score = step.querySelector(".score");
    score.hidden = shares[position] === null;
    score.style.setProperty("--share", shares[position] ?? 0);
    step.querySelector(".size").textContent = saved.has(position) ? plural(saved.get(position), "token") : "";
    paintDetail(step, position, saved.get(position));
  }
  paintBeside(kept);
  paintRibbon(kept, given, shares);
  paintNumbers(kept.size);
  paintLegend(trace);
  at("columns").dataset.show = state.show;
}

function paintNumbers(kept) {
  const { line, trace } = state;
  const { tokens } = outcomeOf(line);
  const left = wordsOfNoStep(trace.versions[0]) ? "other words" : count(kept);
  const steps = line.unusable ? "" : `${plural(line.steps, "step")} → ${left}`;
  const part = share(tokens, line.before);
  const lengths = line.before ? `${count(line.before)} → ${count(tokens)} tokens, ${part} kept` : "";
  at("numbers").textContent = [lengths, steps].filter(Boolean).join(" · ");
}

/** Below the chosen step: all its scores, when it goes, and what its removal saves. */
function paintDetail(step, position, saved) {
  const old = step.querySelector(".detail");
  if (position !== state.step) return old?.remove();
  const { trace } = state;
  const known = Object.entries(trace.scores).filter(([, values]) => values[position] !== null);
  const scores = known.map(([key, values]) => scoreText(key, values[position]));
  const turn = trace.order.indexOf(position);
  const last = turn >= 0 && turn === trace.order.length - 1;
  const turns = `removal ${turn + 1} of ${trace.order.length - 1}, saves ${plural(saved ?? 0, "token")}`;
  const removal = turn < 0 ? [] : [last ? "never removed" : turns];
  const detail = element("div", "detail muted", ...facts([...(scores.length ? scores : ["not scored"]), ...removal]));
  return old ? old.replaceWith(detail) : step.append(detail);
}

function paintLegend(trace) {
  const [first, last] = [trace.stages[0]?.name, trace.stages.at(-1)?.name];
  const two = trace.stages.length > 1;
  const words = {
    kept: "kept",
    fine: two ? `cut by stage 2 (${last})` : `cut by ${last}`,
    coarse: two ? `cut by stage 1 (${first})` : `cut by ${first}`,
  };
  at("scale").textContent = scaleOf(trace, scoreShown(trace));
  const used = new Set([...at("steps").children].map((step) => step.dataset.state));
  const shown = Object.keys(words).filter((cut) => used.has(cut));
  at("legend").replaceChildren(...shown.map((cut) => element("span", `sign ${cut}`, element("i", ""), words[cut])));
}

/** Choose a step; by the keyboard it also gets the focus and comes into sight. */
function selectStep(position, focus = true) {
  if (position < 0 || position >= state.trace.steps.length) return;
  state.step = position;
  changed();
  if (!focus) return;
  const step = at("steps").children[position];
  step.focus({ preventScroll: true });
  step.scrollIntoView({ block: "nearest" });
}

/** The next step in sight, downwards (1) or upwards (-1). */
function moveStep(by) {
  const steps = at("steps").children;
  let position = state.step + by;
  if (state.step < 0) position = 0;
  while (steps[position] && steps[position].querySelector(".text").offsetParent === null) position += by;
  selectStep(position);
}
