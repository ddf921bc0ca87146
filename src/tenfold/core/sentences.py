"""Errors on a page in the same words as on the command line."""

import functools
import logging
from collections.abc import Callable
from typing import Any

from tenfold.core.errors import TenfoldError, too_large

__all__ = ["sentences"]


def sentences(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a page's callback: our errors become Gradio's message box with the same words; a defect is logged, not shown."""

    @functools.wraps(callback)
    def shown(*arguments: Any) -> Any:
        import gradio as gr

        try:
            return callback(*arguments)
        except TenfoldError as error:
            raise gr.Error(str(error), title="", print_exception=False) from error
        except gr.Error:
            raise
        except MemoryError as error:
            raise gr.Error(str(too_large(error)), title="", print_exception=False) from error
        except Exception as error:
            logging.getLogger("tenfold").exception("A page's callback failed")
            words = f"A defect in tenfold ({type(error).__name__}); the server's log shows where."
            raise gr.Error(words, title="", print_exception=False) from error

    return shown
