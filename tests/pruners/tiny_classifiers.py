"""Small token classifiers with the tokenizers of XLM-R and mBERT, and texts for them: the same on every machine."""

from __future__ import annotations

import random
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    BertConfig,
    BertForTokenClassification,
    BertTokenizer,
    XLMRobertaConfig,
    XLMRobertaForTokenClassification,
    XLMRobertaTokenizer,
)

# The original tells what a model is by these names in its path.
XLM_R, BERT = "tiny-xlm-roberta-large", "tiny-bert-base-multilingual-cased"

_SAID = (
    "Okay so I need to find the number of pairs in this list . Wait , let me read it again . Step 1 : sort the array "
    "and count equal values . The answer is then n * ( n - 1 ) / 2 for each group . Hmm , that does not work when "
    "there are 10 apples in 3 baskets , because the remainder is lost . Alternatively we could use a binary search . "
    "Step 2 : check the example , which says 42 and 3.14 . So that is right !"
)
_PROSE = _SAID.split()
_CODE = (
    "def solve(n):",
    "    for i in range(2, n + 1):",
    "        if a[i] == b[j] and not seen[x]:",
    "            return total // 2",
    "left, right = 0, len(numbers)-1",
    "while left<right: mid=(left+right)//2",
    "print(' '.join(map(str, sorted(set(xs)))))",
    "assert f({'k': [1,2,3]}) != -7.5e-3, \"no\"",
    "```python",
    "```",
)
_ODD = (
    "naïve café – “quotes” … ≤ ≥ ∑ π",
    "数を数える。合計は五です。",
    "Σύνολο и сумма",
    "🙂🙃 👩‍👩‍👧 🇬🇷",
    "a\u00a0b\u2003c\u200bd\u3000e",
    "tab\tand\x0bother\x0cspace\x1cs \x07 bell",
    "x" * 40 + "yz" * 30,
    "######## ---- ==== ::: Step Step : : Step:::",
    "▁▁under ▁ lines",
    "<s> [CLS] <mask> [SEP] <unk>",
    "2+2=4;3*3=9;1e9+7;0xFF;1_000_000",
    "therefore so therefore , therefore.",
)


def text_of(seed: int) -> str:
    """Prose, code, digits, signs, other scripts; one in four is longer than a window."""
    chance = random.Random(seed)
    size = chance.choice((1, 4, 12, 80))
    parts: list[str] = []
    for _ in range(chance.randint(1, size)):
        match chance.randrange(8):
            case 0 | 1 | 2 | 3:
                begin = chance.randrange(len(_PROSE))
                words = (_PROSE * 2)[begin : begin + chance.randint(1, 40)]
                text = " ".join(words)
                parts.append(text.replace(" .", ".").replace(" ,", ",") if chance.random() < 0.7 else text)
            case 4 | 5:
                parts.append("\n".join(chance.choices(_CODE, k=chance.randint(1, 6))))
            case 6:
                parts.append("".join(chance.choices("0123456789 .,;:()[]{}+-*/=<>ab \n", k=chance.randint(1, 60))))
            case _:
                parts.append(chance.choice(_ODD))
    text = "".join(part + chance.choice((" ", "\n", "\n\n", ". ", "\n\n\n")) for part in parts).strip()
    return text if any(map(str.isalpha, text)) else f"{text} 1 a."


def save_classifiers(folder: Path) -> dict[str, str]:
    """Save both models; their folders by name."""
    return {XLM_R: _save_xlm_r(folder / XLM_R), BERT: _save_bert(folder / BERT)}


def _pieces() -> list[str]:
    """Every character there is, but for the emoji and some other scripts, and every short run of letters in words."""
    words = sorted({*_PROSE, *" ".join(_CODE).replace("(", " ").replace(")", " ").split()})
    runs = {
        word[begin : begin + size] for word in words for size in (2, 3, 4) for begin in range(len(word) - size + 1)
    }
    characters = {character for text in (*_PROSE, *_CODE, *_ODD[:2], *_ODD[9:]) for character in text}
    characters |= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:()[]{}+-*/=<>#_'\"!?$%&@^`|~\\"
    )
    return sorted(
        (characters | runs | set(words) | {"...", "():", "//", "=="}) - {" "}, key=lambda run: (len(run), run)
    )


def _save_xlm_r(folder: Path) -> str:
    pieces = _pieces()
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    marked = [f"▁{piece}" for piece in pieces if len(piece) == 1 or piece in _PROSE]
    # Longer pieces are likelier than what they are made of, each by an amount of its own: no ties between readings.
    scores = [
        (piece, -8.0 - 1.0 / (1 + len(piece)) - log(2 + place) / 50)
        for place, piece in enumerate([*pieces, "▁", *marked])
    ]
    tokenizer = XLMRobertaTokenizer(vocab=[*special, *scores, ("<mask>", 0.0)], model_max_length=512)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        **_SIZES,
    )
    return _save(XLMRobertaForTokenClassification(config), tokenizer, folder)


def _save_bert(folder: Path) -> str:
    pieces = _pieces()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces, *(f"##{piece}" for piece in pieces)]
    tokenizer = BertTokenizer(
        vocab={word: place for place, word in enumerate(words)}, do_lower_case=False, model_max_length=512
    )
    config = BertConfig(vocab_size=len(words), max_position_embeddings=512, pad_token_id=0, **_SIZES)
    return _save(BertForTokenClassification(config), tokenizer, folder)


_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_labels": 2,
}


def _save(model: Any, tokenizer: Any, folder: Path) -> str:
    """Give the model weights that do not depend on the version of torch, and save both."""
    stream = np.random.RandomState(0)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if "LayerNorm" not in name:
                sharpness = 1.5 if "classifier" in name else 0.3
                weight.copy_(torch.from_numpy(stream.normal(0, sharpness, tuple(weight.shape)).astype("float32")))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
