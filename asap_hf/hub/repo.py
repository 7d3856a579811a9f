"""Read and change a repo on the Hub, commits aside; every call is retried."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import RunError, UsageError
from .calls import LEFT, NO_TOKEN, SILENCE, calling_the_hub, status_of
from .changes import Stored

if TYPE_CHECKING:
    from huggingface_hub import HfApi

MAIN = "main"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Head:
    """What a branch, a tag, a pull request or a commit holds."""

    commit: str
    private: bool
    files: Mapping[str, Stored]


class Repo:
    """A repo, whether it exists yet or not.

    Args:
        repo_id (`str`):
            With its namespace; without one it lies in the user's own.
        repo_type (`str`):
            `dataset`, `model` or `space`.

    Raises:
        [`UsageError`]: if there is no token, or it may only read.
    """

    def __init__(self, repo_id: str, repo_type: str):
        from huggingface_hub import get_token

        if get_token() is None:
            raise UsageError(NO_TOKEN)
        self.api = _api()
        # Cached, as the Hub lets this be asked only seldom.
        whose = partial(self.api.whoami, cache=True)
        account = calling_the_hub(f"ask whose token this is, for {repo_id}", whose, first=True)
        self.user = str(account["name"])
        if (account.get("auth", {}).get("accessToken") or {}).get("role") == "read":
            raise UsageError(
                f"the token of {self.user} may only read, which is not enough to publish {repo_id}; make one with "
                f"write access at {self.api.endpoint}/settings/tokens, then run `hf auth login` or set HF_TOKEN"
            )
        self.id = repo_id if "/" in repo_id else f"{self.user}/{repo_id}"
        self.type = repo_type
        self.name = f"{repo_type} {self.id}"

    @property
    def url(self) -> str:
        """Its page on the Hub."""
        prefix = "" if self.type == "model" else f"{self.type}s/"
        return f"{self.api.endpoint}/{prefix}{self.id}"

    def head(self, revision: str = MAIN) -> Head | None:
        """What a revision holds; `None` if it or the repo does not exist."""

        def ask() -> Head | None:
            try:
                info: Any = self.api.repo_info(
                    self.id, repo_type=self.type, revision=revision, files_metadata=True, timeout=SILENCE
                )
            except Exception as error:
                if status_of(error) != 404:
                    raise
                return None
            return Head(str(info.sha), bool(info.private), stored_files(info))

        return calling_the_hub(f"look at {self.name}", ask)

    def create(self, private: bool, space_sdk: str | None) -> None:
        """Make the repo if it is not there. Without `private` it gets what its namespace has as default."""
        self.do(self.api.create_repo, "create", private=private or None, space_sdk=space_sdk, exist_ok=True)

    def create_branch(self, branch: str, start: str = MAIN) -> None:
        """Make the branch if it is not there."""
        self.do(self.api.create_branch, f"create the branch {branch} of", branch=branch, revision=start, exist_ok=True)

    def delete_branch(self, branch: str) -> None:
        """Delete the branch if it exists."""

        def delete() -> None:
            try:
                self.api.delete_branch(self.id, branch=branch, repo_type=self.type)
            except Exception as error:
                if status_of(error) != 404:
                    raise

        calling_the_hub(f"delete the branch {branch} of {self.name}", delete)

    def tags(self, left: str = LEFT) -> dict[str, str]:
        """Tag → commit."""
        refs = self.do(self.api.list_repo_refs, "list the tags of", left)
        return {one.name: one.target_commit for one in refs.tags}

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit, unless it has the tag already."""
        left = f"commit {commit} is published, but perhaps not tagged"
        self.do(self.api.create_tag, f"tag {name} in", left, tag=name, revision=commit, exist_ok=True)
        if (there := self.tags(left).get(name)) != commit:
            raise RunError(f"{self.name} is published as commit {commit}, but somebody put the tag {name} on {there}")

    def first_commit(self) -> str:
        """The one that the Hub itself makes."""
        return str(self.do(self.api.list_repo_commits, "list the commits of")[-1].commit_id)

    def download(self, paths: Collection[str], revision: str, folder: Path) -> None:
        """Fetch files into a folder, each under its path."""
        for path in paths:
            self.do(
                self.api.hf_hub_download, f"download {path} of", filename=path, revision=revision, local_dir=folder
            )

    def read(self, path: str, commit: str) -> bytes:
        """The content of a small file."""
        with TemporaryDirectory() as folder:
            self.download([path], commit, Path(folder))
            return (Path(folder) / path).read_bytes()

    def do(self, method: Callable[..., Result], verb: str, left: str = LEFT, **arguments: Any) -> Result:
        """Call a method of the client for this repo. `verb` stands before the repo's name, see [`calling_the_hub`]."""
        call = partial(method, repo_id=self.id, repo_type=self.type, **arguments)
        return calling_the_hub(f"{verb} {self.name}", call, left)


def stored_files(info: Any) -> dict[str, Stored]:
    """Path → file of what the Hub tells about a revision when it is asked for the files' metadata."""
    return {
        one.rfilename: Stored(one.lfs.sha256 if one.lfs else str(one.blob_id), one.size or 0)
        for one in info.siblings or ()
    }


@cache
def _api() -> HfApi:
    from huggingface_hub import HfApi

    return HfApi()
