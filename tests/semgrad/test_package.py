"""The package as a user imports it."""

import subprocess
import sys

from tenfold import semgrad


def test_every_public_name_loads_and_none_is_a_module() -> None:
    for name in semgrad.__all__:
        assert type(getattr(semgrad, name)).__name__ != "module", name
    assert set(semgrad._HOME) == set(semgrad.__all__) == set(dir(semgrad))


def test_optimising_with_the_engine_loads_neither_torch_nor_a_vendors_package() -> None:
    program = (
        "import sys; from tenfold import semgrad as sg; g = sg.Graph(); "
        "g.node('a', 'Report the first number.', inputs=['question'], output=True); "
        "r = sg.optimise(g, [{'input': '3 and 4', 'target': '4'}], steps=1); "
        "heavy = {'torch', 'openai', 'transformers', 'plotly', 'gradio', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
