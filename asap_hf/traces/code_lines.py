"""Tell a line of a draft program from a line of prose, in any programming language and without a model.

A line is code if it has the form of a statement and no two words of it stand side by side as they do in prose
(`asap_hf.traces.code_tokens`). What could be either, such as `n = 5`, is `LineKind.DOUBTFUL`: its neighbours decide
(`asap_hf.traces.splitting`).
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import pairwise

from .code_tokens import (
    ASSIGNMENTS,
    CODE_FORMS,
    DOUBTFUL_FORMS,
    HEADERS,
    JOINING,
    MODIFIERS,
    SIMPLE_STATEMENTS,
    TYPES,
    Token,
    after_type,
    find,
    goes_on,
    read_as_code,
    split,
    tokenize,
)


class LineKind(Enum):
    """What a line is, judged alone."""

    PROSE = "prose"
    DOUBTFUL = "doubtful"
    CODE = "code"


_LIST_ITEM = re.compile(r"(?:[-*+•–]|\d+[.)]|[a-zA-Z][.)]|#{2,})\s|-{3}")
# "Then i += 1", "A is sorted"; without a capital only where nothing stands before it: a condition goes on with "and".
_SENTENCE = re.compile(
    r"\s*(?:[A-Z][a-z']+,? [A-Za-z(]|[AaI] [a-z])|(?:then|so|thus|hence|where|and|or|now),? [A-Za-z]"
)
# A loop or a condition in words that announces an indented block: "Then, for each start in 0 to n-1:".
_BLOCK_IN_WORDS = re.compile(
    r"\s*(?:(?:then|so|and|now|otherwise)\b,?\s*)?(?:for(?! example| instance)|if|elif|else|while|loop|repeat)\b",
    re.IGNORECASE,
)
# "chars = set of all characters in s": an assignment with its right side in words.
_ASSIGNED_WORDS = re.compile(r"[A-Za-z_][\w.\[\]]*\s[-+*/]?=\s[a-z][^=:;→]*(?<![.?!,\s])")

_OUTPUT_CALLS = frozenset(("print", "println", "exit", "quit", "main", "solve", "printf", "scanf", "puts"))
_CONSTANTS = frozenset(("True", "False", "None", "true", "false", "null", "infinity", "inf"))
_COMPLETE_ALONE = frozenset(("break", "continue", "pass"))
_IMPORTS = frozenset(("import", "from", "using", "use", "package"))
_PUNCTUATION = frozenset(("(", ")", "[", "]", "{", "}", ",", ";", ":", ".", "-", "..."))


def indentation(line: str) -> int:
    """Columns of white space before the first character; a tab reaches the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip())].expandtabs(4))


def announces_block(line: str) -> bool:
    """Whether `line` opens a block in words ("For each num in a:"): code only if what follows is indented code."""
    return line.rstrip().endswith(":") and _BLOCK_IN_WORDS.match(line) is not None


def classify(line: str) -> LineKind:
    """What one non-blank line is, judged alone.

    Args:
        line (`str`):
            The line with its indentation; a line break at its end does no harm.
    """
    text = line.strip()
    if CODE_FORMS.match(text):
        return LineKind.CODE
    if _LIST_ITEM.match(text):
        return LineKind.PROSE
    if DOUBTFUL_FORMS.match(text):
        return LineKind.CODE if text[-1] == "{" else LineKind.DOUBTFUL
    if _SENTENCE.match(line):
        may_declare = text[0].isupper() and (";" in text or "{" in text)
        return _declaration(tokenize(text)) if may_declare else LineKind.PROSE
    tokens = tokenize(text)
    if not tokens or text.startswith(('"""', "'''")):
        return LineKind.DOUBTFUL  # nothing but a comment, or a docstring
    last = tokens[-1]
    if last.text == "!" and len(tokens) > 1 and tokens[-2].text == ")":
        tokens, last = tokens[:-1], tokens[-2]  # Swift's sign for a value that is there
    if last.text != "..." and last.text[-1] in ".?!":
        kind = LineKind.PROSE  # a sentence, however much it looks like code: "cnt_leq = split."
        in_words = tokens[0].text in HEADERS and _line(tokens[:-1]) is not LineKind.PROSE
    else:
        kind = _line(tokens)
        in_words = _ASSIGNED_WORDS.fullmatch(text) is not None
    if kind is not LineKind.PROSE:
        return kind
    speaks = any(token.kind not in ("operator", "number") for token in tokens)  # more than a row of an example
    return LineKind.DOUBTFUL if speaks and (in_words or indentation(line) >= 2) else LineKind.PROSE


