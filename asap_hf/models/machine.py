"""What the last bit of a score depends on beside model and text: where it is computed, and with which PyTorch."""

from __future__ import annotations

from typing import Any

import torch


def machine(device: str) -> dict[str, Any]:
    """The machine as far as it shows in a result.

    Args:
        device (`str`):
            As `torch.device` takes it.

    Returns:
        `dict`: `torch`, its version; `device`, the GPU's name, or `"cpu"` with the instructions that are used;
        `threads` of a CPU, among which a product of matrices is divided.
    """
    told: dict[str, Any] = {"torch": torch.__version__}
    if device.startswith("cuda"):
        return {**told, "device": torch.cuda.get_device_name(device)}
    if device != "cpu":
        return {**told, "device": device}
    return {**told, "device": f"cpu, {torch.backends.cpu.get_cpu_capability()}", "threads": torch.get_num_threads()}
