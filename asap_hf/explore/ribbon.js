// The whole trace at a glance: a column for each step, as wide as its text is long and as high as its score.

const HEIGHT = 48;
const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** A pattern of slanted lines, for what stage 2 cut. */
function hatch() {
  const slanted = { patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
  const pattern = shape("pattern", { id: "hatch", width: 5, height: 5, ...slanted });
  pattern.append(
    shape("rect", { width: 5, height: 5, class: "hatch-ground" }),
    shape("rect", { width: 2, height: 5, class: "hatch-line" }),
  );
  return pattern;
}

function drawRibbon() {
  const ribbon = at("ribbon");
  const width = Math.max(ribbon.clientWidth, 100);
  const { steps } = state.trace;
  // Long and short steps can both be seen: by the root of their length.
  const sizes = steps.map((step) => Math.sqrt(step.length) + 2);
  const whole = sizes.reduce((total, size) => total + size, 0);
  const gap = steps.length < width / 4 ? 1 : 0;
  let left = 0;
  const columns = sizes.map((size, position) => {
    const wide = (width * size) / whole;
    const column = shape("rect", { x: left, width: Math.max(wide - gap, 0.5), class: "column" });
    column.addEventListener("click", () => selectStep(position));
    left += wide;
    return column;
  });
  ribbon.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  ribbon.replaceChildren(hatch(), ...columns);
}

function paintRibbon(kept, given, shares) {
  at("ribbon").querySelectorAll(".column").forEach((column, position) => {
    const high = shares[position] === null ? 5 : 5 + shares[position] * (HEIGHT - 8);
    column.setAttribute("height", high);
    column.setAttribute("y", HEIGHT - high);
    const cut = stateOf(position, kept, given);
    column.setAttribute("class", `column ${cut}${position === state.step ? " chosen" : ""}`);
  });
}