def _line(tokens: list[Token]) -> LineKind:
    """The kind of a line by its form; `LineKind.PROSE` where it has no statement's form."""
    if all(token.text in (")", "]", "}", ",", ";", ":", "{") for token in tokens):
        return LineKind.DOUBTFUL
    if tokens[-1].text == "{":
        return LineKind.CODE
    statements = [statement for statement in split(tokens, {";"}) if statement]
    ended = tokens[-1].text == ";"
    kinds = {_statement(statement, ended) for statement in statements}
    if LineKind.PROSE in kinds:
        return LineKind.PROSE
    return LineKind.CODE if LineKind.CODE in kinds else LineKind.DOUBTFUL


def _declaration(tokens: list[Token]) -> LineKind:
    """The kind of a line that begins as a sentence does: `Scanner in = …;` and `Node build(int low) {` are code,
    `Node next;` could be either."""
    name = after_type(tokens)
    rest = tokens[name:-1]
    if not name or tokens[-1].text not in (";", "{") or not read_as_code(rest):
        return LineKind.PROSE
    if any(after.text in JOINING and before.text != "." for before, after in pairwise(rest)):
        return LineKind.PROSE  # "Int n is given;", but System.in is a name
    applied = name + 1 < len(tokens) and tokens[name + 1].text in ("=", "(", "[", ",")
    return LineKind.CODE if applied else LineKind.DOUBTFUL if tokens[-1].text == ";" else LineKind.PROSE


def _declares(tokens: list[Token]) -> bool:
    """Whether something that ended with a semicolon may be `string s`, `cin >> n` or `vector<int> a(n)`."""
    if tokens[0].text in HEADERS and tokens[0].text not in MODIFIERS:
        return False
    if (name := after_type(tokens)) and read_as_code(tokens[name:]):
        return True
    return len(tokens) > 1 and read_as_code(tokens[1:]) and not any(token.text in JOINING for token in tokens)


def _statement(tokens: list[Token], ended: bool = False) -> LineKind:
    """The kind of one statement; `ended`: a semicolon follows it somewhere in the line."""
    first = tokens[0].text
    if first in HEADERS and not (ended and first in MODIFIERS):
        return _header(tokens, ended)
    if first in _COMPLETE_ALONE or (first in _IMPORTS and _imports(tokens)):
        return _simple_statement(tokens, ended)
    if ended and _declares(tokens):
        return LineKind.CODE
    if (first in TYPES or first == "val") and (name := after_type(tokens)) and read_as_code(tokens[name:]):
        return _typed(tokens, name)
    if not read_as_code(tokens):
        return LineKind.PROSE
    if first in SIMPLE_STATEMENTS and first not in _IMPORTS:
        return LineKind.CODE if len(tokens) > 1 or first in ("return", "yield") else LineKind.PROSE
    if first in ("@", "++", "--") or tokens[-1].text in ("++", "--"):
        return LineKind.CODE
    return _call(tokens) if find(tokens, ASSIGNMENTS) is None else _assignment(tokens)


def _typed(tokens: list[Token], name: int) -> LineKind:
    """`int main()`, `var n int`, `let best = 0`: code where it says a type or a function, else as an assignment is."""
    if tokens[-1].text == ")" or find(tokens, ASSIGNMENTS) is None:
        return LineKind.CODE if len(tokens) > name + 1 else LineKind.DOUBTFUL
    return _assignment(tokens[name:])


