"""The program in an answer: its last complete block of Python, or the answer itself where that is bare code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from ..traces.fence_marks import SPECIAL
from ..traces.fences import Block, find_blocks
from ..traces.think_tags import answer_in, begins_open
from .code_forms import bare_text, forms_of, mended, parse

_PYTHON = re.compile(r"(?:py(?:thon|py)?|c?python|ipython)[\d.]*|.*\.py", re.IGNORECASE)
# Words after a fence that say what the block is, and not in what language.
_UNSAID = frozenset(("", "code", "answer", "solution", "final", "program", "text", "txt", "plaintext", "plain"))
_LANGUAGE = re.compile(r"[^\s,;:{}()\[\]=]+")
_BESIDE_FENCE = re.compile(rf"((?:{SPECIAL.pattern})+)(?=[`~]{{3}})|(?<=```)((?:{SPECIAL.pattern})+)", re.MULTILINE)
_HEADING = re.compile(r"^#{2,6} ", re.MULTILINE)
_OUTPUTS = frozenset(("print", "write", "main", "solve"))


def program_in(answer: str, entry_point: str | None = None) -> str | None:
    """The Python program that an answer gives.

    Of its fenced blocks those that say that they are Python are looked at, or, where none says so, those that do not
    say what they are. Models like to show a call of their function in a block after it, so the last block is taken
    that does more than call and show; if all of them only do that, the last one. A block whose fence is never closed
    counts where no other does and it is a whole program: it may have been cut off.

    Where no block is such a program, it is looked for without fences: the answer as it stands, without tags and
    special tokens; in HTML, LaTeX or JSON; with words around it; behind the prompts of a session. What is found that
    way must define `entry_point`, or, where there is none, write output.

    Args:
        answer (`str`):
            What follows the reasoning. Of an answer that begins with an opening think tag, only what follows the
            closing one counts.
        entry_point (`str`, *optional*):
            A function or class that the program must define. The last block that defines it goes before all others:
            what follows the solution may also be a test of it.

    Returns:
        `str` or `None`: the code as it stands, without the fence and its indentation, mended where it was no Python
        and only white space or entities kept it from being so; `None` where there is none.
    """
    text = answer_in(answer) if begins_open(answer) else answer
    if text is None:
        return None
    blocks = [block for block in find_blocks(_apart(text).split("\n")) if "".join(block.content).strip()]
    codes = _python(block for block in blocks if block.closed)
    chosen = _chosen(codes, entry_point)
    if chosen is not None and (_defines(parse(chosen), entry_point) if entry_point else parse(chosen) is not None):
        return chosen
    unclosed = _python(block for block in blocks if not block.closed)
    cut = _chosen([code for code in unclosed if _is_whole(code) and _suits(code, entry_point)], entry_point)
    if cut is not None:
        return cut
    others = any(block.closed and not _says_python(block) and not _says_nothing(block) for block in blocks)
    if unclosed or (others and not entry_point):  # it was cut off, or is in another language
        return chosen
    whole = bare_text(text)
    if not blocks and _does_something(parse(whole)):
        whole = mended(whole)
        return _without_words_at_end(whole) if entry_point else whole
    return next((form for form in map(mended, forms_of(text)) if _suits(form, entry_point)), chosen)


def _apart(text: str) -> str:
    """A text in which what a tokenizer wrote beside a fence stands in lines of its own."""
    return _BESIDE_FENCE.sub(lambda found: f"\n{found[0]}\n", text.lstrip("\ufeff"))


def _python(blocks: Iterable[Block]) -> list[str]:
    """The code of the blocks that say that they are Python, or else of those that do not say what they are."""
    blocks = list(blocks)
    said = [block for block in blocks if _says_python(block)]
    return [mended(_code(block)) for block in said or filter(_says_nothing, blocks)]


def _code(block: Block) -> str:
    code = "".join(f"{line}\n" for line in block.content)
    return code if block.closed else f"{code.rstrip()}\n"


def _says_python(block: Block) -> bool:
    return _PYTHON.fullmatch(_language(block)) is not None


def _says_nothing(block: Block) -> bool:
    return _language(block).lower() in _UNSAID


def _language(block: Block) -> str:
    """`python` of "python title=x", "{.python}" and "python:solution.py"."""
    found = _LANGUAGE.search(block.info)
    return found[0].removeprefix(".") if found else ""


def _chosen(codes: list[str], entry_point: str | None) -> str | None:
    defining = [code for code in codes if entry_point and _defines(parse(code), entry_point)]
    working = [code for code in codes if _does_something(parse(code))]
    return next((found[-1] for found in (defining, working, codes) if found), None)


def _is_whole(code: str) -> bool:
    """Whether code that may have been cut off is a program with its last statement; half a word, which is a statement
    too, and a `return` of nothing look cut off."""
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
    """Whether code that was found without a fence, or with another's, is the program that was asked for."""
    tree = parse(code)
    if entry_point:
        return _defines(tree, entry_point)
    return tree is not None and _does_something(tree) and _writes(tree) and not _returns(tree)


def _does_something(tree: ast.Module | None) -> bool:
    """Whether it is code that does more than call a function and show a value; prose is no code."""
    return tree is not None and any(not isinstance(statement, ast.Expr) for statement in tree.body)


def _writes(tree: ast.Module) -> bool:
    called = (one.func for one in ast.walk(tree) if isinstance(one, ast.Call))
    return any(getattr(one, "id", getattr(one, "attr", "")) in _OUTPUTS for one in called)


def _without_words_at_end(code: str) -> str:
    """Code without the sections after it that a Markdown heading, which Python takes for a comment, makes part of it:
    "## Complexity", "O(n)". A call of the function does not matter either where it is called by a test."""
    headings = [found.start() for found in _HEADING.finditer(code)]
    for start in reversed(headings):
        if _does_something(parse(code[start:])) or not _does_something(parse(code[:start])):
            break
        code = code[:start]
    return code


def _returns(tree: ast.Module) -> bool:
    """Whether it is the body of a function that it does not hold."""
    return any(isinstance(statement, ast.Return) for statement in tree.body)


def _defines(tree: ast.Module | None, name: str) -> bool:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return tree is not None and any(isinstance(one, definitions) and one.name == name for one in tree.body)
