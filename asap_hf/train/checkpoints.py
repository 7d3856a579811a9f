"""The checkpoints in a training's folder."""

from __future__ import annotations

from pathlib import Path

STATE_FILE = "trainer_state.json"


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole; `None` if there is none.

    This is what `trl sft --resume_from_checkpoint` wants to be given: it takes a folder and no `true`, and the newest
    one of a training that was killed may lack half its files. `trainer_state.json` is what a trainer writes last.
    """
    whole = {
        int(path.parent.name.removeprefix("checkpoint-")): path.parent
        for path in folder.glob(f"checkpoint-*/{STATE_FILE}")
        if path.parent.name.removeprefix("checkpoint-").isdecimal()
    }
    return whole[max(whole)] if whole else None
