"""Build the publication of an `evaluate` module: its folder, as a Space."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError

if TYPE_CHECKING:
    from ..hub.publication import Publication


def metric_publication(folder: Path, repo_id: str, **how: Any) -> Publication:
    """The files to publish for one `evaluate` module.

    Args:
        folder (`Path`):
            The module's folder: `<name>/<name>.py`, its card `README.md` with the Space's `sdk`, and what they need.
        repo_id (`str`):
            The Space's id on the Hub.
        how (`Any`):
            The other fields of a `Publication`: `private`, `tag`, `create_pr`, `revision`, `overwrite`.

    Raises:
        `UsageError`: if the folder is no module, its card names no `sdk`, or the Space is named otherwise than the
            module, which `evaluate.load` would then not find.
    """
    from huggingface_hub import RepoCard

    from ..hub.publication import Publication

    folder = folder.resolve()
    module = folder / f"{folder.name}.py"
    for needed in (module, folder / "README.md"):
        if not needed.is_file():
            raise UsageError(f"{folder.name!r} is no evaluate module: it holds no {needed.name}")
    if repo_id.rpartition("/")[2] != folder.name:
        raise UsageError(f"evaluate.load looks for {repo_id.rpartition('/')[2]}.py: name the Space {folder.name!r}")
    sdk = RepoCard.load(folder / "README.md").data.to_dict().get("sdk")
    if not sdk:
        raise UsageError(f"the card of {folder.name!r} names no sdk: give its README.md a line `sdk: gradio`")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _left_out(path.relative_to(folder))]
    files = {path.relative_to(folder).as_posix(): path for path in paths}
    return Publication(repo_id, "space", files, f"The evaluate module {folder.name}", space_sdk=sdk, **how)


def _left_out(path: Path) -> bool:
    """Whether a file is hidden or was left by running the module."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)
