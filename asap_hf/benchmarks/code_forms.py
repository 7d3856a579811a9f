"""The forms that code has in an answer where it stands in no proper fence: each a text that may be a program."""

from __future__ import annotations

import ast
import html
import json
import re
import textwrap
import threading
import warnings
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Literal

from ..traces.code_lines import Kind, classify
from ..traces.fence_marks import SPECIAL, is_fence
from ..traces.fences import find_blocks

_SPECIALS_AT_END = re.compile(rf"(?:\s*{SPECIAL.pattern})+\s*\Z")
_TAG_LINE = re.compile(rf"\s*(?:(?:{SPECIAL.pattern}|</?[A-Za-z][^<>\n]*>)\s*)+")
_ELEMENT = re.compile(r"<(pre|code|answer|solution|python|program)\b[^<>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
_TAGS_AROUND = re.compile(r"\A\s*<[^<>\n]*>|</[^<>\n]*>\s*\Z")
_ENVIRONMENT = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted|python|code)\*?\}(?:\[[^\]\n]*\]|\{[^}\n]*\})*(.*?)\\end\{\1\*?\}",
    re.DOTALL,
)
_BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)
_IN_LINE = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]+)\1(?!`)")
_FENCE_AT_END = re.compile(r"(?<=[^`\s])```$")
_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.)(?: |$)(.*)$", re.MULTILINE)
# Where a program may begin after other text: in a line of its own, or behind a label ("Answer: def f(x): …").
_BEGINNING = re.compile(
    r"^(?:[ \t]+|[^\n]*?:[*_]*[ \t]+)?"
    r"(?=(?:import|from|def|class|async def)\s+\w|@\w|if __name__|[A-Za-z_][\w, ]*=[^=])",
    re.MULTILINE,
)
_INVISIBLE = {0xA0: " ", 0x202F: " ", 0x3000: " ", **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))}
_NO_PROGRAM = (SyntaxError, ValueError, RecursionError, MemoryError)
_PARSING = threading.Lock()
_TRIES = 12  # places where a program may begin, and where it may end: no answer takes long


def tree(code: str, mode: Literal["exec", "eval"] = "exec") -> Any:
    """What `ast.parse` makes of a text, one text at a time: before 3.11.9, Python counts the depth of all threads that
    parse in one number, and raises SystemError for a right program."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about escapes in other people's strings
        return ast.parse(code, mode=mode)


def parse(code: str) -> ast.Module | None:
    """The tree of a program in Python; `None` where it is none. It is not run."""
    try:
        module: ast.Module = tree(code)
    except _NO_PROGRAM:
        return None
    return module


def mended(code: str) -> str:
    """Code as it was before the way here changed it: spaces that are none for Python, entities for signs, all of it
    indented, a language in its first line. As it stands where it is Python already, or is not made so."""
    head, _, rest = code.lstrip("\r\n").partition("\n")
    if re.fullmatch(r"(?:py|python)[\d.]*\s*", head, re.IGNORECASE) and rest.strip():
        code = rest
    if parse(code) is not None:
        return code
    visible = code.translate(_INVISIBLE)
    forms = (visible, textwrap.dedent(visible), html.unescape(visible), textwrap.dedent(html.unescape(visible)))
    return next((form for form in forms if parse(form) is not None), code)


def bare_text(answer: str) -> str:
    """An answer without what is no part of it: a byte order mark, special tokens and tags at its ends or in lines of
    their own, fences that belong to no block. As it stands where it is Python already."""
    text = answer.lstrip("\ufeff")
    if parse(text) is not None:
        return text
    text = _SPECIALS_AT_END.sub("\n", text)
    lines = ("" if is_fence(line) or _TAG_LINE.fullmatch(line) else line for line in text.split("\n"))
    return "\n".join(_FENCE_AT_END.sub("", line) for line in lines)


def forms_of(answer: str) -> Iterator[str]:
    """Texts within an answer without fenced blocks that may be its program, the likelier ones first."""
    text = bare_text(answer)
    yield text
    for elements in (_ELEMENT, _ENVIRONMENT):
        yield from (_TAGS_AROUND.sub("", found[2]) for found in reversed(list(elements.finditer(answer))))
    yield from _within_words(text)
    yield from (found[1] for found in _BOXED.finditer(answer))
    if _PROMPT.search(answer):
        yield "\n".join(_PROMPT.findall(answer)) + "\n"
    yield from _strings_in_json(answer)
    if "\\n" in answer:
        yield answer.strip().strip("\"'").replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
    yield from (found[2] for found in _IN_LINE.finditer(answer))


def _within_words(text: str) -> Iterator[str]:
    """A program with words before and after it: from a line that may begin one to the line that Python stops at."""
    for _, beginning in zip(range(_TRIES), _BEGINNING.finditer(text), strict=False):
        depth = len(beginning[0]) if beginning[0].isspace() else 0
        if depth and _goes_on(text[: beginning.start()]):
            continue
        lines = _as_deep(text[beginning.end() :].split("\n"), depth)
        for _ in range(_TRIES):
            place = _mistake("\n".join(lines))
            if place is None:
                yield "\n".join(lines).rstrip() + "\n"
                break
            if not 0 < place < len(lines) or lines[place][:1].isspace() or classify(lines[place]) is Kind.CODE:
                break  # a mistake in the program, and no word after it
            del lines[place:]


def _goes_on(before: str) -> bool:
    """Whether a text ends in a line of code, so that an indented line after it is part of that."""
    last = before.rstrip().rpartition("\n")[2]
    return bool(last) and classify(last) is not Kind.PROSE


def _as_deep(lines: list[str], depth: int) -> list[str]:
    """The first lines that are no less deep than the first, which lacks its indentation, all without it."""
    rest = takewhile(lambda line: not line.strip() or not line[:depth].strip(), lines[1:])
    return [lines[0], *(line[depth:] for line in rest)]


def _mistake(code: str) -> int | None:
    """Number of the line from 0 that keeps code from being Python, -1 where no line is to blame; `None` if it is."""
    try:
        tree(code)
    except SyntaxError as error:
        return (error.lineno or 0) - 1
    except _NO_PROGRAM:
        return -1
    return None


def _strings_in_json(text: str) -> Iterator[str]:
    """The strings of an answer that is JSON, the longest first; of one with fenced blocks the last of them."""
    start = next((place for place, sign in enumerate(text) if sign in '{["'), 0)
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return
    for string in sorted(_strings(value), key=len, reverse=True):
        blocks = find_blocks(string.split("\n"))
        yield "\n".join(blocks[-1].content) if blocks else string


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
