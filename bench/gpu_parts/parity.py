"""The same numbers on the device as on the CPU, whatever the neighbours in the batch, also where memory runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import torch

from asap_hf.scoring.forward import Scores, ScoringModel
from asap_hf.scoring.windows import Window

from .machine import Machine
from .models import random_model, shape
from .report import Table
from .scoring import scoring_model, windows_of

_MOST = 65536  # tokens in a forward pass
LENGTHS = (1500, 1400, 1100, 700, 400, 400, 150, 90)


def parity(machine: Machine) -> Iterator[Table]:
    """Surprisal and entropy of the same small model, in nats, against float32 on the CPU; and of the same windows
    beside other neighbours."""
    windows = windows_of([length // (8 if machine.smallest else 1) for length in LENGTHS], every=1)
    config = shape("smollm2-135m", machine)
    torch.manual_seed(0)
    weights = random_model(config, "cpu", torch.float32).state_dict()
    exact = scores(_model(config, weights, "cpu", torch.float32), windows, 1)
    table = Table(
        f"smollm2-135m's shape, {sum(len(one.rows) for one in windows):,} tokens: differences in nats",
        ["", "mean from the CPU's float32", "largest", "largest between neighbours", "same bits"],
        notes=["between neighbours: each window alone against all windows in padded batches"],
    )
    for dtype in (torch.float32, torch.bfloat16):
        model = _model(config, weights, machine.device, dtype)
        alone, together = scores(model, windows, 1), scores(model, windows, 16384)
        far, apart = np.abs(alone - exact), np.abs(alone - together)
        assert np.isfinite(alone).all() and far.mean() < (1e-3 if dtype == torch.float32 else 0.2)
        name = str(dtype).removeprefix("torch.")
        table.rows.append(
            [f"{name} on {machine.device}", *map(float, (far.mean(), far.max(), apart.max())), str(not apart.any())]
        )
    yield table


def scores(model: ScoringModel, windows: Sequence[Window], most: int) -> np.ndarray:
    """Surprisal and entropy of all windows, of shape `(2, tokens)`."""
    found: dict[int, Scores] = {}
    for batch in model.score_all(windows, most):
        for window, of_window in batch:
            assert of_window is not None and len(of_window[0]) == len(window.rows)
            assert of_window[0].dtype == np.float64
            found[window.trace] = of_window
    return np.array([np.concatenate([found[one.trace][kind] for one in windows]) for kind in (0, 1)])


def _model(config: object, weights: dict[str, torch.Tensor], device: str, dtype: torch.dtype) -> ScoringModel:
    model = random_model(config, device, dtype)
    model.load_state_dict(weights)
    return ScoringModel(model, torch.device(device))


def out_of_memory(machine: Machine) -> Iterator[Table]:
    """The scorer with too little memory: what fits is scored as ever, in smaller batches; what does not says so."""
    table = Table(
        "qwen2-7b's shape, running out of memory", ["", "forward passes", "windows scored", "windows that do not fit"]
    )
    if not machine.on_gpu:
        table.notes.append(
            "only a GPU can be given less memory; tests/scoring/test_surprisal.py makes the allocator fail"
        )
        yield table
        return
    model = scoring_model("qwen2-7b", machine)
    windows = windows_of([12000, *[6000] * 6, 3000, 3000, 1500])
    plenty = scores(model, windows, _MOST)
    table.rows.append(["all of it", *_counts(list(model.score_all(windows, _MOST)))])
    held, whole = torch.cuda.memory_allocated(), torch.cuda.get_device_properties(0).total_memory
    try:
        for spare in (2.0, 0.4):  # GiB
            machine.forget()
            torch.cuda.set_per_process_memory_fraction((held + spare * 2**30) / whole)
            passes = list(model.score_all(windows, _MOST))
            for window, one in chain.from_iterable(passes):
                if one is not None:
                    _same_as_with_plenty(window, one, windows, plenty)
            table.rows.append([f"{spare:g} GiB above the model", *_counts(passes)])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    passes_of, unfit = ([row[column] for row in table.rows] for column in (1, 3))
    assert passes_of[1] != passes_of[0] and unfit[2] != 0, "memory did not run out: the check checks nothing"
    yield table


def _counts(passes: Sequence[Sequence[tuple[Window, Scores | None]]]) -> list[float]:
    fitting = [one is not None for _, one in chain.from_iterable(passes)]
    return [float(len(passes)), float(sum(fitting)), float(len(fitting) - sum(fitting))]


def _same_as_with_plenty(window: Window, one: Scores, windows: Sequence[Window], plenty: np.ndarray) -> None:
    begin = sum(len(other.rows) for other in windows[: window.trace])
    expected = plenty[0, begin : begin + len(window.rows)]
    assert np.abs(one[0] - expected).mean() < 0.1, "scores made in little memory differ by more than rounding"
