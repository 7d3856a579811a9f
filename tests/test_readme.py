"""What the README and PAPER.md say can be done and found, can be."""

from __future__ import annotations

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from asap_hf.commands.check_sft import CheckArguments, read
from asap_hf.commands.command_line import parse
from asap_hf.commands.train import TrainArguments, flags_of
from asap_hf.train.arguments import read_arguments

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    text = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL)).replace("\\\n", " ")
    return [line.split("#")[0].strip() for line in text.splitlines() if line.startswith("asap-hf ")]


def test_there_are_commands_to_check() -> None:
    assert len(commands()) >= 6


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(command: str) -> None:
    _, name, *words = shlex.split(command)
    module = import_module(f"asap_hf.commands.{name.replace('-', '_')}")
    if hasattr(module, "run"):
        check_flags_of_trl(name, words)
        return
    if hasattr(module, "COMMANDS"):
        arguments, *words = module.COMMANDS[words[0]][0], *words[1:]
    else:
        arguments = module.ARGUMENTS
    parsed = parse(arguments, words, command)
    assert all(getattr(parsed, first) for first in [*arguments.__dataclass_fields__][:1])


def check_flags_of_trl(name: str, words: list[str]) -> None:
    if name == "train":
        arguments, flags = read(TrainArguments, words, name)
        flags = flags_of(arguments, flags)
    else:
        _, flags = read(CheckArguments, words, name)
    assert read_arguments(flags, "unused").asked["dataset_name"] in ("out/", "out-7b/")


def test_python_blocks_compile() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert blocks
    for block in blocks:
        compile(block, "README.md", "exec")


@pytest.mark.parametrize("document", ["README.md", "PAPER.md", "CONTRIBUTING.md"])
def test_every_file_that_is_named_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(
        re.findall(
            r"`((?:asap_hf|bench|tests|dataset_scripts|evaluation|model_cards|pruners|prompts|generation|scoring)/[\w/]*\.?\w+)",
            text,
        )
    )
    named |= set(re.findall(r"`(\w+\.py)\b", text))
    assert named
    missing = [name for name in named if not any((root / name).exists() for root in (ROOT, ROOT / "asap_hf"))]
    assert not missing


@pytest.mark.parametrize("document", ["PAPER.md"])
def test_every_name_behind_a_file_is_in_it(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    pairs = re.findall(r"`([\w/]+\.py): (\w+)(?:\.(\w+))?`", text)
    assert len(pairs) >= 5
    for name, *symbols in pairs:
        source = (ROOT / "asap_hf" / name).read_text(encoding="utf-8")
        for symbol in filter(None, symbols):
            assert re.search(rf"(def|class) {symbol}\b", source), (name, symbol)


def test_citation_is_valid_yaml() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["cff-version"] == "1.2.0"
