"""Restricts this process by Landlock: it may read the files that Python needs, and no others."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

from .jail_privileges import libc

# linux/landlock.h; the numbers are the same on every processor.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH = 1, 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3

# Landlock version → kinds of file access that it added: the first thirteen, REFER, TRUNCATE, IOCTL_DEV
_FILES = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_TCP = 0b11  # bind, connect; since version 4
_SCOPES = 0b11  # abstract Unix sockets, signals; since version 6


def restrict(readable: Sequence[str], listed: Sequence[str]) -> None:
    """Deny this process and its children, for good, all files but those named. Newer kernels also deny TCP, and
    signals and abstract Unix sockets to processes outside. [`forbid_new_privileges`] must have been called before.

    Args:
        readable (`Sequence[str]`):
            Files, and folders with all that is in them. Missing ones are skipped.
        listed (`Sequence[str]`):
            Folders that may be listed, without the files in them.

    Raises:
        `OSError`: if the kernel has no Landlock, or rejects the rules.
    """
    version = _call(_CREATE_RULESET, None, 0, _ASK_VERSION)
    handled = struct.pack("=Q", sum(bits for since, bits in _FILES.items() if version >= since))
    if version >= 4:
        handled += struct.pack("=Q", _TCP)
    if version >= 6:
        handled += struct.pack("=Q", _SCOPES)
    ruleset = _call(_CREATE_RULESET, ctypes.create_string_buffer(handled, len(handled)), len(handled), 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_FOLDER if os.path.isdir(path) else _READ_FILE)
        for path in listed:
            _allow(ruleset, path, _READ_FOLDER)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, beneath), 12)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(beneath)


def _call(number: int, *arguments: object) -> int:
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *wide))
    if result < 0:
        raise OSError(ctypes.get_errno(), "Landlock: " + os.strerror(ctypes.get_errno()))
    return result
