import pytest

from tenfold.reactions import example, experiment, weights
from tenfold.reactions.textbook import TEXTBOOK


@pytest.fixture
def tiny(monkeypatch):
    """Models that know the dozen more or less by heart, in place of the shipped ones."""
    monkeypatch.setattr(example, "load", lambda name, remember: experiment._model(name, "cpu", True))


def test_the_stop_says_that_the_model_is_weak_and_counts_right_and_wrong(tiny, tmp_path):
    stop = example.run(tmp_path, 0)
    assert stop.lead.startswith(example.NOTICE)
    products = {row[0]: row for row in stop.tables[0].rows}
    assert list(products) == [one.name for one in TEXTBOOK]
    right = [row for row in products.values() if row[1] == "right"]
    assert stop.numbers["products as in the textbook"] == f"{len(right)} of 12"
    assert all(row[2] == row[3] for row in right)
    assert stop.numbers["answers equal to plain decoding's"] == "12 of 12"
    assert stop.numbers["that list equals beam search's"] == "yes"
    calls, tokens = (int(word) for word in stop.numbers["model calls"].replace(",", "").split() if word.isdigit())
    assert calls == sum(row[4] for row in products.values()) < tokens


def test_products_are_drawn_in_the_report_and_as_files(tiny, tmp_path):
    stop = example.run(tmp_path, 0)
    drawings = sorted(tmp_path.glob("*.svg"))
    assert len(drawings) == 12
    assert all(path.read_text().startswith("<svg") for path in drawings)
    gallery, parts = stop.figures
    valid = int(stop.numbers["products that are molecules"].split()[0])
    assert len(gallery.layout.images) == valid
    assert all(image.source.startswith("data:image/svg+xml;base64,") for image in gallery.layout.images)
    assert len(gallery.layout.annotations) == 12
    assert len(parts.layout.annotations) == example.ANSWERS


@pytest.mark.skipif(len(weights.shipped()) < 2, reason="the trained models are not part of this checkout")
def test_the_shipped_models_answer_the_dozen_as_plain_decoding_does(tmp_path):
    stop = example.run(tmp_path, 0)
    assert stop.numbers["answers equal to plain decoding's"] == "12 of 12"
    assert stop.numbers["that list equals beam search's"] == "yes"
