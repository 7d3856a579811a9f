"""The tiers, which are ways to confine a process: the command line that starts a jail, and the files that Python needs
in it."""

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

# Imports this folder under a name of its own, as the package's name depends on where the host imported it from.
_BOOT = """
import sys, types
package = sys.modules["runner"] = types.ModuleType("runner")
package.__path__ = [sys.argv[1]]
from runner.jail_fork_server import main
main(*sys.argv[2:])
"""

# Deep recursion needs a large stack, and that of the main thread is set when a program starts.
_WITH_STACK = 'ulimit -S -s 262144 2>/dev/null || ulimit -S -s "$(ulimit -H -s)"; umask 077; exec "$@"'


@dataclass(frozen=True)
class Tier:
    """One way to confine a process.

    Args:
        name (`str`):
            `bubblewrap`, `landlock` or `unsafe`.
        required (`tuple[str, ...]`):
            Which of `landlock`, `seccomp` and `threads` the kernel must have for this tier. All that it has are used.
    """

    name: str
    required: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """All environment variables of a jail. The hash seed is fixed, as it can decide a verdict."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "HOME": _SCRATCH,
            "TMPDIR": _SCRATCH,
        }
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        # MALLOC_ARENA_MAX: by default each thread reserves 64 MiB of the address space, which is limited.
        return {**environment, **threads, "MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"}

    def command(self, control: int) -> list[str]:
        """The command line that starts a jail.

        Args:
            control (`int`):
                The descriptor of the control socket, which the process inherits.
        """
        runtime = this_runtime()
        has_namespaces = self.name == "bubblewrap"
        options = {
            "packages": runtime.packages,
            "readable": [*runtime.readable, _INPUT] if has_namespaces else runtime.readable,
            "listed": runtime.folders,
            "required": self.required,
            "input": _INPUT if has_namespaces else None,
        }
        python = [runtime.interpreter, "-s", "-S", "-B", "-P", "-X", "utf8", "-c", _BOOT]
        empty = 8 if control == 9 else 9
        if has_namespaces:
            script = f"{_WITH_STACK} {empty}</dev/null"
            command = [*_bubblewrap(runtime, self.environment, empty), *python, _INSIDE]
        else:
            script, command = _WITH_STACK, [*python, _HERE]
        return ["/bin/sh", "-c", script, "sh", *command, str(control), json.dumps(options)]


_NAMESPACES = (
    "--unshare-user --unshare-pid --unshare-ipc --unshare-net --unshare-uts --unshare-cgroup-try --new-session"
)
_NOBODY = "--uid 65534 --gid 65534 --hostname sandbox --cap-drop ALL --clearenv --die-with-parent"
_DEVICES = (
    "--dir /dev --dev-bind /dev/null /dev/null --dev-bind /dev/urandom /dev/urandom"
    " --ro-bind-try /usr/share/zoneinfo /usr/share/zoneinfo"
)
# Programs also open their input by name. Without /proc the name cannot lead to the descriptor, so it is a file, which
# the fork server fills for each job.
_INPUT = "/dev/stdin"
_NAMES = f"--dir /proc/self/fd --symlink {_INPUT} /proc/self/fd/0 --symlink /proc/self/fd /dev/fd"

BUBBLEWRAP = Tier("bubblewrap", ("seccomp",))
LANDLOCK = Tier("landlock", ("landlock", "seccomp"))
UNSAFE = Tier("unsafe", ())


def _bubblewrap(runtime: Runtime, environment: dict[str, str], empty: int) -> list[str]:
    """The command line of bubblewrap, up to the program to start.

    Inside there is no /proc, no /etc, no home, and nothing to write to but the file of the input, which only the fork
    server may open for writing. `--cap-drop` and the user namespace take away root's capabilities.

    Args:
        runtime ([`Runtime`]):
            The files that Python needs.
        environment (`dict[str, str]`):
            All environment variables.
        empty (`int`):
            A descriptor of an empty file, of whose content `/dev/stdin` is made.
    """
    arguments = [shutil.which("bwrap") or "bwrap", *_NAMESPACES.split(), *_NOBODY.split()]
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    for path in ("/lib", "/lib64"):
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
    for path in dict.fromkeys((*runtime.libraries, *runtime.folders)):
        arguments += ["--ro-bind", path, path]
    for path in runtime.installed:
        arguments += ["--tmpfs", path]
    for path in (*runtime.package_paths, runtime.interpreter):
        arguments += ["--ro-bind", path, path]
    for path in runtime.installed:
        arguments += ["--remount-ro", path]
    arguments += ["--ro-bind", _HERE, _INSIDE, *_DEVICES.split(), "--bind-data", str(empty), _INPUT, *_NAMES.split()]
    return [*arguments, "--dir", _SCRATCH, "--chdir", _SCRATCH, "--remount-ro", "/", "--"]


PACKAGES = ("numpy", "sortedcontainers")
"""What programs may import besides the standard library, if installed: LeetCode's reference solutions need them."""

_INSTALLED = ("site-packages", "dist-packages")
_LIBRARIES = ("/usr/lib/*-linux-gnu*", "/usr/lib64", "/lib/*-linux-gnu*", "/lib64")
_OTHER = ("/usr/share/zoneinfo", "/dev/null", "/dev/urandom")


@dataclass(frozen=True)
class Runtime:
    """The files that this Python needs to run in a jail. All paths are real ones, without links.

    Args:
        interpreter (`str`):
            Python's executable.
        folders (`tuple[str, ...]`):
            Of the standard library, and of the libraries that come with Python.
        installed (`tuple[str, ...]`):
            Folders inside of those that hold installed packages. They are hidden in the jail.
        libraries (`tuple[str, ...]`):
            Folders of the system's shared libraries.
        packages (`dict[str, str]`):
            Packages that programs may import: name → folder.
    """

    interpreter: str
    folders: tuple[str, ...]
    installed: tuple[str, ...]
    libraries: tuple[str, ...]
    packages: dict[str, str]

    @property
    def package_paths(self) -> list[str]:
        """The packages' folders, and the folders of shared libraries that wheels put next to them."""
        return [
            path for folder in self.packages.values() for path in (folder, folder + ".libs") if os.path.exists(path)
        ]

    @property
    def readable(self) -> list[str]:
        """What Landlock allows to read. Its rules cannot exclude a folder inside another, so entries are listed one by
        one."""
        opened = [self.interpreter, *self.libraries, *_OTHER, *self.package_paths]
        for folder in self.folders:
            opened += [path for path in _entries(folder) if not self._is_listed_apart(path)]
        return opened

    def _is_listed_apart(self, path: str) -> bool:
        return any(inner == path or inner.startswith(path + os.sep) for inner in (*self.installed, *self.folders))


def _entries(folder: str) -> list[str]:
    return [entry.path for entry in os.scandir(folder)]


@cache
def this_runtime() -> Runtime:
    """The files that the running interpreter needs."""
    library = sysconfig.get_paths()["stdlib"]
    found = [library, sysconfig.get_paths()["platstdlib"]]
    if sys.base_prefix not in ("/", "/usr"):  # there lib has all libraries of the system
        found.append(os.path.join(sys.base_prefix, "lib"))
    folders = tuple(dict.fromkeys(os.path.realpath(path) for path in found if os.path.isdir(path)))
    installed = [path for folder in folders for name in _INSTALLED for path in _below(folder, name)]
    return Runtime(
        interpreter=os.path.realpath(sys.executable),
        folders=folders,
        installed=tuple(dict.fromkeys(installed)),
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
