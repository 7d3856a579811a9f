"""What `llmlingua` 0.2.2 keeps of the texts of `tiny_classifiers`; writes the file that our cuts are held against.

    pip install --no-deps --target FOLDER llmlingua==0.2.2 tiktoken nltk regex joblib click
    PYTHONPATH=FOLDER python -m tests.pruners.llmlingua_original tests/pruners/llmlingua_kept.json

It is a process of its own, since `llmlingua` seeds every random generator there is. Its count of tokens, which is
GPT-3.5's and would be downloaded, is replaced by the count of the embedded model's tokenizer.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from asap_hf.models.tokens import count_tokens

from .tiny_classifiers import BERT, XLM_R, save_classifiers, text_of

TEXTS = 240
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "xlm_r": (XLM_R, {"rate": 0.5}),
    "xlm_r_0.9": (XLM_R, {"rate": 0.9}),
    "xlm_r_0.25_digits": (XLM_R, {"rate": 0.25, "force_reserve_digit": True}),
    "xlm_r_llama_3": (
        XLM_R,
        {"rate": 0.7, "force_tokens": ["Step", ":"], "force_reserve_digit": True, "drop_consecutive": True},
    ),
    "xlm_r_lines": (XLM_R, {"rate": 0.4, "force_tokens": ["\n", "therefore", "?"], "drop_consecutive": True}),
    "bert": (BERT, {"rate": 0.5}),
    "bert_forced": (BERT, {"rate": 0.6, "force_tokens": ["Step", ":", "\n"], "drop_consecutive": True}),
}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


class Counted:
    """Stands in for tiktoken's encoding: as many tokens as the embedded model's tokenizer has."""

    def encode(self, text: str) -> range:
        return range(count_tokens("embedded", [text])[0])


def main() -> None:
    import tiktoken

    tiktoken.encoding_for_model = lambda name: Counted()
    from llmlingua import PromptCompressor

    with tempfile.TemporaryDirectory() as folder:
        compressors = {
            name: PromptCompressor(path, device_map="cpu", use_llmlingua2=True)
            for name, path in save_classifiers(Path(folder)).items()
        }
        kept = {
            name: [
                digest(compressors[model].compress_prompt_llmlingua2([text_of(seed)], **options)["compressed_prompt"])
                for seed in range(TEXTS)
            ]
            for name, (model, options) in SETTINGS.items()
        }
    lines = ",\n".join(f'"{name}": {json.dumps(digests)}' for name, digests in kept.items())
    Path(sys.argv[1]).write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
