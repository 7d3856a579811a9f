// What another result left of the same trace, beside each step; or, where it is in other words, this result itself.

/** What can stand beside: [name, version], this result only where its words are not the steps'. */
function versionsBeside(trace) {
  const [own, ...others] = trace.versions;
  const rewritten = own.text !== undefined || own.texts !== undefined;
  const named = others.map((version, place) => [about.names[place + 1], version]);
  return rewritten ? [[`${about.names[0]}, in its own words`, own], ...named] : named;
}

/** The one that is chosen; a rewritten trace shows its words unless told otherwise. */
function chosenBeside(trace) {
  const versions = versionsBeside(trace);
  const chosen = versions.find(([name]) => name === state.beside);
  if (chosen || state.beside === "none") return chosen;
  return versions.find(([, version]) => version === trace.versions[0]);
}

function paintBeside(kept) {
  const { trace } = state;
  const versions = versionsBeside(trace);
  const [name, version] = chosenBeside(trace) ?? ["", undefined];
  at("beside-choice").hidden = !versions.length;
  at("beside").replaceChildren(new Option("nothing", "none"), ...versions.map(([one]) => new Option(one, one)));
  at("beside").value = name || "none";
  for (const option of at("show").options) option.hidden = option.value === "differ" && !(about.names.length > 1);
  const whole = Boolean(name) && (!version || version.text !== undefined);
  at("columns").dataset.beside = !name ? "" : whole ? "whole" : "steps";
  at("titles").hidden = !name;
  at("titles").firstElementChild.textContent = about.names[0];
  at("titles").lastElementChild.textContent = name && toldOf(name, version, kept);
  at("whole").hidden = !whole;
  if (whole) fillProse(at("whole"), version?.text ?? `${name} has no such trace under this row's number.`);
  for (const step of at("steps").children) {
    step.querySelector(".beside")?.remove();
    step.removeAttribute("data-differs");
  }
  if (name && !whole) paintSteps(name, version, kept);
}

function toldOf(name, version, kept) {
  if (!version) return name;
  const length = `${name}: ${plural(version.tokens, "token")}`;
  if (version.text !== undefined || version === state.trace.versions[0]) return length;
  const common = version.kept.filter((position) => kept.has(position)).length;
  return `${length}, ${plural(version.kept.length, "step")}, ${common} in common`;
}

/** A cell beside each step: its text if the other result kept it, and where the two differ. */
function paintSteps(name, version, kept) {
  const places = new Map(version.kept.map((position, place) => [position, place]));
  const code = new Set(state.trace.code);
  [...at("steps").children].forEach((step, position) => {
    const place = places.get(position);
    const cell = element("div", code.has(position) ? "beside code" : "beside");
    if (place === undefined) cell.append(element("span", "tag", "cut"));
    else fill(cell, (version.texts?.[place] ?? state.trace.steps[position]).replace(/\s+$/, ""));
    cell.dataset.name = name;
    cell.dataset.state = place === undefined ? "cut" : "kept";
    step.toggleAttribute("data-differs", kept.has(position) !== (place !== undefined));
    step.append(cell);
  });
}
