"""The requirements and what they build on, as inline SVG coloured by verdict."""

import html
from collections import defaultdict
from collections.abc import Mapping

from tenfold.judge.types import Report, Requirements

__all__ = ["NODES_LIMIT", "dag_svg", "depths", "edges_to_draw"]

NODES_LIMIT = 200
_WIDTH, _HEIGHT, _ACROSS, _DOWN = 168, 46, 60, 14


def dag_svg(report: Report) -> str:
    """The picture, each node a link to `#r-ID`; empty without prerequisites or with more than `NODES_LIMIT` requirements.

    Columns are depths; edges that follow from others are not drawn.
    """
    requirements = report.requirements
    edges = edges_to_draw(requirements)
    if not edges or len(requirements) > NODES_LIMIT:
        return ""
    place = _places(depths(requirements))
    width = max(x for x, _ in place.values()) + _WIDTH + 2
    height = max(y for _, y in place.values()) + _HEIGHT + 2
    lines = [_edge(place[one], place[other]) for one, other in edges]
    nodes = [_node(report, one.id, place[one.id]) for one in requirements]
    label = f"{len(requirements)} requirements and their prerequisites, coloured by verdict"
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg class="dag" role="img" aria-label="{label}" {size}>{"".join(lines)}{"".join(nodes)}</svg>'


def depths(requirements: Requirements) -> dict[str, int]:
    """For each requirement the length of the longest chain of prerequisites below it, by id; 0 = it has none."""
    found: dict[str, int] = {}
    for start in requirements:
        stack = [start.id]
        while stack:
            one = stack[-1]
            left = [needed for needed in requirements[one].prerequisites if needed not in found]
            if left:
                stack += left
            else:
                needs = requirements[one].prerequisites
                found[stack.pop()] = 1 + max((found[needed] for needed in needs), default=-1)
    return found


def edges_to_draw(requirements: Requirements) -> list[tuple[str, str]]:
    """(prerequisite, requirement) without those that a longer chain already says."""
    found = []
    for item in requirements:
        implied = {one for needed in item.prerequisites for one in requirements.ancestors(needed)}
        found += [(needed, item.id) for needed in item.prerequisites if needed not in implied]
    return found


def _places(depth: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    rows: dict[int, int] = defaultdict(int)
    found = {}
    for one, column in sorted(depth.items(), key=lambda pair: pair[1]):
        found[one] = (1 + column * (_WIDTH + _ACROSS), 1 + rows[column] * (_HEIGHT + _DOWN))
        rows[column] += 1
    return found


def _edge(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y, to_x, to_y = start[0] + _WIDTH, start[1] + _HEIGHT // 2, end[0], end[1] + _HEIGHT // 2
    middle = (x + to_x) // 2
    return f'<path class="edge" d="M{x} {y}C{middle} {y} {middle} {to_y} {to_x} {to_y}"/>'


def _node(report: Report, identity: str, place: tuple[int, int]) -> str:
    one, (x, y) = report[identity], place
    text, full = one.requirement.criteria, html.escape(f"{identity}: {one.requirement.criteria} ({one.verdict})")
    short = html.escape(text if len(text) <= 22 else text[:21] + "…")
    return (
        f'<a href="#r-{html.escape(identity)}"><title>{full}</title><g class="{one.verdict}">'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>'
        f'<text x="{x + 10}" y="{y + 18}" class="id">{html.escape(identity[:20])} · {one.verdict}</text>'
        f'<text x="{x + 10}" y="{y + 35}">{short}</text></g></a>'
    )
