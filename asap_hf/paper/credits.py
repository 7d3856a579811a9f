"""Whom to cite: the paper, and the authors of its data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Credit:
    """Whom to cite when a dataset is passed on."""

    license: str
    language: str
    """ISO 639 code."""
    words: str
    bibtex: str


CREDITS = {
    "open-r1/codeforces-cots": Credit(
        license="cc-by-4.0",
        language="en",
        words="by open-r1 (Hugging Face): problems of Codeforces, solved by DeepSeek-R1. Its authors did not filter "
        "the traces for correctness.",
        bibtex="""\
@misc{penedo2025codeforces,
  title        = {CodeForces CoTs},
  author       = {Guilherme Penedo and Anton Lozhkov and Hynek Kydlíček and Loubna Ben Allal and
                  Edward Beeching and Agustín Piqueres Lajarín and Quentin Gallouédec and
                  Nathan Habib and Lewis Tunstall and Leandro von Werra},
  year         = {2025},
  publisher    = {Hugging Face},
  howpublished = {\\url{https://huggingface.co/datasets/open-r1/codeforces-cots}}
}""",
    )
}
BIBTEX = """\
@article{zeng2025pruning,
  title   = {Pruning the Unsurprising: Efficient Code Reasoning via First-Token Surprisal},
  author  = {Wenhao Zeng and Yaoning Wang and Chao Hu and Yuling Shi and Chengcheng Wan and
             Hongyu Zhang and Xiaodong Gu},
  journal = {arXiv preprint arXiv:2508.05988},
  year    = {2025}
}"""
