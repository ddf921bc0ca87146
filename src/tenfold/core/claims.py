"""The ledger: what each paper says of its system, one claim a row, and the rule that decides it (`claims.md`)."""

import importlib.resources
import re
from typing import NamedTuple

__all__ = ["LedgerEntry", "ledger"]


class LedgerEntry(NamedTuple):
    """One claim: its words and rule in our words, the scale at which it can be decided, what that needs."""

    id: str
    system: str
    words: str
    rule: str
    scale: str
    missing: str

    @property
    def command(self) -> str:
        """The command that decides it."""
        scale = re.split(r"[ ,;(]", self.scale)[0]
        return f"tenfold reproduce {self.system} --scale {scale}"


def ledger() -> list[LedgerEntry]:
    """Every claim, in the order of the file."""
    text = (importlib.resources.files("tenfold.core") / "claims.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if line.startswith("|")
    ]
    return [_entry(*row) for row in rows[2:]]


def _entry(identity: str, words: str, rule: str, scale: str) -> LedgerEntry:
    needs = re.search(r"\(needs ([^)]*)\)", scale)
    missing = f"needs {needs[1]}" if needs else ""
    return LedgerEntry(identity, identity.rsplit("-", 1)[0], words, rule, scale, missing)
