"""Write to the Hub: the only package that does. Other packages import from here."""

from .names import refuse_no_hub_id, refuse_no_ref, refuse_no_repo_id
from .publication import Publication, Published, describe, files_of, push
from .staging import fetch_staged, stage, staged, unstage

__all__ = [
    "Publication",
    "Published",
    "describe",
    "fetch_staged",
    "files_of",
    "push",
    "refuse_no_hub_id",
    "refuse_no_ref",
    "refuse_no_repo_id",
    "stage",
    "staged",
    "unstage",
]
