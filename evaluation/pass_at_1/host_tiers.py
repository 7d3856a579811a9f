"""The ways to confine a process that this project knows, and how each is started."""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
_INSIDE, _SCRATCH = "/runner", "/scratch"

# The modules are found by their folder alone, whatever the package is called where the host imported it.
_BOOT = """
import sys, types
package = sys.modules["runner"] = types.ModuleType("runner")
package.__path__ = [sys.argv[1]]
from runner.jail_fork_server import main
main(*sys.argv[2:])
"""

# The stack of the main thread is laid out when a program starts: deep recursion needs room from then on.
_WITH_STACK = 'ulimit -S -s 262144 2>/dev/null || ulimit -S -s "$(ulimit -H -s)"; umask 077; exec "$@"'


@dataclass(frozen=True)
class Tier:
    """One way to confine.

    Args:
        name (`str`):
            `bubblewrap`, `landlock` or `unsafe`.
        required (`tuple[str, ...]`):
            Of `landlock`, `seccomp` and `threads`, what a jail of this tier does not start without. Each is used where
            the kernel has it.
    """

    name: str
    required: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """All that a jail finds in its environment. The hash seed is fixed, as it can decide a verdict."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "HOME": _SCRATCH,
            "TMPDIR": _SCRATCH,
        }
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        # Else each thread takes 64 MiB of what memory it may address, for what it may allocate.
        return {**environment, **threads, "MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"}

    def command(self, control: int) -> list[str]:
        """The command line of a jail that is controlled through this descriptor."""
        runtime = this_runtime()
        is_apart = self.name == "bubblewrap"
        options = {
            "packages": runtime.packages,
            "readable": [*runtime.readable, _INPUT] if is_apart else runtime.readable,
            "listed": runtime.folders,
            "required": self.required,
            "input": _INPUT if is_apart else None,
        }
        python = [runtime.interpreter, "-s", "-S", "-B", "-P", "-X", "utf8", "-c", _BOOT]
        nothing = 8 if control == 9 else 9
        if is_apart:
            script = f"{_WITH_STACK} {nothing}</dev/null"
            wrapped = [*_bubblewrap(runtime, self.environment, nothing), *python, _INSIDE]
        else:
            script, wrapped = _WITH_STACK, [*python, _HERE]
        return ["/bin/sh", "-c", script, "sh", *wrapped, str(control), json.dumps(options)]


_SEPARATED = (
    "--unshare-user --unshare-pid --unshare-ipc --unshare-net --unshare-uts --unshare-cgroup-try --new-session"
)
_NOBODY = "--uid 65534 --gid 65534 --hostname sandbox --cap-drop ALL --clearenv --die-with-parent"
_DEVICES = (
    "--dir /dev --dev-bind /dev/null /dev/null --dev-bind /dev/urandom /dev/urandom"
    " --ro-bind-try /usr/share/zoneinfo /usr/share/zoneinfo"
)
# Programs open their input by name, too. Without /proc that cannot be the descriptor: here it is a file, which the
# jail fills for each job.
_INPUT = "/dev/stdin"
_NAMES = f"--dir /proc/self/fd --symlink {_INPUT} /proc/self/fd/0 --symlink /proc/self/fd /dev/fd"

BUBBLEWRAP = Tier("bubblewrap", ("seccomp",))
LANDLOCK = Tier("landlock", ("landlock", "seccomp"))
UNSAFE = Tier("unsafe", ())


def _bubblewrap(runtime: Runtime, environment: dict[str, str], nothing: int) -> list[str]:
    """The command line up to the program. There is no /proc, no /etc, no home and nothing that can be written to but
    the input, for which no program is allowed to.

    Root would keep all capabilities without `--cap-drop` and a namespace of users.

    Args:
        runtime ([`Runtime`]):
            What Python needs.
        environment (`dict[str, str]`):
            All of it.
        nothing (`int`):
            A descriptor of an empty file.
    """
    arguments = [shutil.which("bwrap") or "bwrap", *_SEPARATED.split(), *_NOBODY.split()]
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    for path in ("/lib", "/lib64"):
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
    for path in dict.fromkeys((*runtime.libraries, *runtime.folders)):
        arguments += ["--ro-bind", path, path]
    for path in runtime.foreign:
        arguments += ["--tmpfs", path]
    for path in (*runtime.package_paths, runtime.interpreter):
        arguments += ["--ro-bind", path, path]
    for path in runtime.foreign:
        arguments += ["--remount-ro", path]
    arguments += ["--ro-bind", _HERE, _INSIDE, *_DEVICES.split(), "--bind-data", str(nothing), _INPUT, *_NAMES.split()]
    return [*arguments, "--dir", _SCRATCH, "--chdir", _SCRATCH, "--remount-ro", "/", "--"]


PACKAGES = ("numpy", "sortedcontainers")
"""What programs may import besides the standard library, where it is installed: LeetCode's references need it."""

