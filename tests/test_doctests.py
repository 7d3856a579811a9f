"""Every public name shows by an example how it is used, and the example holds."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import asap_hf


@pytest.mark.parametrize("name", [name for name in asap_hf.__all__ if name != "__version__"])
def test_the_example_holds(
    name: str, embedded_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.chdir(tmp_path)
    text = getattr(asap_hf, name).__doc__
    example = doctest.DocTestParser().get_doctest(text, {"__name__": "__main__"}, name, None, 0)
    assert any(one.want for one in example.examples), f"{name} has no example that shows a result"
    failed, tried = doctest.DocTestRunner(verbose=False).run(example)
    assert (failed, tried) == (0, len(example.examples)), capsys.readouterr().out
