"""The tokens of one line of a program in any language, and whether they read as code. Knows no statements.

One observation carries it: in code two words stand side by side only where one of them is a keyword (`not in`,
`int n`), in prose they nearly always do ("Read n and the list").
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Token(NamedTuple):
    """A word, keyword, number, string or operator."""

    kind: str
    """A group of the pattern below, or `"keyword"` for a word that may stand next to another."""
    text: str
    depth: int
    """Brackets open around it, its own not counted; negative from one on that closes what was never opened."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEADERS = _words("if elif else for foreach while def class with try except finally catch switch do struct async")
SIMPLE_STATEMENTS = _words(
    "return break continue pass import from raise del assert global nonlocal yield using use package"
)
JOINING = _words("and or not in is lambda await as")
TYPES = _words(
    "new const int long char bool float double void auto unsigned static let var mut namespace public private "
    "protected template typename inline function func boolean"
)
# What may stand before a declaration, in any order.
MODIFIERS = _words(
    "public private protected internal static final abstract override virtual readonly const constexpr extern inline "
    "export default pub unsigned signed long short volatile synchronized sealed typedef struct enum let var val mut "
    "async typename"
)
ASSIGNMENTS = _words("= += -= *= /= //= %= **= |= &= ^= <<= >>= :=")
_KEYWORDS = HEADERS | SIMPLE_STATEMENTS | JOINING | TYPES
_NOT_CODE = _words("' \" ` $")  # where they are no part of a string
_OPENING, _CLOSING = _words("( [ {"), _words(") ] }")
_ENDINGS = SIMPLE_STATEMENTS | TYPES | _OPENING | _words("; \\ ++ --")  # may end a statement though no operand