_FOREIGN = ("site-packages", "dist-packages")
_LIBRARIES = ("/usr/lib/*-linux-gnu*", "/usr/lib64", "/lib/*-linux-gnu*", "/lib64")
_OTHER = ("/usr/share/zoneinfo", "/dev/null", "/dev/urandom")


@dataclass(frozen=True)
class Runtime:
    """Paths, all of them real ones.

    Args:
        interpreter (`str`):
            The executable.
        folders (`tuple[str, ...]`):
            Standard library and the libraries beside it.
        foreign (`tuple[str, ...]`):
            Folders in them that hold whatever is installed. They stay out of the jail.
        libraries (`tuple[str, ...]`):
            The system's shared libraries, and what else there is to read.
        packages (`dict[str, str]`):
            Name → folder of the packages that programs may import.
    """

    interpreter: str
    folders: tuple[str, ...]
    foreign: tuple[str, ...]
    libraries: tuple[str, ...]
    packages: dict[str, str]

    @property
    def package_paths(self) -> list[str]:
        """The packages' folders and the libraries that wheels keep beside them."""
        return [
            path for folder in self.packages.values() for path in (folder, folder + ".libs") if os.path.exists(path)
        ]

    @property
    def readable(self) -> list[str]:
        """What Landlock opens. Its rules only add, so a folder with a foreign one inside is named entry by entry."""
        opened = [self.interpreter, *self.libraries, *_OTHER, *self.package_paths]
        for folder in self.folders:
            opened += [path for path in _entries(folder) if not self._closed(path)]
        return opened

    def _closed(self, path: str) -> bool:
        return any(inner == path or inner.startswith(path + os.sep) for inner in (*self.foreign, *self.folders))


def _entries(folder: str) -> list[str]:
    return [entry.path for entry in os.scandir(folder)]


@cache
def this_runtime() -> Runtime:
    """The runtime of the interpreter that runs this."""
    library = sysconfig.get_paths()["stdlib"]
    found = [library, sysconfig.get_paths()["platstdlib"]]
    if sys.base_prefix not in ("/", "/usr"):  # there the libraries are those of the whole system
        found.append(os.path.join(sys.base_prefix, "lib"))
    folders = tuple(dict.fromkeys(os.path.realpath(path) for path in found if os.path.isdir(path)))
    foreign = [path for folder in folders for name in _FOREIGN for path in _below(folder, name)]
    return Runtime(
        interpreter=os.path.realpath(sys.executable),
        folders=folders,
        foreign=tuple(dict.fromkeys(foreign)),
        libraries=tuple(
            dict.fromkeys(os.path.realpath(path) for pattern in _LIBRARIES for path in glob.glob(pattern))
        ),
        packages={name: folder for name in PACKAGES if (folder := _folder_of(name)) is not None},
    )


def _below(folder: str, name: str) -> list[str]:
    return [path for pattern in (name, f"python3*/{name}") for path in glob.glob(os.path.join(folder, pattern))]


def _folder_of(package: str) -> str | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return os.path.realpath(next(iter(spec.submodule_search_locations)))
