"""The Hub: the only place that writes to it. What others need of it is here; the rest is how."""

from .names import refuse_no_hub_id, refuse_no_ref, refuse_no_repo_id
from .publication import Publication, Published, describe, fetch_staged, files_of, push, stage, staged, unstage

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
