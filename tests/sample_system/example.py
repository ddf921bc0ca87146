from pathlib import Path

from tenfold.core.errors import BadInput
from tenfold.core.report import Stop, Table


def run(folder: Path, seed: int) -> Stop:
    if seed == 13:
        raise BadInput("Thirteen is not served.")
    return Stop("doubling <b>", "One is doubled.", {"doubled": 2.0}, [Table(("in", "out"), [(1, 2)])])
