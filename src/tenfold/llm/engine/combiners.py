"""What can be done with hints, whatever the question."""

from math import prod

from tenfold.llm.engine.forms import Context, Form, Value, number

__all__ = ["FORMS"]


def _numbers(hints: tuple[str, ...]) -> list[int] | None:
    """The hints as integers; None if there is none, or one that is no integer."""
    found = [value for value in map(number, hints) if value is not None]
    return found if found and len(found) == len(hints) else None


def _arithmetic(how):
    def make():
        def run(_context: Context, hints: tuple[str, ...]) -> Value | None:
            found = _numbers(hints)
            return how(found) if found else None

        return run

    return make


def _subtract(pair: str):
    place = (1, 0) if pair == "hint 2 from hint 1" else (0, 1)

    def run(_context: Context, hints: tuple[str, ...]) -> Value | None:
        found = _numbers(hints)
        return found[place[1]] - found[place[0]] if found and len(found) > 1 else None

    return run


def _report(place: str):
    index = int(place) - 1

    def run(_context: Context, hints: tuple[str, ...]) -> Value | None:
        return hints[index] if 0 <= index < len(hints) else None

    return run


def _extreme(which: str):
    return _arithmetic(max if which == "largest" else min)()


def _yes(condition: str):
    test = {
        "all hints are 0": lambda v: not any(v),
        "some hint is 0": lambda v: 0 in v,
        "the hints are equal": lambda v: len(set(v)) == 1,
        "hint 1 is larger than hint 2": lambda v: len(v) > 1 and v[0] > v[1],
        "hint 2 is larger than hint 1": lambda v: len(v) > 1 and v[1] > v[0],
    }[condition]

    def run(_context: Context, hints: tuple[str, ...]) -> Value | None:
        found = _numbers(hints)
        return None if found is None else "Yes" if test(found) else "No"

    return run


def _true(condition: str):
    test = {"all hints are": all, "some hint is": any, "exactly one hint is": lambda v: sum(v) == 1}[condition]

    def run(_context: Context, hints: tuple[str, ...]) -> Value | None:
        if not hints or any(hint not in ("True", "False") for hint in hints):
            return None
        return str(test([hint == "True" for hint in hints]))

    return run


def _sum(limit: str):
    def run(_context: Context, hints: tuple[str, ...]) -> Value | None:
        found = _numbers(hints)
        return None if found is None else "Yes" if sum(found) > int(limit) else "No"

    return run


FORMS = (
    Form("Add the hints.", "combine", "The sum of all hints.", _arithmetic(sum)),
    Form("Multiply the hints.", "combine", "The product of all hints.", _arithmetic(prod)),
    Form(
        "Subtract {pair}.",
        "combine",
        "The difference of the first two hints.",
        _subtract,
        {"pair": ("hint 2 from hint 1", "hint 1 from hint 2")},
    ),
    Form(
        "Report hint {place}.",
        "combine",
        "That hint as it is.",
        _report,
        open_slots={"place": (r"[1-9]\d{0,2}", ("1", "2"))},
    ),
    Form(
        "Report the {which} hint.",
        "combine",
        "The largest or smallest of the hints, which must be integers.",
        _extreme,
        {"which": ("largest", "smallest")},
    ),
    Form(
        "Answer Yes if {condition}, else No.",
        "combine",
        "Yes or No by a comparison of the hints, which must be integers.",
        _yes,
        {
            "condition": (
                "all hints are 0",
                "some hint is 0",
                "the hints are equal",
                "hint 1 is larger than hint 2",
                "hint 2 is larger than hint 1",
            )
        },
    ),
    Form(
        "Answer True if {condition} True, else False.",
        "combine",
        "True or False by the hints, each of which must be True or False.",
        _true,
        {"condition": ("all hints are", "some hint is", "exactly one hint is")},
    ),
    Form(
        "Answer Yes if the hints sum to more than {limit}, else No.",
        "combine",
        "Yes or No by the sum of the hints, which must be integers.",
        _sum,
        open_slots={"limit": (r"-?\d{1,9}", ("0",))},
    ),
)
