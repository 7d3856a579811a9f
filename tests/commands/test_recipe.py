"""`asap-hf recipe`: what it lists, shows and copies, and what it will not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from asap_hf.cli import main
from asap_hf.commands.command_line import parse
from asap_hf.errors import UsageError
from asap_hf.recipes import recipe_kinds, recipe_names, recipe_path


def test_every_file_is_listed_with_model_and_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "list"]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.split() == ["recipe", "kind", "model", "for"]
    assert len(lines) == sum(len(recipe_kinds(name)) for name in recipe_names())
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == recipe_names()
    small = next(line for line in lines if line.startswith("smollm2-135m "))
    assert small.split(maxsplit=3) == [
        "smollm2-135m",
        "train",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        "A trial on a CPU",
    ]
    assert all(line[title.index("for") :].strip() for line in lines)
    assert max(map(len, lines)) < 140


@pytest.mark.parametrize(
    ("words", "name", "kind"),
    [
        (["r1-distill-qwen-7b"], "r1-distill-qwen-7b", "train"),
        (["r1-distill-qwen-7b", "--kind", "train-lora"], "r1-distill-qwen-7b", "train-lora"),
        (["--name", "accelerate", "--kind", "one_gpu"], "accelerate", "one_gpu"),
        (["reference"], "reference", "prune"),
    ],
)
def test_show_prints_the_file_as_it_is(
    words: list[str], name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["recipe", "show", *words]) == 0
    assert capsys.readouterr().out == recipe_path(name, kind).read_text(encoding="utf-8")


def test_copy_writes_a_file_and_its_folder(tmp_path: Path) -> None:
    target = tmp_path / "new" / "my.yaml"
    assert main(["recipe", "copy", "smollm2-135m", str(target)]) == 0
    assert target.read_bytes() == recipe_path("smollm2-135m").read_bytes()


def test_copy_replaces_only_what_it_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "my.yaml"
    target.write_text("learning_rate: 1.0\n")
    for asked in ([], ["--overwrite"]):
        assert main(["recipe", "copy", "smollm2-135m", str(target), *asked]) == 2
        assert f"{str(target)!r} is there already, and no recipe of ours" in capsys.readouterr().err
    assert target.read_text() == "learning_rate: 1.0\n"
    target.write_bytes(recipe_path("r1-distill-qwen-7b").read_bytes())
    assert main(["recipe", "copy", "smollm2-135m", str(target)]) == 2
    assert "replace it with --overwrite" in capsys.readouterr().err
    assert main(["recipe", "copy", "smollm2-135m", str(target), "--overwrite"]) == 0
    assert target.read_bytes() == recipe_path("smollm2-135m").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "r1"], "there is no recipe 'r1'; there is: accelerate, "),
        (["show", "accelerate"], "the recipe 'accelerate' has no 'train'; it has: eight_gpus_fsdp2, "),
        (["show", "../recipes"], "there is no recipe '../recipes'"),
        (["show", "smollm2-135m", "--kind", "prune"], "the recipe 'smollm2-135m' has no 'prune'; it has: train"),
        (["copy", "smollm2-135m"], "name a file to copy to, ./my.yaml for example; got ''"),
        (["copy", "smollm2-135m", "."], "name a file to copy to, ./my.yaml for example; got '.'"),
        (["show", "smollm2-135m", "my.yaml"], "my.yaml"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@dataclass
class One:
    """First field only."""

    first: str = field(default="", metadata={"help": "a"})
    second: str = field(default="", metadata={"help": "b"})


@dataclass
class Two(One):
    """Both fields."""

    POSITIONAL: ClassVar = ("first", "second")


@pytest.mark.parametrize(
    ("kind", "words", "found"),
    [
        (One, ["a"], ("a", "")),
        (One, ["--second", "b"], ("", "b")),
        (Two, ["a", "b"], ("a", "b")),
        (Two, ["a", "--second", "b"], ("a", "b")),
        (Two, ["--first", "a"], ("a", "")),
    ],
)
def test_as_many_words_stand_bare_as_a_class_allows(kind: type[One], words: list[str], found: tuple[str, str]) -> None:
    parsed = parse(kind, words, "asap-hf")
    assert (parsed.first, parsed.second) == found


def test_one_bare_word_too_many_is_named() -> None:
    for kind, words in ((One, ["a", "b"]), (Two, ["a", "b", "c"])):
        with pytest.raises(UsageError, match=words[-1]):
            parse(kind, words, "asap-hf")
