"""The page of the Space: one program, one test, the verdict."""

from __future__ import annotations

from pathlib import Path

import evaluate
import gradio as gr

pass_at_1 = evaluate.load(str(Path(__file__).with_name("pass_at_1.py")))


def grade(program: str, test: str, timeout: float) -> tuple[str, str, float]:
    """Status, detail and processor time of a program."""
    try:
        scores = pass_at_1.compute(predictions=[[program]], references=[test], num_workers=1, timeout=timeout)
    except (RuntimeError, ValueError) as error:  # no jail on this machine, or a test without checks
        raise gr.Error(str(error)) from error
    [(_, result)] = scores["results"][0]
    return result["status"], result["detail"], result["cpu_seconds"]


with gr.Blocks(title="pass_at_1") as demo:
    gr.Markdown(f"# pass_at_1\n\n{pass_at_1.description}")
    with gr.Row():
        program = gr.Code("def add(a, b):\n    return a + b\n", language="python", label="Program")
        test = gr.Code("assert add(2, 3) == 5\n", language="python", label="Test")
    timeout = gr.Slider(0.5, 10.0, 3.0, step=0.5, label="Limit (seconds of processor time)")
    button = gr.Button("Grade", variant="primary")
    with gr.Row():
        status = gr.Textbox(label="Status")
        detail = gr.Textbox(label="Detail")
        cpu_seconds = gr.Number(label="Processor time (seconds)", precision=3)
    button.click(grade, [program, test, timeout], [status, detail, cpu_seconds])

if __name__ == "__main__":
    demo.launch()
