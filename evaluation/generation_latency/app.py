"""The page of the Space: takes seconds and shows their statistics."""

from __future__ import annotations

from pathlib import Path

import evaluate
import gradio as gr

generation_latency = evaluate.load(str(Path(__file__).with_name("generation_latency.py")))


def measure(seconds: str, wall_seconds: float | None) -> dict[str, float]:
    """Measure the numbers typed in, separated by commas or blanks."""
    try:
        numbers = [float(word) for word in seconds.replace(",", " ").split()]
        scores: dict[str, float] = generation_latency.compute(predictions=numbers, wall_seconds=wall_seconds)
    except ValueError as error:
        raise gr.Error(str(error)) from error
    return scores


with gr.Blocks(title="generation_latency") as demo:
    gr.Markdown(f"# generation_latency\n\n{generation_latency.description}")
    seconds = gr.Textbox("21.4, 18.9, 40.2, 33.0", label="Seconds of each request")
    wall_seconds = gr.Number(44.1, label="Wall time of the whole batch, in seconds (may be left out)")
    button = gr.Button("Measure", variant="primary")
    button.click(measure, [seconds, wall_seconds], gr.JSON(label="Result"))

if __name__ == "__main__":
    demo.launch()
