"""Finds code in an answer without proper fences: yields each text that may be a program."""

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

from ..traces.code_lines import LineKind, classify
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
# Where a program may begin after other text: on a line of its own, or after a label ("Answer: def f(x): …").
_BEGINNING = re.compile(
    r"^(?:[ \t]+|[^\n]*?:[*_]*[ \t]+)?"
    r"(?=(?:import|from|def|class|async def)\s+\w|@\w|if __name__|[A-Za-z_][\w, ]*=[^=])",
    re.MULTILINE,
)
_INVISIBLE = {0xA0: " ", 0x202F: " ", 0x3000: " ", **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))}
_NO_PROGRAM = (SyntaxError, ValueError, RecursionError, MemoryError)
_PARSING = threading.Lock()
_TRIES = 12  # places to try as the beginning of a program, and as its end, so that no answer takes long


def tree(code: str, mode: Literal["exec", "eval"] = "exec") -> Any:
    """Call `ast.parse` in one thread at a time: before 3.11.9, Python has one counter of depth for all threads, and
    raises SystemError for a right program."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes in the code's strings
        return ast.parse(code, mode=mode)


def parse(code: str) -> ast.Module | None:
    """The syntax tree of Python code; `None` if it is not Python. The code is not run."""
    try:
        module: ast.Module = tree(code)
    except _NO_PROGRAM:
        return None
    return module


def repaired(code: str) -> str:
    """Undo changes that keep code from being Python: other spaces, HTML entities, indentation of all lines, a language
    name in the first line. Code that is Python already, or is not Python even then, is returned unchanged."""
    head, _, rest = code.lstrip("\r\n").partition("\n")
    if re.fullmatch(r"(?:py|python)[\d.]*\s*", head, re.IGNORECASE) and rest.strip():
        code = rest
    if parse(code) is not None:
        return code
    visible = code.translate(_INVISIBLE)
    forms = (visible, textwrap.dedent(visible), html.unescape(visible), textwrap.dedent(html.unescape(visible)))
    return next((form for form in forms if parse(form) is not None), code)


def bare_text(answer: str) -> str:
    """Remove from an answer a byte order mark, special tokens and tags at its ends or on lines of their own, and
    fences that belong to no block. An answer that is Python already is returned unchanged."""
    text = answer.lstrip("\ufeff")
    if parse(text) is not None:
        return text
    text = _SPECIALS_AT_END.sub("\n", text)
    lines = ("" if is_fence(line) or _TAG_LINE.fullmatch(line) else line for line in text.split("\n"))
    return "\n".join(_FENCE_AT_END.sub("", line) for line in lines)


def forms_of(answer: str) -> Iterator[str]:
    """Yield the texts within an answer that may be its program, the more likely ones first."""
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
    """Yield programs with text before and after: from a line that may begin one to the line with a syntax error."""
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
            if not 0 < place < len(lines) or lines[place][:1].isspace() or classify(lines[place]) is LineKind.CODE:
                break  # a mistake in the program, not text after it
            del lines[place:]


def _goes_on(before: str) -> bool:
    """Whether a text ends in a line of code, to which an indented line after it would belong."""
    last = before.rstrip().rpartition("\n")[2]
    return bool(last) and classify(last) is not LineKind.PROSE


def _as_deep(lines: list[str], depth: int) -> list[str]:
    """The leading lines that are indented by at least `depth` or blank, without that indentation; the first line has
    none."""
    rest = takewhile(lambda line: not line.strip() or not line[:depth].strip(), lines[1:])
    return [lines[0], *(line[depth:] for line in rest)]


def _mistake(code: str) -> int | None:
    """Index of the line with a syntax error, from 0; -1 if no line is known; `None` if the code is Python."""
    try:
        tree(code)
    except SyntaxError as error:
        return (error.lineno or 0) - 1
    except _NO_PROGRAM:
        return -1
    return None


def _strings_in_json(text: str) -> Iterator[str]:
    """Yield the strings of an answer that is JSON, the longest first; of a string with fenced blocks, the last
    block."""
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
