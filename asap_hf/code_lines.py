"""Tell a line of a draft program from a line of prose, in any programming language and without a model.

One observation carries it: in code two words stand side by side only where one of them is a keyword (`not in`, `int n`),
in prose they nearly always do ("Read n and the list"). A line is code if it has the form of a statement and no such
pair. What could be either, such as `n = 5`, is `Kind.DOUBTFUL`: the lines around it decide (`asap_hf.splitting`).
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a line is, judged alone."""

    PROSE = "prose"
    DOUBTFUL = "doubtful"
    CODE = "code"


class _Token(NamedTuple):
    kind: str  # a group of _TOKEN, or "keyword" for a word that may stand next to another
    text: str
    depth: int  # brackets open around it, its own not counted; -1 for one that closes what was never opened


# No alternative fails after it has consumed a run of any length, so every line takes linear time: a string may lack its
# closing quote. An apostrophe inside a word ("it's") opens no string.
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>(?<!\w)[fFrRbBuU]{0,2}(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?))
    |(?P<number>\d[\w.]*(?:(?<=\d[eE])[-+]\d+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<operator>\.\.\.|\*\*=|//=|>>=|<<=|[-+*/%&|^:@]=|[=!<>]=|[-=]>|\*\*|//|<<|>>|\+\+|--|&&|\|\||::|.)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?)[uUlLfFj]*")
_LIST_ITEM = re.compile(r"(?:[-*+•–]|\d+[.)]|[a-zA-Z][.)]|#{2,})\s|-{3}")
_SENTENCE = re.compile(r"\s*(?:[A-Z][a-z']+,? [A-Za-z(]|[AaI] [a-z])|(?:then|so|thus|hence|where|and|or|now),? [A-Za-z]")
# A loop or a condition in words that announces an indented block: "Then, for each start in 0 to n-1:".
_BLOCK_IN_WORDS = re.compile(
    r"\s*(?:(?:then|so|and|now|otherwise)\b,?\s*)?(?:for(?! example| instance)|if|elif|else|while|loop|repeat)\b",
    re.IGNORECASE,
)
# "chars = set of all characters in s": a statement with its right side in words.
_ASSIGNED_WORDS = re.compile(r"[A-Za-z_][\w.\[\]]*\s[-+*/]?=\s[a-z][^=:;]*(?<![.?!,\s])")

_HEADERS = frozenset("if elif else for while def class with try except finally switch do struct async".split())
_SIMPLE = frozenset("return break continue pass import from raise del assert global nonlocal yield using".split())
_JOINING = frozenset("and or not in is lambda await as".split())
_TYPES = frozenset(
    "new const int long char bool float double void auto unsigned static let var namespace public private template "
    "typename inline function func".split()
)
_KEYWORDS = _HEADERS | _SIMPLE | _JOINING | _TYPES
_OUTPUT_CALLS = frozenset("print exit quit main solve printf scanf puts".split())
_ASSIGNMENTS = frozenset("= += -= *= /= //= %= **= |= &= ^= <<= >>= :=".split())
_PUNCTUATION = frozenset("( ) [ ] { } , ; : . - ...".split())
_CONSTANTS = frozenset("True False None true false null infinity inf".split())
_NOT_CODE = frozenset("'\"`$")  # where they are no part of a string
_ENDINGS = _SIMPLE | _TYPES | {";", "\\", "++", "--"}  # what may end a statement though it is no operand


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
    if text.startswith(('"""', "'''")):
        return Kind.DOUBTFUL
    tokens = _tokens(text)
    if not tokens:
        return Kind.DOUBTFUL  # nothing but a comment
    indented = indentation(line) >= 2
    if tokens[-1].kind != "string" and tokens[-1].text != "..." and tokens[-1].text[-1] in ".?!":
        kind = Kind.PROSE  # a sentence, however much it looks like code: "cnt_leq = split."
        in_words = indented or tokens[0].text in _HEADERS and _line(tokens[:-1]) is not Kind.PROSE
    else:
        kind = _line(tokens)
        in_words = indented or _ASSIGNED_WORDS.fullmatch(text) is not None
    names_something = any(token.kind != "operator" and token.kind != "number" for token in tokens)
    return Kind.DOUBTFUL if kind is Kind.PROSE and in_words and names_something else kind


def _tokens(text: str) -> list[_Token]:
    """The tokens of `text` up to a comment."""
    tokens: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup or "", match.group()
        if piece == "#" or piece == "//" and (not tokens or tokens[-1].text in (";", "{", "}")):
            break
        if kind == "space":
            continue
        if kind == "word" and piece in _KEYWORDS:
            kind = "keyword"
        closes = kind == "operator" and piece in ")]}"
        tokens.append(_Token(kind, piece, depth - closes))
        depth = max(0, depth - closes) + (kind == "operator" and piece in "([{")
    return tokens


def _line(tokens: list[_Token]) -> Kind:
    """The kind of a line by its form; `Kind.PROSE` where it has no statement's form."""
    if all(token.text in (")", "]", "}", ",", ";", ":", "{") for token in tokens):
        return Kind.DOUBTFUL
    if tokens[-1].text == "{":
        return Kind.CODE
    start = next(position for position, token in enumerate(tokens) if token.text != "}")  # "} else {"
    statements = [statement for statement in _split(tokens[start:], {";"}) if statement]
    ended = tokens[-1].text == ";"
    kinds = {Kind.CODE if ended and _declares(statement) else _statement(statement) for statement in statements}
    if Kind.PROSE in kinds:
        return Kind.PROSE
    return Kind.CODE if Kind.CODE in kinds else Kind.DOUBTFUL


def _declares(tokens: list[_Token]) -> bool:
    """Whether something that ended with a semicolon may be `string s`, `cin >> n` or `vector<int> a(n)`."""
    in_words = tokens[0].text in _HEADERS or any(token.text in _JOINING for token in tokens)
    return len(tokens) > 1 and not in_words and _reads_as_code(tokens[1:])


def _statement(tokens: list[_Token]) -> Kind:
    first = tokens[0]
    if first.text in _HEADERS:
        return _header(tokens)
    if not _reads_as_code(tokens):
        return Kind.PROSE
    if first.text in _SIMPLE:
        return _simple_statement(tokens)
    if first.text in ("@", "++", "--") or tokens[-1].text in ("++", "--"):
        return Kind.CODE
    if any(token.depth == 0 and token.text in _ASSIGNMENTS for token in tokens):
        return _assignment(tokens)
    return _call(tokens)


def _header(tokens: list[_Token]) -> Kind:
    """`if …:`, `for … in …:`, `else:`, also with a statement or words after the colon; `if (…)`."""
    colon = _find(tokens, {":"})
    if colon is None:
        in_brackets = len(tokens) > 3 and tokens[1].text == "(" and tokens[-1].text == ")"
        return Kind.CODE if in_brackets and _reads_as_code(tokens) else Kind.PROSE
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
    if not well_formed or not _reads_as_code(head):
        return Kind.PROSE
    complete = not tail or tail[0].text not in _HEADERS and _statement(tail) is Kind.CODE
    return Kind.CODE if complete else Kind.DOUBTFUL


def _simple_statement(tokens: list[_Token]) -> Kind:
    """`break`, `return x`, `import x`, `from x import y`."""
    first = tokens[0].text
    if first in ("break", "continue", "pass"):
        return Kind.CODE if len(tokens) == 1 else Kind.PROSE
    if first == "from":
        return Kind.CODE if any(token.text == "import" for token in tokens) else Kind.PROSE
    return Kind.CODE if first in ("return", "yield") or len(tokens) > 1 else Kind.PROSE


def _assignment(tokens: list[_Token]) -> Kind:
    """`target = expression`; doubtful where the right side is what an example gives too: numbers, one name, a list."""
    *targets, value = _split(tokens, _ASSIGNMENTS)
    # a = b = 0 is code; "a = 3, b = 4" and "s = 3 + 4 = 7" are not.
    chained = all(_find(target, {","}) is None for target in targets[1:])
    explained = _find(value, {":"}) is not None and not any(token.text in ("lambda", "?") for token in value)
    if not value or not chained or explained or not all(map(_is_target, targets)):
        return Kind.PROSE
    names = any(token.kind == "word" and token.text not in _CONSTANTS for token in value)
    operators = any(token.kind == "keyword" for token in value) or any(
        token.kind == "operator" and token.text not in _PUNCTUATION for token in value
    )
    applied = any(
        after.text in ("(", "[") and (before.kind == "word" or before.text in _TYPES or before.text in ")]")
        for before, after in zip(value, value[1:], strict=False)
    )
    updated = tokens[len(targets[0])].text != "="
    goes_on = value[-1].depth > 0 or value[-1].text in ("(", "[", "{")
    return Kind.CODE if applied or updated or goes_on or names and operators else Kind.DOUBTFUL


def _is_target(tokens: list[_Token]) -> bool:
    """Whether something can be assigned to `tokens`: names, parts of them, several with commas, but not a call."""
    called = any(
        before.kind == "word" and after.text == "(" for before, after in zip(tokens, tokens[1:], strict=False)
    )
    named = all(
        token.depth > 0 or token.kind in ("word", "keyword") or token.text in ("[", "]", "(", ")", ",", ".", ":", "*")
        for token in tokens
    )
    return bool(tokens) and named and not called and tokens[-1].text not in (".", ":", "*", "(", "[")


def _call(tokens: list[_Token]) -> Kind:
    """`print(…)`, `queue.append(…)`, or the first line of one that goes on; doubtful where mathematics writes it too."""
    opened = _find(tokens, {"("})
    outermost = [token for token in tokens if token.depth == 0]
    chained = all(token.kind == "word" or token.text in ("(", ")", "[", "]", ".") for token in outermost)
    ends = tokens[-1].text in (")", "(", "[", "{", ",")
    if not opened or not chained or not ends or any(token.text in ("[", "]") for token in tokens[:opened]):
        return Kind.PROSE
    certain = opened > 1 or tokens[0].text in _OUTPUT_CALLS or len(tokens) == 3
    return Kind.CODE if certain else Kind.DOUBTFUL


def _find(tokens: list[_Token], texts: frozenset[str] | set[str]) -> int | None:
    """Position of the first token outside of brackets that is one of `texts`."""
    return next((position for position, token in enumerate(tokens) if token.depth == 0 and token.text in texts), None)


def _split(tokens: list[_Token], texts: frozenset[str] | set[str]) -> list[list[_Token]]:
    """`tokens` cut at those outside of brackets that are one of `texts`."""
    parts: list[list[_Token]] = [[]]
    for token in tokens:
        if token.depth == 0 and token.text in texts:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _reads_as_code(tokens: list[_Token]) -> bool:
    """Whether no two operands stand side by side, brackets close what was opened, and every sign is one of code's."""
    after_operand, before = False, ""
    for kind, text, depth in tokens:
        operand = kind in ("word", "number", "string") or text == "..."
        closes = kind == "operator" and text in (")", "]", "}")
        unsound = kind == "operator" and (not text.isascii() or text in _NOT_CODE)
        unsound |= kind == "number" and _NUMBER.fullmatch(text) is None
        unsound |= kind == "string" and (len(text) < 2 or text[-1] not in "\"'")
        if unsound or depth < 0 or operand and after_operand or text == "(" and before[:1].isdigit():
            return False
        after_operand, before = operand or closes, text
    return not tokens or after_operand or before in _ENDINGS or tokens[-1].depth > 0 or before in ("(", "[", "{")
