"""What `VLLMGenerator` does where vLLM is not; tests/real has the rest."""

from __future__ import annotations

import pickle
import sys

import pytest

from asap_hf.errors import UsageError
from asap_hf.llm.generator import Request
from asap_hf.llm.vllm import VLLMGenerator


def test_without_vllm_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    monkeypatch.setitem(sys.modules, "vllm", None)  # as if it were not installed, where it is
    with pytest.raises(UsageError, match=r"pip install 'asap-hf\[vllm\]'") as raised:
        VLLMGenerator("embedded")([Request(({"role": "user", "content": "Hello"},), 0.0)])
    assert "\n" not in str(raised.value)


def test_nothing_to_ask_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASAP_HF_LEDGER", "off")
    monkeypatch.setitem(sys.modules, "vllm", None)
    assert VLLMGenerator("embedded")([]) == []


def test_pickled_state_is_the_hyperparameters() -> None:
    generator = VLLMGenerator("some/model", revision="v1", max_model_len=4096, prompt_price=0.5)
    assert generator.usage.calls == 0
    again = pickle.loads(pickle.dumps(generator))
    assert again == generator
    assert set(vars(again)) == set(VLLMGenerator.__dataclass_fields__)
