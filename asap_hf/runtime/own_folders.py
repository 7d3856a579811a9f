"""Check which files in a folder this tool wrote and may replace; everything else is the user's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RunError, UsageError


@dataclass(frozen=True)
class Kind:
    """A kind of folder that one command writes.

    Args:
        name (`str`):
            What to call such a folder in a sentence.
        known (`Callable[[Path], Collection[str] | None]`):
            Of a folder that says of itself that it is of this kind, the files that the command wrote, as paths in it
            with `/`; `None` for any other folder.
    """

    name: str
    known: Callable[[Path], Collection[str] | None]


def read_metadata(path: Path) -> dict[str, Any] | None:
    """The content of a JSON file that this tool wrote, which names its version; `None` for any other file, or none."""
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError:
        return None
    return record if isinstance(record, dict) and "asap_hf" in record else None


def real_folder(output_dir: Path) -> Path:
    """The path of an output folder with links followed; it need not exist.

    Raises:
        `UsageError`: if its name is one that only a shell understands, or a link leads to nothing.
    """
    if output_dir.parts[:1] and output_dir.parts[0].startswith("~"):
        raise UsageError(f"{str(output_dir)!r} begins with '~', which only a shell understands: write the path out")
    real = Path(os.path.realpath(output_dir))
    if output_dir.is_symlink() and not real.exists():
        raise UsageError(f"{str(output_dir)!r} is a link that leads to nothing: remove it, or make what it leads to")
    return real


def refuse_to_replace(output_dir: Path, kind: Kind, overwrite: bool, inputs: Collection[Path] = ()) -> None:
    """Check that nothing of the user's is lost if a folder of this kind replaces `output_dir`. A folder that does not
    exist, or is empty, may be filled; one of this kind is replaced if `overwrite` is set and every file in it is this
    tool's.

    Args:
        output_dir (`Path`):
            The place.
        kind ([`Kind`]):
            What is to be written there.
        overwrite (`bool`):
            Whether the user allows that such a folder is replaced.
        inputs (`Collection[Path]`, *optional*):
            Files and folders that are read, or hold what was paid for; none of them may lie there.

    Raises:
        [`UsageError`]: with what is in the way and what to do.
        [`RunError`]: if it cannot be looked into.
    """
    real, shown = real_folder(output_dir), repr(str(output_dir))
    try:
        if real.exists() and not real.is_dir():
            raise UsageError(f"{shown} is a file: choose another --output_dir")
        refuse_inputs(output_dir, inputs)
        if not real.is_dir():
            return
        _refuse_protected(real, shown)
        if any(real.iterdir()):
            _refuse_foreign(real, shown, kind)
            if not overwrite:
                raise UsageError(
                    f"{shown} holds {kind.name} already: choose another --output_dir, or replace it with --overwrite"
                )
    except OSError as error:
        raise RunError(f"{shown} cannot be looked into ({error.strerror}): choose another --output_dir") from error


def refuse_inputs(output_dir: Path, inputs: Collection[Path]) -> None:
    """Check that no file or folder that is read, or holds what was paid for, is in an output folder or is that folder.

    Raises:
        [`UsageError`]: if one does.
    """
    real, shown = real_folder(output_dir), repr(str(output_dir))
    for one in inputs:
        there = Path(os.path.realpath(one))
        if there.is_relative_to(real):
            holds = "is" if there == real else f"holds {str(one)!r},"
            raise UsageError(f"{shown} {holds} what this run reads or keeps its work in: choose another --output_dir")


def _refuse_protected(real: Path, shown: str) -> None:
    if os.path.ismount(real):
        raise UsageError(f"{shown} is a mount point, which no other folder can replace: name a folder in it")
    for what, place in (("the working directory", Path.cwd()), ("your home", Path.home())):
        if Path(os.path.realpath(place)).is_relative_to(real):
            raise UsageError(f"{shown} is or holds {what}, which is never replaced: choose another --output_dir")


def _refuse_foreign(real: Path, shown: str, kind: Kind) -> None:
    known = kind.known(real)
    foreign = next(_others(real, known or ()), None)
    if known is None:
        raise UsageError(f"{shown} is not {kind.name}, and holds {foreign!r}: choose another --output_dir")
    if foreign is not None:
        raise UsageError(
            f"{shown} holds {foreign!r}, which asap-hf did not write, at least not as it stands: move it elsewhere, or"
            " choose another --output_dir"
        )


def _others(folder: Path, known: Collection[str]) -> Iterator[str]:
    """The paths in a folder besides the known files, at any depth: files, links, and empty folders."""
    for where, folders, files in os.walk(folder, onerror=_raise):
        below = Path(where).relative_to(folder)
        folders.sort()
        for name in sorted([*folders, *files]):
            path = (below / name).as_posix()
            strange = path not in known if name in files else not any((folder / path).iterdir())
            if strange or (folder / path).is_symlink():
                yield path


def _raise(error: OSError) -> None:
    raise error
