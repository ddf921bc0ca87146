"""Drawings show what they are told to, and the experiment's pictures hold exactly the numbers they were given."""

import re

import pytest

from tenfold.core.errors import BadInput
from tenfold.reactions.pictures import acceptance_figure, calls_figure, molecule_svg, speed_figure, top_k_figure

pytest.importorskip("rdkit", reason="extra reactions is not installed")


def fills(svg):
    return set(re.findall(r"fill:(#[0-9A-F]{6})", svg))


def test_highlighted_atoms_have_the_colour_of_their_group_and_others_have_none():
    plain, one = molecule_svg("CCO"), molecule_svg("CCO", highlight=[[0]])
    assert len(fills(one) - fills(plain)) == 1
    second = molecule_svg("CCO", highlight=[(), [0]])
    assert fills(second) - fills(plain) != fills(one) - fills(plain)
    assert len(fills(molecule_svg("CCO", highlight=[[0], [2]])) - fills(plain)) == 2


def test_an_atom_of_two_groups_has_the_colour_of_the_first_and_the_numbers_of_both():
    both = molecule_svg("CCO", highlight=[[0, 1], [0, 1]])
    assert fills(both) == fills(molecule_svg("CCO", highlight=[[0, 1]]))
    assert both.count("class='note'") > molecule_svg("CCO", highlight=[[0, 1]]).count("class='note'")


def test_explicit_hydrogens_are_atoms_of_the_drawing():
    assert molecule_svg("[H]OC", highlight=[[2]]) != molecule_svg("[H]OC", highlight=[[1]])


def test_a_drawing_is_one_element_named_by_its_escaped_smiles():
    svg = molecule_svg("C/C=C/C.C>".rstrip(">"), width=300, height=100)
    assert svg.startswith('<svg role="img" aria-label="C/C=C/C.C"')
    assert svg.count("<svg") == svg.count("</svg>") == 1
    assert "width='300px' height='100px'" in svg


@pytest.mark.parametrize("text", ["", "C1CC", "<script>", "c1cccc1"])
def test_what_is_no_molecule_is_not_drawn(text):
    with pytest.raises(BadInput, match="cannot draw"):
        molecule_svg(text)


def test_calls_have_a_line_for_each_number_of_drafts_in_the_order_of_lengths():
    figure = calls_figure([(10, 3, 0.2), (4, 3, 0.4), (4, 1, 0.5)])
    assert [(line.name, list(line.x), list(line.y)) for line in figure.data] == [
        ("1 draft", [4], [0.5]),
        ("3 drafts", [4, 10], [0.4, 0.2]),
    ]


def test_speeds_are_drawn_by_batch_size_with_every_size_named():
    figure = speed_figure([("ours", 32, 1.5), ("ours", 1, 3.0), ("windows", 1, 0.4)])
    assert [(line.name, list(line.x), list(line.y)) for line in figure.data] == [
        ("ours", [1, 32], [3.0, 1.5]),
        ("windows", [1], [0.4]),
    ]
    assert list(figure.layout.xaxis.ticktext) == ["1", "32"]
    assert figure.layout.shapes[0].y0 == 1


def test_top_k_curves_carry_their_intervals():
    line = top_k_figure([("retro", 5, 0.6, 0.5, 0.65), ("retro", 1, 0.4, 0.3, 0.5)]).data[0]
    assert (list(line.x), list(line.y)) == ([1, 5], [0.4, 0.6])
    assert list(line.error_y.array) == pytest.approx([0.1, 0.05])
    assert list(line.error_y.arrayminus) == pytest.approx([0.1, 0.1])


def test_acceptance_keeps_every_reaction_of_every_decoder():
    figure = acceptance_figure({"ours": [0.5, 1.0], "windows": [0.0]})
    assert [(bars.name, list(bars.x)) for bars in figure.data] == [("ours", [0.5, 1.0]), ("windows", [0.0])]
    assert figure.data[0].xbins.end > 1
