"""Tell a line of a draft program from a line of prose, in any programming language and without a model.

A line is code if it has the form of a statement and no two words of it stand side by side as they do in prose
(`asap_hf.code_tokens`). What could be either, such as `n = 5`, is `Kind.DOUBTFUL`: the lines around it decide
(`asap_hf.splitting`).
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import pairwise

from .code_tokens import (
    ASSIGNMENTS,
    HEADERS,
    JOINING,
    SIMPLE_STATEMENTS,
    TYPES,
    Token,
    find,
    goes_on,
    read_as_code,
    split,
    tokenize,
)


class Kind(Enum):
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

_OUTPUT_CALLS = frozenset(("print", "exit", "quit", "main", "solve", "printf", "scanf", "puts"))
_CONSTANTS = frozenset(("True", "False", "None", "true", "false", "null", "infinity", "inf"))
_PUNCTUATION = frozenset(("(", ")", "[", "]", "{", "}", ",", ";", ":", ".", "-", "..."))


def indentation(line: str) -> int:
    """Columns of white space before the first character; a tab reaches the next multiple of four."""
    return len(line[: len(line) - len(line.lstrip())].expandtabs(4))


def announces_block(line: str) -> bool:
    """Whether `line` opens a block in words ("For each num in a:"): code only if what follows is indented code."""
    return line.rstrip().endswith(":") and _BLOCK_IN_WORDS.match(line) is not None


def classify(line: str) -> Kind:
    """What one non-blank line is, judged alone.

    Args:
        line (`str`):
            The line with its indentation; a line break at its end does no harm.
    """
    text = line.strip()
    if _LIST_ITEM.match(text) or _SENTENCE.match(line):
        return Kind.PROSE
    if text.startswith("#include"):
        return Kind.CODE
    tokens = tokenize(text)
    if not tokens or text.startswith(('"""', "'''")):
        return Kind.DOUBTFUL  # nothing but a comment, or a docstring
    last = tokens[-1]
    if last.text != "..." and last.text[-1] in ".?!":
        kind = Kind.PROSE  # a sentence, however much it looks like code: "cnt_leq = split."
        in_words = tokens[0].text in HEADERS and _line(tokens[:-1]) is not Kind.PROSE
    else:
        kind = _line(tokens)
        in_words = _ASSIGNED_WORDS.fullmatch(text) is not None
    if kind is not Kind.PROSE:
        return kind
    speaks = any(token.kind not in ("operator", "number") for token in tokens)  # more than a row of an example
    return Kind.DOUBTFUL if speaks and (in_words or indentation(line) >= 2) else Kind.PROSE


def _line(tokens: list[Token]) -> Kind:
    """The kind of a line by its form; `Kind.PROSE` where it has no statement's form."""
    if all(token.text in (")", "]", "}", ",", ";", ":", "{") for token in tokens):
        return Kind.DOUBTFUL
    if tokens[-1].text == "{":
        return Kind.CODE
    statements = [statement for statement in split(tokens, {";"}) if statement]
    ended = tokens[-1].text == ";"
    kinds = {Kind.CODE if ended and _declares(statement) else _statement(statement) for statement in statements}
    if Kind.PROSE in kinds:
        return Kind.PROSE
    return Kind.CODE if Kind.CODE in kinds else Kind.DOUBTFUL


def _declares(tokens: list[Token]) -> bool:
    """Whether something that ended with a semicolon may be `string s`, `cin >> n` or `vector<int> a(n)`."""
    in_words = tokens[0].text in HEADERS or any(token.text in JOINING for token in tokens)
    return len(tokens) > 1 and not in_words and read_as_code(tokens[1:])


def _statement(tokens: list[Token]) -> Kind:
    first = tokens[0].text
    if first in HEADERS:
        return _header(tokens)
    if not read_as_code(tokens):
        return Kind.PROSE
    if first in SIMPLE_STATEMENTS:
        return _simple_statement(tokens)
    if first in ("@", "++", "--") or tokens[-1].text in ("++", "--"):
        return Kind.CODE
    return _call(tokens) if find(tokens, ASSIGNMENTS) is None else _assignment(tokens)


def _header(tokens: list[Token]) -> Kind:
    """`if …:`, `for … in …:`, `else:`, also with a statement or words after the colon; `if (…)`."""
    colon = find(tokens, {":"})
    if colon is None:
        in_brackets = len(tokens) > 3 and tokens[1].text == "(" and tokens[-1].text == ")"
        return Kind.CODE if in_brackets and read_as_code(tokens) else Kind.PROSE
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
        return Kind.PROSE
    complete = not tail or (tail[0].text not in HEADERS and _statement(tail) is Kind.CODE)
    return Kind.CODE if complete else Kind.DOUBTFUL


def _simple_statement(tokens: list[Token]) -> Kind:
    """`break`, `return x`, `import x`, `from x import y`."""
    first = tokens[0].text
    if first in ("break", "continue", "pass"):
        complete = len(tokens) == 1
    elif first == "from":
        complete = any(token.text == "import" for token in tokens)
    else:
        complete = len(tokens) > 1 or first in ("return", "yield")
    return Kind.CODE if complete else Kind.PROSE


def _assignment(tokens: list[Token]) -> Kind:
    """`target = expression`; doubtful where the right side is what an example gives too: numbers, one name, a list."""
    *targets, value = split(tokens, ASSIGNMENTS)
    # a = b = 0 is code; "a = 3, b = 4" and "s = 3 + 4 = 7" are not.
    chained = all(find(target, {","}) is None for target in targets[1:])
    explained = find(value, {":"}) is not None and not any(token.text in ("lambda", "?") for token in value)
    if not value or not chained or explained or not all(map(_is_target, targets)):
        return Kind.PROSE
    updates = tokens[len(targets[0])].text != "="
    return Kind.CODE if updates or goes_on(value) or _computes(value) else Kind.DOUBTFUL


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


def _call(tokens: list[Token]) -> Kind:
    """`print(…)`, `queue.append(…)`, or the start of one that goes on; doubtful where mathematics writes it too."""
    opened = find(tokens, {"("})
    chained = all(
        token.depth > 0 or token.kind == "word" or token.text in ("(", ")", "[", "]", ".") for token in tokens
    )
    if not opened or not chained:
        return Kind.PROSE
    certain = opened > 1 or tokens[0].text in _OUTPUT_CALLS or len(tokens) == 3
    return Kind.CODE if certain else Kind.DOUBTFUL