# No alternative fails after it has consumed a run of any length, so every line takes linear time: a string may lack
# its closing quote. What follows an apostrophe in prose ("it's") is a string right after a word: no code either.
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>[fFrRbBuU]{0,2}(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?))
    |(?P<template>`(?:(?<=[(=,+\[]`)|(?<=[(=,+\[][ ]`))[^`]*`?)
    |(?P<number>\d[\w.]*(?:(?<=\d[eE])[-+]\d+)?)
    |(?P<word>[^\W\d]\w*)
    |(?P<operator>\.\.\.|\*\*=|//=|>>=|<<=|[-+*/%&|^:@]=|[=!<>]=|[-=]>|\*\*|//|<<|>>|\+\+|--|&&|\|\||::|.)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?)[uUlLfFj]*")


def tokenize(text: str) -> list[Token]:
    """The tokens of a line up to a comment, without spaces; a sign of no language is an operator too."""
    tokens: list[Token] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        kind, piece = match.lastgroup or "", match.group()
        after_statement = not tokens or tokens[-1].text in (";", "{", "}")
        if piece == "#" or (piece == "//" and after_statement):  # elsewhere // divides
            break
        if kind == "space":
            continue
        if piece in _KEYWORDS:
            kind = "keyword"
        elif kind == "template":
            kind = "string"
        depth -= piece in _CLOSING
        tokens.append(Token(kind, piece, depth))
        depth += piece in _OPENING
    return tokens


def find(tokens: list[Token], texts: frozenset[str] | set[str]) -> int | None:
    """Position of the first token outside of brackets that is one of `texts`."""
    return next((position for position, token in enumerate(tokens) if token.depth == 0 and token.text in texts), None)


def split(tokens: list[Token], texts: frozenset[str] | set[str]) -> list[list[Token]]:
    """`tokens` cut at those outside of brackets that are one of `texts`; a part can be empty."""
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token.depth == 0 and token.text in texts:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def read_as_code(tokens: list[Token]) -> bool:
    """Whether no two operands stand side by side, brackets close what was opened, and every sign is one of code's.
    Empty square brackets belong to a type, as in `int[] a` and `[]Edge`: a name may follow them."""
    after_operand, before, pair = False, "", ""
    for token in tokens:
        kind, text, depth = token
        operand = kind in ("word", "number", "string") or text == "..."
        crowded = (after_operand and operand and pair != "[]") or (text == "(" and before[:1].isdigit())
        if depth < 0 or crowded or not _is_sound(token):
            return False
        after_operand, pair, before = operand or text in _CLOSING, before + text, text
    return not tokens or after_operand or before in _ENDINGS or tokens[-1].depth > 0


def goes_on(tokens: list[Token]) -> bool:
    """Whether a bracket is still open after the last token."""
    return bool(tokens) and (tokens[-1].depth > 0 or tokens[-1].text in _OPENING)


def after_type(tokens: list[Token]) -> int:
    """Position of the name that is declared, after modifiers and a type: `long[][] dp`, `Map<String, Integer> counts`,
    `const std::string& s`, `Node *next`; 0 where there is no type with a name after it."""
    start = next((at for at, token in enumerate(tokens) if token.text not in MODIFIERS), len(tokens))
    for place in (start, start - 1):  # `long` is a type by itself, too
        if 0 <= place < len(tokens) and (tokens[place].kind == "word" or tokens[place].text in TYPES):
            name = _after_marks(tokens, _after_arguments(tokens, _after_path(tokens, place)))
            if name < len(tokens) and tokens[name].kind == "word":
                return name
    return 0


def _after_path(tokens: list[Token], place: int) -> int:
    """After `name`, `a::b` or `a.b` that begins at `place`."""
    place += 1
    while place + 1 < len(tokens) and tokens[place].text in ("::", ".") and tokens[place + 1].kind == "word":
        place += 2
    return place


def _after_arguments(tokens: list[Token], place: int) -> int:
    """After the arguments of a type, `<…>`, that may begin at `place`."""
    open_brackets = 0
    for at in range(place, len(tokens)):
        text = tokens[at].text
        open_brackets += {"<": 1, ">": -1, ">>": -2}.get(text, 0)
        if not open_brackets:
            return at + 1 if at > place else place
        if text not in ("<", ",", ".", "::", "?", "*", "&", "[", "]") and tokens[at].kind == "operator":
            break
    return place


def _after_marks(tokens: list[Token], place: int) -> int:
    """After `[]`, `*`, `&` and `?`, as they follow a type."""
    while place < len(tokens) and tokens[place].text in ("[", "]", "*", "&", "&&", "?", "**"):
        place += 1
    return place


def _is_sound(token: Token) -> bool:
    if token.kind == "operator":
        return token.text.isascii() and token.text not in _NOT_CODE
    if token.kind == "number":
        return _NUMBER.fullmatch(token.text) is not None
    return token.kind != "string" or (len(token.text) > 1 and token.text[-1] in "\"'`")


# Directives, a template's head, clauses of SQL in capitals, definitions that no token tells from prose.
CODE_FORMS = re.compile(
    r"#(?:include|define|undef|pragma|ifdef|ifndef|endif)\b|template\s*<|<\?php"
    r"|SELECT\s+(?:DISTINCT\s+)?(?:\*|[\w.\"`(*]+\s*(?:[(,]|AS\b|FROM\b|$))"
    r"|INSERT INTO \w|UPDATE \w+ SET\b|DELETE FROM \w"
    r"|(?:CREATE|ALTER|DROP) (?:OR REPLACE )?(?:TEMP(?:ORARY)? )?(?:UNIQUE )?(?:TABLE|INDEX|VIEW)\b"
    r"|WITH (?:RECURSIVE )?\w+ AS \("
    r"|\$[a-z_]\w*\s*(?:[-+.*/]?=[^=]|->|\[)[^$]*(?:\$[a-z_]\w*\b[^$]*)*;$|(?:echo|export|throw)\s[^.]*;$"
    r"|def \w+[?!]?(?:\(.*\))?$|type [A-Za-z_]\w*\s*(?:struct\b|interface\b|func\b|map\b|[\[=*])"
    r"|(?:data|sealed|abstract|open|enum|public|static|final|export|pub) (?:class|interface|object|struct|enum) \w+"
)
# Clauses that go on, labels, what begins or ends a block or a comment.
DOUBTFUL_FORMS = re.compile(
    r"(?:FROM|WHERE|(?:(?:LEFT|RIGHT|INNER|FULL|CROSS|OUTER) )*JOIN|GROUP BY|ORDER BY|HAVING|LIMIT|UNION(?: ALL)?"
    r"|VALUES)\b.*[^.?!]$|(?:public|private|protected|default|case \w+)\s*:$|\}|/\*|\*/|--\s|end$|<\?php"
    r"|(?:else|do|try|finally|begin)$|[\w.]+\s+do\s*\||puts\s"
)
