"""`asap-hf explore` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asap_hf.commands.command_line import parse
from asap_hf.commands.explore import ARGUMENTS, main
from asap_hf.errors import UsageError
from tests.explore import folders
from tests.explore.folders import Case, one_stage, write_result

SOURCE = folders.trace_of("One.", "Two.")


def explore(*words: object) -> None:
    main(parse(ARGUMENTS, [str(word) for word in words], "asap-hf explore"))


def test_it_writes_the_page_and_says_how_large_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = write_result(tmp_path / "out", [Case(one_stage(SOURCE))] * 2)
    others = [write_result(tmp_path / name, [Case(one_stage(SOURCE.select([0])))]) for name in ("one", "two")]
    explore(out, "--output", tmp_path / "new" / "page.html", "--compare", *others)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("2 traces, 0.1 MB: open ")
    assert told[1] == "1 of them have nothing beside them in some other result"
    assert (tmp_path / "new" / "page.html").read_text().startswith("<!doctype html>")


def test_what_stands_there_is_replaced_only_when_asked(tmp_path: Path) -> None:
    out = write_result(tmp_path / "out", [Case(one_stage(SOURCE))])
    page = tmp_path / "page.html"
    page.write_text("mine")
    for asked in ((), ("--overwrite",)):
        with pytest.raises(UsageError, match="is no page of asap-hf explore: name another file"):
            explore(out, "--output", page, *asked)
    assert page.read_text() == "mine"
    page.unlink()
    explore(out, "--output", page)
    with pytest.raises(UsageError, match="pass --overwrite"):
        explore(out, "--output", page)
    explore(out, "--output", page, "--overwrite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "page.html"]


BAD = [
    (("{out}", "--output", "{out}"), "is a folder"),
    (("{out}", "--output", "{out}/../p.html", "--limit", "0"), "--limit is 1 or more"),
    (("{out}/steps", "--output", "{out}/../p.html"), "is no result of asap-hf prune"),
]


@pytest.mark.parametrize(("words", "said"), BAD)
def test_bad_usage_is_one_sentence(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    out = write_result(tmp_path / "out", [Case(one_stage(SOURCE))])
    with pytest.raises(UsageError, match=said):
        explore(*(word.format(out=out) for word in words))
    assert not (tmp_path / "p.html").exists()
