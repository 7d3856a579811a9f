"""Where a model runs and in what numbers: the device of this process, its dtype, its speed, its name.

PyTorch is imported by the functions that need it.
"""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any

from ..errors import UsageError


def pick_device(device: str | None, rank: int | None) -> str:
    """The device of this process: what was asked for, else a GPU if there is one; the rank says which of several.

    Raises:
        [`UsageError`]: if there is no such device.
    """
    import torch

    gpus = torch.cuda.device_count()
    if device in (None, "cuda") and gpus:
        return "cuda" if rank is None else f"cuda:{rank % gpus}"
    try:
        kind = torch.device(device or "cpu").type
    except RuntimeError as error:
        raise UsageError(f"there is no kind of device called {device!r}: give cpu, cuda, cuda:1, mps, …") from error
    if kind == "cuda" and not gpus:
        raise UsageError(f"{device!r} was asked for, but torch finds no GPU: leave the device open, or give cpu")
    return device or "cpu"


def pick_dtype(dtype: str, device: str) -> str:
    """`"auto"` is bfloat16 where the hardware multiplies in it (GPUs from Ampere on, CPUs with AMX or AVX512-BF16) and
    float32 otherwise; any other name is itself."""
    import torch

    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    abilities = torch.cpu.get_capabilities() if device == "cpu" and hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if abilities.get("amx_bf16") or abilities.get("avx512_bf16") else "float32"


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out; on a CPU, only PyTorch's message tells."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def matmul_speed(device: str, dtype: str) -> float:
    """FLOP/s of a square matrix product on this device, measured for a fraction of a second."""
    import torch

    # A GPU is waited for once in ten products: the waiting takes about as long as one of them.
    size, at_once = (8192, 10) if device.startswith("cuda") else (1024, 1)
    a = torch.randn(size, size, device=device, dtype=getattr(torch, dtype))
    done = 0
    (a @ a).sum().item()
    started = time.perf_counter()
    while time.perf_counter() - started < 0.3:
        products = [a @ a for _ in range(at_once)]
        products[-1].sum().item()
        done += at_once
    return done * 2 * size**3 / (time.perf_counter() - started)


def machine(device: str) -> dict[str, Any]:
    """The machine as far as it shows in a result.

    Args:
        device (`str`):
            As `torch.device` takes it.

    Returns:
        `dict`: `torch`, its version; `device`, the GPU's name, or `"cpu"` with the instructions that are used;
        `threads` of a CPU, among which a product of matrices is divided.
    """
    import torch

    record: dict[str, Any] = {"torch": torch.__version__}
    if device.startswith("cuda"):
        return {**record, "device": torch.cuda.get_device_name(device)}
    if device != "cpu":
        return {**record, "device": device}
    return {**record, "device": f"cpu, {torch.backends.cpu.get_cpu_capability()}", "threads": torch.get_num_threads()}


def processor() -> str:
    """The CPU's name and the cores that this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(names, "") or platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"
