"""The command line itself: exit codes, help, what a terminal and a log see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asap_hf import __version__
from asap_hf.cli import main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_without_a_command_it_lists_them_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "prune" in capsys.readouterr().out


def test_an_unknown_command_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prone"]) == 2
    assert "there is: prune" in capsys.readouterr().err


def test_an_unknown_flag_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "x.jsonl", "--budget", "4096"]) == 2
    assert "--budget" in capsys.readouterr().err


def test_an_unknown_name_in_yaml_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text("dataset_name: x.jsonl\noutput_dir: out\nmax_token: 5\n")
    assert main(["prune", "--config", str(tmp_path / "c.yaml")]) == 2
    assert "max_token" in capsys.readouterr().err


def test_every_flag_has_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    from asap_hf.commands.prune_arguments import PruneArguments

    with pytest.raises(SystemExit) as raised:
        main(["prune", "--help"])
    assert raised.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name, one in PruneArguments.__dataclass_fields__.items():
        assert f"--{name}" in shown
        assert one.metadata["help"].split(",")[0].split(":")[0][:40] in shown


def test_ctrl_c_is_a_sentence_and_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("asap_hf.cli._run", interrupted)
    assert main(["prune"]) == 130
    assert "continues from there" in capsys.readouterr().err


def test_what_nobody_foresaw_is_one_line_and_debug_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(argv: list[str]) -> int:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("asap_hf.cli._run", broken)
    assert main(["prune"]) == 1
    assert capsys.readouterr().err == "asap-hf: ZeroDivisionError: division by zero (--debug shows where)\n"
    with pytest.raises(ZeroDivisionError):
        main(["prune", "--debug"])


def test_help_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from asap_hf.cli import main\n"
        "try: main(['prune', '--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('torch', 'datasets', 'vllm') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.stderr.strip().endswith("[]"), done.stderr
