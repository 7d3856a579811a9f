// Whatever comes from the dataset enters the page here, as text and as nothing else.

// A longer text is opened by a button: a browser lays out a million letters slowly.
const LONGEST = 6000;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Several facts in one line. */
function facts(texts) {
  return texts.flatMap((text, place) => [place ? " · " : "", element("bdi", "", text)]);
}

/** The search as a pattern; `null` where nothing is searched. */
function patternOf(query) {
  return query ? new RegExp(query.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu") : null;
}

/** Text with what is searched marked in it. */
function marked(text) {
  const pattern = patternOf(state.query);
  if (!pattern) return [text];
  const pieces = [];
  let from = 0;
  for (const { 0: found, index } of text.matchAll(pattern)) {
    pieces.push(text.slice(from, index), element("mark", "", found));
    from = index + found.length;
  }
  return [...pieces, text.slice(from)];
}

/** Text into a node, the long end of it behind a button. */
function fill(node, text) {
  node.replaceChildren(...marked(text.slice(0, LONGEST)));
  if (text.length <= LONGEST) return;
  const more = element("button", "more", `${count(text.length - LONGEST)} more characters`);
  more.type = "button";
  more.addEventListener("click", (event) => {
    event.stopPropagation();
    node.replaceChildren(...marked(text));
  });
  node.append(more);
}

/** Prose with its fenced programs in a typewriter's letters; not a character is changed. */
function fillProse(node, text) {
  const parts = text.split(/^([ \t]*(?:```|~~~)[^\n]*\n[\s\S]*?\n[ \t]*(?:```|~~~)[ \t]*(?:\n|$))/m);
  node.replaceChildren(
    ...parts.filter(Boolean).map((part) => {
      const block = element("div", /^[ \t]*(```|~~~)/.test(part) ? "code" : "");
      fill(block, part);
      return block;
    }),
  );
}
