"""Extracts the program from an answer: its last complete block of Python, or the answer itself if that is code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from ..traces.fence_marks import SPECIAL
from ..traces.fences import Block, find_blocks
from ..traces.think_tags import answer_in, begins_open
from .code_forms import bare_text, forms_of, parse, repaired

_PYTHON = re.compile(r"(?:py(?:thon|py)?|c?python|ipython)[\d.]*|.*\.py", re.IGNORECASE)
# Info strings of fences that name no language.
_NO_LANGUAGE = frozenset(("", "code", "answer", "solution", "final", "program", "text", "txt", "plaintext", "plain"))
_LANGUAGE = re.compile(r"[^\s,;:{}()\[\]=]+")
_AT_FENCE = re.compile(rf"((?:{SPECIAL.pattern})+)(?=[`~]{{3}})|(?<=```)((?:{SPECIAL.pattern})+)", re.MULTILINE)
_HEADING = re.compile(r"^#{2,6} ", re.MULTILINE)
_OUTPUTS = frozenset(("print", "write", "main", "solve"))


def program_in(answer: str, entry_point: str | None = None) -> str | None:
    """The Python program in an answer.

    Candidates are the fenced blocks labelled as Python or, if there are none, those without a language. Models often
    show a call of their function in a later block, so the last block is taken that does more than call functions and
    show values; if there is none, the last block. A block without a closing fence is used only if no other is, and if
    it is a whole program, as it may have been cut off.

    If no block is a program, one is searched without fences: the answer itself without tags and special tokens; in
    HTML, LaTeX or JSON; with text around it; after the prompts of an interactive session. A program found in this way
    must define `entry_point` or, without one, write output.

    Args:
        answer (`str`):
            The text after the reasoning. If it begins with an opening think tag, only the text after the closing tag
            is used.
        entry_point (`str`, *optional*):
            A function or class that the program must define. The last block that defines it is preferred, since
            blocks after the solution may be tests of it.

    Returns:
        `str` or `None`: the code without the fence and its indentation, otherwise unchanged, except that white space
        and HTML entities are repaired if the code is Python only then; `None` if there is no program.
    """
    text = answer_in(answer) if begins_open(answer) else answer
    if text is None:
        return None
    blocks = [block for block in find_blocks(_split_specials(text).split("\n")) if "".join(block.content).strip()]
    codes = _python(block for block in blocks if block.closed)
    chosen = _chosen(codes, entry_point)
    if chosen is not None and (_defines(parse(chosen), entry_point) if entry_point else parse(chosen) is not None):
        return chosen
    unclosed = _python(block for block in blocks if not block.closed)
    cut = _chosen([code for code in unclosed if _is_whole(code) and _suits(code, entry_point)], entry_point)
    if cut is not None:
        return cut
    others = any(block.closed and not _is_python(block) and not _has_no_language(block) for block in blocks)
    if unclosed or (others and not entry_point):  # the program was cut off, or is in another language
        return chosen
    whole = bare_text(text)
    if not blocks and _does_something(parse(whole)):
        whole = repaired(whole)
        return _without_words_at_end(whole) if entry_point else whole
    return next((form for form in map(repaired, forms_of(text)) if _suits(form, entry_point)), chosen)


def _split_specials(text: str) -> str:
    """Put special tokens next to a fence on lines of their own."""
    return _AT_FENCE.sub(lambda found: f"\n{found[0]}\n", text.lstrip("\ufeff"))


def _python(blocks: Iterable[Block]) -> list[str]:
    """The code of the blocks labelled as Python or, if there are none, of those without a language."""
    blocks = list(blocks)
    labelled = [block for block in blocks if _is_python(block)]
    return [repaired(_code(block)) for block in labelled or filter(_has_no_language, blocks)]


def _code(block: Block) -> str:
    code = "".join(f"{line}\n" for line in block.content)
    return code if block.closed else f"{code.rstrip()}\n"


def _is_python(block: Block) -> bool:
    return _PYTHON.fullmatch(_language(block)) is not None


def _has_no_language(block: Block) -> bool:
    return _language(block).lower() in _NO_LANGUAGE


def _language(block: Block) -> str:
    """`python` of "python title=x", "{.python}" and "python:solution.py"."""
    found = _LANGUAGE.search(block.info)
    return found[0].removeprefix(".") if found else ""


def _chosen(codes: list[str], entry_point: str | None) -> str | None:
    defining = [code for code in codes if entry_point and _defines(parse(code), entry_point)]
    working = [code for code in codes if _does_something(parse(code))]
    return next((found[-1] for found in (defining, working, codes) if found), None)


def _is_whole(code: str) -> bool:
    """Whether code without a closing fence is a whole program. It is taken to be cut off if it ends in a name, which
    may be half a word, or in a `return` without a value."""
    tree = parse(code)
    if not _does_something(tree) or tree is None:
        return False
    last: ast.AST = tree
    while inner := getattr(last, "orelse", None) or getattr(last, "body", None):
        last = inner[-1] if isinstance(inner, list) else inner
    if isinstance(last, ast.Return):
        return last.value is not None
    return not (isinstance(last, ast.Expr) and isinstance(last.value, (ast.Name, ast.Attribute)))


def _suits(code: str, entry_point: str | None) -> bool:
    """Whether code that was found outside of closed Python blocks is a program with the entry point or with output."""
    tree = parse(code)
    if entry_point:
        return _defines(tree, entry_point)
    return tree is not None and _does_something(tree) and _writes(tree) and not _returns(tree)


def _does_something(tree: ast.Module | None) -> bool:
    """Whether this is code that does more than call functions and show values."""
    return tree is not None and any(not isinstance(statement, ast.Expr) for statement in tree.body)


def _writes(tree: ast.Module) -> bool:
    called = (one.func for one in ast.walk(tree) if isinstance(one, ast.Call))
    return any(getattr(one, "id", getattr(one, "attr", "")) in _OUTPUTS for one in called)


def _without_words_at_end(code: str) -> str:
    """Remove sections of text after the code, such as "## Complexity" with "O(n)", which parse as Python because it
    takes the Markdown heading for a comment. Sections that only call the function go, too: tests call it anyway."""
    headings = [found.start() for found in _HEADING.finditer(code)]
    for start in reversed(headings):
        if _does_something(parse(code[start:])) or not _does_something(parse(code[:start])):
            break
        code = code[:start]
    return code


def _returns(tree: ast.Module) -> bool:
    """Whether this is the body of a function without its `def` line."""
    return any(isinstance(statement, ast.Return) for statement in tree.body)


def _defines(tree: ast.Module | None, name: str) -> bool:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return tree is not None and any(isinstance(one, definitions) and one.name == name for one in tree.body)
