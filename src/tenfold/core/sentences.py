"""Errors on a page in the same words as on the command line."""

import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tenfold.core.errors import TenfoldError, too_large

__all__ = ["sentences"]


def sentences(callback: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a page's callback: our errors become Gradio's message box with the same words; a defect is logged, not shown.

    A generator function, whose values a page shows one after the other, is wrapped as one.
    """
    if inspect.isgeneratorfunction(callback):

        @functools.wraps(callback)
        def told(*arguments: Any) -> Iterator[Any]:
            with _in_words():
                yield from callback(*arguments)

        return told

    @functools.wraps(callback)
    def shown(*arguments: Any) -> Any:
        with _in_words():
            return callback(*arguments)

    return shown


@contextmanager
def _in_words() -> Iterator[None]:
    import gradio as gr

    try:
        yield
    except TenfoldError as error:
        raise gr.Error(str(error), title="", print_exception=False) from error
    except (gr.Error, GeneratorExit):
        raise
    except MemoryError as error:
        raise gr.Error(str(too_large(error)), title="", print_exception=False) from error
    except Exception as error:
        logging.getLogger("tenfold").exception("A page's callback failed")
        words = f"A defect in tenfold ({type(error).__name__}); the server's log shows where."
        raise gr.Error(words, title="", print_exception=False) from error
