"""The rank of this process among those that `accelerate launch` or `torchrun` started; one process otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """Rank, local rank and number of the processes of a run.

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
        """Return when every process has called this; at once where there is one."""
        if self.world_size == 1:
            return
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def is_first_process() -> bool:
    """Whether this is rank 0, which writes the result."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def this_process() -> Iterator[Process]:
    """The process as the launcher's environment describes it; the process group is destroyed at the end."""
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
