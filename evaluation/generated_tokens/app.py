"""The page of the Space: takes numbers of tokens and shows their statistics."""

from __future__ import annotations

from pathlib import Path

import evaluate
import gradio as gr

generated_tokens = evaluate.load(str(Path(__file__).with_name("generated_tokens.py")))


def measure(counts: str, finish_reasons: str) -> dict[str, float]:
    """Measure the numbers typed in, separated by commas or blanks."""
    try:
        numbers = [float(word) for word in counts.replace(",", " ").split()]
        reasons = finish_reasons.replace(",", " ").split()
        scores: dict[str, float] = generated_tokens.compute(predictions=numbers, finish_reasons=reasons or None)
    except ValueError as error:
        raise gr.Error(str(error)) from error
    return scores


with gr.Blocks(title="generated_tokens") as demo:
    gr.Markdown(f"# generated_tokens\n\n{generated_tokens.description}")
    counts = gr.Textbox("1830, 2214, 960, 4096", label="Tokens of each sample")
    finish_reasons = gr.Textbox("stop, stop, stop, length", label="Finish reason of each sample (may be left out)")
    button = gr.Button("Measure", variant="primary")
    button.click(measure, [counts, finish_reasons], gr.JSON(label="Result"))

if __name__ == "__main__":
    demo.launch()
