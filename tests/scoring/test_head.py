"""Hidden states to surprisal and entropy: against float64, whatever the weights are in."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig

from asap_hf.errors import RunError
from asap_hf.scoring import head as heads
from asap_hf.scoring.head import OutputLayer


def head_of(weight: torch.Tensor, bias: torch.Tensor | None = None, **config: object) -> OutputLayer:
    layer = SimpleNamespace(weight=weight, bias=bias)
    settings = LlamaConfig()
    for name, value in config.items():
        setattr(settings, name, value)
    return OutputLayer(SimpleNamespace(get_output_embeddings=lambda: layer, config=settings))


def expected(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    log_p = logits.double().log_softmax(-1)
    return -log_p.gather(1, targets[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)


@pytest.fixture
def hidden() -> torch.Tensor:
    return torch.randn(70, 24, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weight() -> torch.Tensor:
    return torch.randn(1003, 24, generator=torch.Generator().manual_seed(1)) * 2


@pytest.fixture
def targets() -> torch.Tensor:
    return torch.randint(1003, (70,), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("tile", [2**24, 70 * 100, 10], ids=["one-tile", "tiles", "narrowest"])
@pytest.mark.parametrize("rows", [8192, 32])
def test_against_float64(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
    dtype: str,
    tile: int,
    rows: int,
) -> None:
    monkeypatch.setattr(heads, "_TILE", tile)
    monkeypatch.setattr(heads, "_TILE_ROWS", rows)
    monkeypatch.setattr(heads, "_CPU_SLICE", 500)
    hidden, weight = hidden.to(getattr(torch, dtype)), weight.to(getattr(torch, dtype))
    surprisal, entropy = head_of(weight)(hidden, targets)
    wanted_surprisal, wanted_entropy = expected(hidden.double() @ weight.double().T, targets)
    # In 16 bits the weights are rounded, but no logit is: one rounding to bfloat16 would cost some 0.1 here.
    assert (surprisal - wanted_surprisal).abs().max() < 5e-5
    assert (entropy - wanted_entropy).abs().max() < 5e-5


def test_a_certain_token_keeps_its_small_surprisal() -> None:
    weight = torch.zeros(1000, 8)
    weight[3, 0] = 1.0
    hidden = torch.zeros(2, 8)
    hidden[:, 0] = torch.tensor([18.0, 21.0])
    surprisal, entropy = head_of(weight)(hidden, torch.tensor([3, 3]))
    wanted_surprisal, wanted_entropy = expected(hidden.double() @ weight.double().T, torch.tensor([3, 3]))
    assert wanted_surprisal.max() < 2e-5
    assert (surprisal - wanted_surprisal).abs().max() < 2e-6
    assert (entropy - wanted_entropy).abs().max() < 2e-5
    assert surprisal[0] > 5 * surprisal[1] > 0


def test_bias_scale_and_cap_in_the_models_order(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor
) -> None:
    bias = torch.randn(1003, generator=torch.Generator().manual_seed(3))
    head = head_of(weight, bias, logit_scale=0.25, final_logit_softcapping=3.0)
    logits = (hidden.double() @ weight.double().T + bias) * 0.25
    wanted_surprisal, wanted_entropy = expected(torch.tanh(logits / 3.0) * 3.0, targets)
    surprisal, entropy = head(hidden, targets)
    assert (surprisal - wanted_surprisal).abs().max() < 1e-5
    assert (entropy - wanted_entropy).abs().max() < 1e-5


def test_the_precision_of_others_products_is_left_as_it_was(hidden: torch.Tensor, weight: torch.Tensor) -> None:
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    head = head_of(weight.bfloat16())
    head(hidden.bfloat16(), torch.zeros(70, dtype=torch.int64))
    assert matmul.fp32_precision == before
    with pytest.raises(RuntimeError, match="Index tensor"):
        head(hidden.bfloat16(), torch.zeros(70, 2, dtype=torch.int64))
    assert matmul.fp32_precision == before


def test_logits_in_memory_do_not_grow_with_the_text(weight: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_TILE", 2**14)
    monkeypatch.setattr(heads, "_TILE_ROWS", 64)
    sizes, logits = [], OutputLayer.logits

    def measured(self: OutputLayer, hidden: torch.Tensor, begin: int, end: int) -> torch.Tensor:
        tile = logits(self, hidden, begin, end)
        sizes.append(tile.numel())
        return tile

    monkeypatch.setattr(OutputLayer, "logits", measured)
    for rows in (10, 100, 3000):
        head_of(weight)(torch.randn(rows, 24), torch.zeros(rows, dtype=torch.int64))
    assert max(sizes) <= 2**14


@pytest.mark.parametrize("layer", [None, SimpleNamespace(weight=torch.zeros(4, 4, dtype=torch.int8))])
def test_a_model_without_a_plain_output_layer_is_refused(layer: object) -> None:
    with pytest.raises(RunError, match="no plain output layer"):
        OutputLayer(SimpleNamespace(get_output_embeddings=lambda: layer, config=LlamaConfig()))
