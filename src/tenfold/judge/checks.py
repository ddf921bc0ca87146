"""The checks: what speaks for and against one criterion in one workspace.

Of three kinds. What is decided by absence (a file, a library, a data set) can be denied. A method may be written by hand,
under any name: it can be confirmed, and its absence leaves it undecided. Quality is a judgement: undecided without a model.
"""

from tenfold.judge.check_data import data_set
from tenfold.judge.check_files import notebook, result, source
from tenfold.judge.check_libraries import libraries
from tenfold.judge.check_methods import methods
from tenfold.judge.check_words import worded_source
from tenfold.judge.criterion import Criterion
from tenfold.judge.scene import Part, Scene, Where
from tenfold.judge.weighing import UNDECIDED

__all__ = ["parts"]


def parts(scene: Scene, criterion: Criterion) -> list[Part]:
    """What the criterion asks for, each with its evidence; one undecided part if nothing in it can be checked."""
    found = [result(scene, criterion, target) for target in criterion.artefacts]
    if criterion.notebook:
        found.append(notebook(scene, criterion))
    live: list[str] = []
    for path in criterion.code:
        part = source(scene, path, criterion)
        if part is None:
            live.append(path)
        else:
            found.append(part)
    if len(found) > len(criterion.artefacts) + criterion.notebook and not live:
        return found  # none of the named sources can hold anything
    where = Where(scene, tuple(live), bool(criterion.code))
    if criterion.data_set:
        found.append(data_set(where, criterion))
    if criterion.libraries:
        found += libraries(where, criterion)
    found += methods(where, criterion)
    if criterion.code and not (criterion.methods or criterion.libraries or criterion.data_set or criterion.imports):
        found.append(worded_source(where, criterion))
    if not found:
        wanted = "Nothing in it names a file, a library, a data set or a method: a person or a model must judge it."
        found.append(Part(UNDECIDED, (), wanted))
    return found
