"""The errors that a user sees: what is wrong, and what to do about it.

The command line prints `message` and `hint` on at most two lines and exits with `exit_code`; a page shows
the same words. Anything else that escapes is a defect.
"""

__all__ = ["BadInput", "BudgetReached", "CheckFailed", "DataMissing", "ExtraMissing", "TenfoldError", "too_large"]


class TenfoldError(Exception):
    """An error with one sentence on what is wrong and, if we know, one on what to do.

    Attributes:
        message: what is wrong, one sentence.
        hint: what to do, one sentence, or empty.
        exit_code: what the command line returns to the shell.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = " ".join(message.split())
        self.hint = " ".join(hint.split())

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(TenfoldError):
    """The user's file, option or array cannot be used as it is."""


class DataMissing(TenfoldError):
    """A data set is neither on this machine nor to be had; the hint names the file and its place."""


class ExtraMissing(TenfoldError):
    """An optional package is not installed; the hint is the command that installs it."""


class CheckFailed(TenfoldError):
    """A check that the user asked for was made, and it failed."""

    exit_code = 1


class BudgetReached(TenfoldError):
    """A budget of time, calls or money ran out; partial results are kept."""

    exit_code = 3


def too_large(error: MemoryError) -> TenfoldError:
    """What to tell the user when an allocation was refused."""
    return TenfoldError(f"There is not enough memory. {error}".rstrip(". ") + ".", "Make the problem smaller.")
