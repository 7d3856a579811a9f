// The scores of a step: what they are called, how they are drawn and written.

const SCORES = {
  first_token_surprisal: ["first-token surprisal", "nats"],
  first_token_entropy: ["first-token entropy", "nats"],
  mean_surprisal: ["mean surprisal", "nats"],
  mean_entropy: ["mean entropy", "nats"],
  perplexity: ["perplexity", ""],
  overlap: ["overlap with the answer", ""],
};
// Spans several powers of ten: drawn by its logarithm.
const BY_LOGARITHM = new Set(["perplexity"]);

const scoreName = (key) => SCORES[key]?.[0] ?? key.replaceAll("_", " ");

/** The score to draw: the chosen one if this trace has it, else the one that decided, else its first. */
function scoreShown(trace) {
  const names = Object.keys(trace.scores);
  return [state.score, about.score, ...names].find((name) => name && names.includes(name)) ?? "";
}

/** Of each step 0 to 1, `null` where it was not scored. */
function sharesOf(trace, key) {
  const values = trace.scores[key] ?? trace.steps.map(() => null);
  const drawn = BY_LOGARITHM.has(key) ? values.map((value) => value && Math.log(Math.max(value, 1))) : values;
  const known = drawn.filter((value) => value !== null);
  const low = Math.min(0, ...known);
  const span = Math.max(...known, low) - low || 1;
  return drawn.map((value) => (value === null ? null : (value - low) / span));
}

/** From where to where the bars go. */
function scaleOf(trace, key) {
  const known = (trace.scores[key] ?? []).filter((value) => value !== null);
  if (!known.length) return "no step was scored";
  const low = BY_LOGARITHM.has(key) ? 1 : Math.min(0, ...known);
  return `height: ${scoreName(key)}, ${low} to ${Math.max(...known).toFixed(2)} ${SCORES[key]?.[1] ?? ""}`;
}

function scoreText(key, value) {
  const unit = SCORES[key]?.[1] ?? "";
  return `${scoreName(key)} ${value}${unit && ` ${unit}`}`;
}

/** The choice of scores for this trace. */
function paintScores() {
  const names = Object.keys(state.trace.scores);
  const label = (name) => `${scoreName(name)}${name === about.score ? " (decides)" : ""}`;
  const options = names.map((name) => new Option(label(name), name));
  at("score").replaceChildren(...(options.length ? options : [new Option("none", "")]));
  at("score").value = scoreShown(state.trace);
  at("score").disabled = !names.length;
}
