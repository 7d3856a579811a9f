"""Values from outside stay text, in a line, a cell, a link, Python and a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from jinja2 import UndefinedError

from asap_hf.reporting.markdown import code, count, hub_link, python, render, shell, table, text

TEXTS = [
    (code, "a_b-c: 4.0", "`a_b-c: 4.0`"),
    (code, "over_budget: N > N", "`over_budget: N > N`"),
    (code, "a|b", "<code>a&#124;b</code>"),
    (code, "a`b", "<code>a&#96;b</code>"),
    (code, "<b>", "<code>&lt;b&gt;</code>"),
    (code, "a\n b", "`a b`"),
    (code, "", "<code></code>"),
    (text, "no </think>, 100% (a_b)", "no &lt;/think&gt;, 100% (a_b)"),
    (text, "_a_ *b* [c]", "&#95;a&#95; &#42;b&#42; &#91;c&#93;"),
    (python, 'a"b\nc', '"a\\"b c"'),
    (shell, "it's  a", "'it'\"'\"'s  a'"),
    (shell, "it's\na\\\u202e\udcff", "$'it\\'s\\x0aa\\\\\\xe2\\x80\\xae\\xff'"),
    (hub_link, "a/b", "[a/b](https://huggingface.co/a/b)"),
    (hub_link, "../b", "`../b`"),
    (hub_link, "a/b/c", "`a/b/c`"),
    (hub_link, "a/b)x", "`a/b)x`"),
    (count, 1234567, "1,234,567"),
    (count, 1610.0, "1,610"),
    (count, 4044.5, "4,044.5"),
]


@pytest.mark.parametrize(("function", "value", "shown"), TEXTS)
def test_how_a_value_is_shown(function: Callable[[Any], str], value: Any, shown: str) -> None:
    assert function(value) == shown


@pytest.mark.parametrize(
    "word", ["it's\na", "  two  blanks ", "\\'\\\\\t", '$x `y` "z"', "\u202eevil\u202c", "a\xa0b", "-x", ""]
)
def test_bash_takes_a_word_to_the_letter(word: str) -> None:
    done = subprocess.run(["bash", "-c", f"printf %s {shell(word)}"], capture_output=True, check=True)
    assert done.stdout.decode() == word


def test_cells_that_are_no_markdown_are_escaped() -> None:
    assert table(["", "n"], [["a | b", code("c")]], numbers=[1]) == "|  | n |\n| --- | ---: |\n| a &#124; b | `c` |"


def test_a_template_that_asks_for_what_is_not_there_fails() -> None:
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        render("model_card.md")
