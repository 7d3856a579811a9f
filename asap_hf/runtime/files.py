"""Write files whole or not at all, share a file between processes, and report a disk that fails in one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import RunError

# What the system says of a file that may be read but not written: a read-only file system, another user's folder.
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def is_read_only(error: BaseException | None) -> bool:
    """Whether this says that a file cannot be written, though it may be read."""
    return isinstance(error, OSError) and error.errno in _READ_ONLY


class SharedFile:
    """A file that several processes write, opened when it is first needed, and again when another file has its path.

    Args:
        path (`str`):
            The file, made with mode 0600, and its folder too.
    """

    def __init__(self, path: str):
        self.path = path
        self._fd: int | None = None
        self._writable = False
        self._start_over()

    def _start_over(self) -> None:
        """Close the file and forget what was read: it was replaced, or its content changed."""
        self._end = 0  # bytes of it that are known
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _stale(self, fd: int) -> bool:
        """Whether the file was removed, replaced or cut since we opened it."""
        ours = os.fstat(fd)
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return True
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino) or ours.st_size < self._end

    @contextmanager
    def _locked(self, mode: int) -> Iterator[int]:
        """The descriptor of the file that has this path now, under `flock`."""
        while True:
            fd = self._descriptor(to_write=mode == fcntl.LOCK_EX)
            try:
                fcntl.flock(fd, mode)
                if not self._stale(fd):
                    yield fd
                    return
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)
            self._start_over()

    def _descriptor(self, to_write: bool) -> int:
        """The open file. For reading it may be one that cannot be written; what was read of it is kept when opening it
        for writing fails, and dropped when that succeeds."""
        if self._fd is None or (to_write and not self._writable):
            fd, writable = self._open(to_write)
            self._start_over()
            self._fd, self._writable = fd, writable
        return self._fd

    def _open(self, to_write: bool) -> tuple[int, bool]:
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), True
        except OSError as error:
            if to_write or not is_read_only(error):
                raise
        return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), False

    def _append(self, fd: int, lines: bytes) -> None:
        """Write whole lines or, if the disk is full, nothing."""
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":  # a writer was killed inside a line
            lines = b"\n" + lines
        try:
            written = os.write(fd, lines)
            while written < len(lines):
                written += os.write(fd, lines[written:])
        except OSError:
            if os.fstat(fd).st_size > size:
                os.ftruncate(fd, size)
            raise


@contextmanager
def disk_errors(
    what: str, remedy: str = "make room, then run the same command again: what was finished is kept"
) -> Iterator[None]:
    """Report an `OSError` of the block as one sentence: "WHAT cannot be written (No space left on device): REMEDY".

    Args:
        what (`str`):
            What is being written, to begin a sentence: "the comparison".
        remedy (`str`, *optional*):
            What the operator can do.

    Raises:
        [`RunError`]: for an `OSError`.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise RunError(f"{what} cannot be written ({reason}): {remedy}") from error


def write_whole(path: Path, content: str) -> None:
    """Write a text file under a name of its own in the same folder, then move it into place. A link is followed.

    Raises:
        `OSError`: if it cannot be written; what stood there stays.
    """
    path = Path(os.path.realpath(path))
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with partial.open("x", encoding="utf-8") as file:
            file.write(content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def cache_folder() -> Path:
    """`asap_hf` under `HF_HOME`, which is by default `~/.cache/huggingface`, as the Hub's clients have it."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home).expanduser() / "asap_hf"