def _header(tokens: list[Token], ended: bool = False) -> LineKind:
    """`if …:`, `for … in …:`, `else:`, also with a statement or words after the colon; `if (…)`, `if (…) x = 1;`."""
    if tokens[0].text == "else" and ended and len(tokens) > 1:
        return _statement(tokens[1:], ended)
    colon = find(tokens, {":"})
    closed = next((place for place, token in enumerate(tokens) if token.text == ")" and token.depth == 0), None)
    if closed and tokens[1].text == "(" and (ended or colon is None):
        body = tokens[closed + 1 :]
        if not read_as_code(tokens[: closed + 1]) or closed < 3:
            return LineKind.PROSE
        if body and body[0].kind in ("word", "keyword") and body[0].text not in JOINING:
            return _statement(body, ended)
        return LineKind.CODE if tokens[-1].text == ")" and read_as_code(tokens) else LineKind.PROSE
    if colon is None:
        return LineKind.PROSE
    head, tail = tokens[1:colon], tokens[colon + 1 :]
    words = [token.text for token in head]
    well_formed = {
        "else": not head,
        "try": not head,
        "finally": not head,
        "except": True,
        "for": "in" in words[1:-1],
        "def": "(" in words[1:2],
        "with": "(" in words,
    }.get(tokens[0].text, any(token.kind not in ("operator", "keyword") for token in head))
    if not well_formed or not read_as_code(head):
        return LineKind.PROSE
    complete = not tail or (tail[0].text not in HEADERS and _statement(tail) is LineKind.CODE)
    return LineKind.CODE if complete else LineKind.DOUBTFUL


def _imports(tokens: list[Token]) -> bool:
    """Whether `import`, `use` and the like begin a statement here, and are no names as in `use = 5` and `use(x)`."""
    brackets = ("(", "{", "*") if tokens[0].text in ("import", "from") else ("{",)
    return len(tokens) > 1 and (tokens[1].kind != "operator" or tokens[1].text in brackets)


def _simple_statement(tokens: list[Token], ended: bool) -> LineKind:
    """`break`, `import x`, `from x import y`, `import java.util.*;`, `using System;`."""
    first = tokens[0].text
    star = tokens[-1].text == "*" and len(tokens) > 2 and tokens[-2].text in (".", "::", "import")
    if not read_as_code(tokens[: -2 if tokens[-2:-1] and tokens[-2].text != "import" else -1] if star else tokens):
        return LineKind.PROSE
    if first in _COMPLETE_ALONE:
        complete = len(tokens) == 1
    elif first == "from":
        complete = any(token.text == "import" for token in tokens)
    elif first in ("using", "use", "package"):
        complete = len(tokens) > 1 and (ended or (first == "package" and len(tokens) == 2))
    else:
        complete = len(tokens) > 1
    return LineKind.CODE if complete else LineKind.PROSE


def _assignment(tokens: list[Token]) -> LineKind:
    """`target = expression`; doubtful where the right side is what an example gives too: numbers, one name, a list."""
    *targets, value = split(tokens, ASSIGNMENTS)
    # a = b = 0 is code; "a = 3, b = 4" and "s = 3 + 4 = 7" are not.
    chained = all(find(target, {","}) is None for target in targets[1:])
    explained = find(value, {":"}) is not None and not any(token.text in ("lambda", "?") for token in value)
    if not value or not chained or explained or not all(map(_is_target, targets)):
        return LineKind.PROSE
    updates = tokens[len(targets[0])].text != "="
    return LineKind.CODE if updates or goes_on(value) or _computes(value) else LineKind.DOUBTFUL


def _computes(tokens: list[Token]) -> bool:
    """Whether an expression calls, indexes or operates on names, and is no mere value."""
    applied = any(
        after.text in ("(", "[") and (before.kind == "word" or before.text in TYPES or before.text in (")", "]"))
        for before, after in pairwise(tokens)
    )
    names = any(token.kind == "word" and token.text not in _CONSTANTS for token in tokens)
    operates = any(
        token.kind == "keyword" or (token.kind == "operator" and token.text not in _PUNCTUATION) for token in tokens
    )
    return applied or (names and operates)


def _is_target(tokens: list[Token]) -> bool:
    """Whether something can be assigned to `tokens`: names, parts of them, several with commas, but not a call."""
    called = any(before.kind == "word" and after.text == "(" for before, after in pairwise(tokens))
    named = all(
        token.depth > 0 or token.kind in ("word", "keyword") or token.text in ("[", "]", "(", ")", ",", ".", ":", "*")
        for token in tokens
    )
    return bool(tokens) and named and not called


def _call(tokens: list[Token]) -> LineKind:
    """`print(…)`, `queue.append(…)`, or the start of one that goes on; doubtful where mathematics writes it too."""
    opened = find(tokens, {"("})
    chained = all(
        token.depth > 0 or token.kind == "word" or token.text in ("(", ")", "[", "]", ".") for token in tokens
    )
    if not opened or not chained:
        return LineKind.PROSE
    certain = opened > 1 or tokens[0].text in _OUTPUT_CALLS or len(tokens) == 3
    return LineKind.CODE if certain else LineKind.DOUBTFUL
