"""The page of the Space: takes the tokens of two runs and shows their ratios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import evaluate
import gradio as gr

reasoning_compression = evaluate.load(str(Path(__file__).with_name("reasoning_compression.py")))


def compare(after: str, before: str) -> dict[str, Any]:
    """Compare the numbers typed in, separated by commas or blanks."""
    try:
        runs = [[float(word) for word in text.replace(",", " ").split()] for text in (after, before)]
        scores: dict[str, Any] = reasoning_compression.compute(predictions=runs[0], references=runs[1])
    except ValueError as error:
        raise gr.Error(str(error)) from error
    return scores


with gr.Blocks(title="reasoning_compression") as demo:
    gr.Markdown(f"# reasoning_compression\n\n{reasoning_compression.description}")
    after = gr.Textbox("1830, 2214, 960, 4096", label="Tokens of each problem in the run to compare")
    before = gr.Textbox("2410, 3100, 880, 7025", label="Tokens of the same problems in the reference run")
    button = gr.Button("Compare", variant="primary")
    button.click(compare, [after, before], gr.JSON(label="Result"))

if __name__ == "__main__":
    demo.launch()
