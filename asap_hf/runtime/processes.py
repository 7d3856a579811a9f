"""One process of several, as `accelerate launch` or `torchrun` start them; one alone otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """Which process this is.

    Args:
        rank (`int`):
            Number among all processes.
        local_rank (`int`, *optional*):
            Number among those of this machine, which picks the GPU; `None` where there is one process.
        world_size (`int`):
            How many there are.
    """

    rank: int = 0
    local_rank: int | None = None
    world_size: int = 1

    def wait_for_everyone(self) -> None:
        """Return when every process has come here; at once where there is one."""
        if self.world_size == 1:
            return
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def is_first_process() -> bool:
    """Whether this is the one that writes what all have made, as the launcher's environment has it."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def this_process() -> Iterator[Process]:
    """The process as its launcher's environment describes it; the process group is left at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Process()
        return
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    try:
        yield Process(state.process_index, state.local_process_index, state.num_processes)
    finally:
        state.destroy_process_group()
