"""Write to the Hub: the only package that does. Other packages import from here."""

from .names import require_hub_id, require_ref, require_repo_id
from .publication import Publication, Published, describe, files_of, push
from .staging import fetch_staged, stage, staged, unstage

__all__ = [
    "Publication",
    "Published",
    "describe",
    "fetch_staged",
    "files_of",
    "push",
    "require_hub_id",
    "require_ref",
    "require_repo_id",
    "stage",
    "staged",
    "unstage",
]
