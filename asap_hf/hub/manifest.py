"""The list of files with their hashes that every published repo holds; the next publication reads from it which files
are its own."""

from __future__ import annotations

import json

from .. import __version__
from .content import Files, sha256_of, size_of

MANIFEST_FILE = "manifest.json"


def manifest_of(files: Files) -> bytes:
    """The manifest of a publication: the same bytes for the same files, whatever their order and wherever they lie.

    Args:
        files (`Mapping[str, Path | bytes]`):
            Path in the repo → content. A manifest among them is left out.

    Returns:
        `bytes`: JSON, `{"asap_hf": version, "files": {path: {"sha256": …, "bytes": …}}}`, sorted by path.
    """
    entries = {
        path: {"sha256": sha256_of(content), "bytes": size_of(content)}
        for path, content in files.items()
        if path != MANIFEST_FILE
    }
    manifest = {"asap_hf": __version__, "files": entries}
    return (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_manifest(text: str | bytes) -> dict[str, str]:
    """Path → sha256 of the files that a manifest names.

    Another tool's file of this name, or one that is damaged, names nothing.
    """
    try:
        manifest = json.loads(text)
    except ValueError:
        return {}
    files = manifest.get("files") if isinstance(manifest, dict) and "asap_hf" in manifest else None
    return {
        path: entry["sha256"]
        for path, entry in (files.items() if isinstance(files, dict) else ())
        if isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
    }
