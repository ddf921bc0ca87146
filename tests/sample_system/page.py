import gradio as gr

from tenfold.core.errors import BadInput
from tenfold.core.sentences import sentences


def build() -> None:
    box, out = gr.Textbox(label="Number"), gr.Textbox(label="Doubled")
    gr.Button("Double").click(sentences(_double), box, out)


def _double(text: str) -> str:
    try:
        return str(2 * float(text))
    except ValueError as error:
        raise BadInput(f"{text!r} is not a number.", "Write digits.") from error
