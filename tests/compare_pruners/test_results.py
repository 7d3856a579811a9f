"""Results on disk: gone on with, refused where they would be mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from asap_hf.compare_pruners.results import Results
from asap_hf.errors import UsageError

SETTINGS = {"judge": "small", "splitter": "code"}


def result(trace: str = "t", ratio: float | None = 0.5, identity: str = "one", nats: float = 1.0) -> dict[str, Any]:
    return {"trace": trace, "pruner": "random", "ratio": ratio, "identity": identity, "nats": nats}


def test_what_was_added_is_there_again_and_other_traces_are_left_out(tmp_path: Path) -> None:
    results = Results(tmp_path / "new" / "folder", SETTINGS)
    for one in (result("a"), result("b"), result("b", None)):
        results.add(one)
    results.close()
    again = Results(tmp_path / "new" / "folder", dict(reversed(SETTINGS.items())))
    assert again.about(["b", "c"]) == [result("b"), result("b", None)]
    assert ("a", "random", 0.5) in again
    assert ("a", "random", None) not in again
    header, *lines = (tmp_path / "new" / "folder" / "results.jsonl").read_text().splitlines()
    assert json.loads(header) == {"settings": SETTINGS}
    assert [json.loads(line) for line in lines] == [result("a"), result("b"), result("b", None)]


def test_a_line_that_a_kill_cut_short_is_measured_again(tmp_path: Path) -> None:
    results = Results(tmp_path, SETTINGS)
    results.add(result("a"))
    results.add(result("b"))
    results.close()
    path = tmp_path / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = Results(tmp_path, SETTINGS)
    assert [one["trace"] for one in again.about(["a", "b"])] == ["a"]
    again.add(result("b"))
    assert len(Results(tmp_path, SETTINGS).about(["a", "b"])) == 2


def test_other_settings_are_refused_by_name_and_given_up_only_when_told(tmp_path: Path) -> None:
    first = Results(tmp_path, SETTINGS)
    first.add(result())
    first.close()
    other = {**SETTINGS, "splitter": "paper"}
    with pytest.raises(UsageError, match=r"other settings \(splitter 'code', now 'paper'\)"):
        Results(tmp_path, other)
    assert Results(tmp_path, SETTINGS).about(["t"]) == [result()]
    assert Results(tmp_path, other, overwrite=True).about(["t"]) == []
    assert Results(tmp_path, other).about(["t"]) == []


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").write_text('{"nll": 1.0}\n')
    with pytest.raises(UsageError, match="other settings"):
        Results(tmp_path, SETTINGS)
    assert (tmp_path / "results.jsonl").read_text() == '{"nll": 1.0}\n'


def test_a_pruner_of_other_settings_is_refused_only_about_these_traces(tmp_path: Path) -> None:
    results = Results(tmp_path, SETTINGS)
    results.add(result("a"))
    results.refuse_others({("random", 0.5): "one"}, ["a"])
    results.refuse_others({("random", 0.25): "two", ("other", 0.5): "two"}, ["a"])
    results.refuse_others({("random", 0.5): "two"}, ["b"])
    with pytest.raises(UsageError, match="'random' at ratio 0.5 with other settings"):
        results.refuse_others({("random", 0.5): "two"}, ["a"])
    results.close()
    forgetful = Results(tmp_path, SETTINGS, overwrite=True)
    forgetful.refuse_others({("random", 0.5): "two"}, ["a"])
    assert forgetful.about(["a"]) == []
    forgetful.add(result("a", identity="two", nats=2.0))
    forgetful.close()
    assert Results(tmp_path, SETTINGS).about(["a"]) == [result("a", identity="two", nats=2.0)]
