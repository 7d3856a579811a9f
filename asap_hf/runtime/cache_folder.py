"""Where finished work is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`asap_hf` under `HF_HOME`, which is by default `~/.cache/huggingface`, as the Hub's clients have it."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home).expanduser() / "asap_hf"
