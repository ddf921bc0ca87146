"""What files are, by header, listing or text, and never by loading them."""

import gzip
import io
import json
import pickle
import sqlite3
import struct
import zipfile

import numpy as np
import pytest

from judge.sample import pdf, picture
from tenfold.judge.artefacts import artefact_facts
from tenfold.judge.kinds import kind_of


def read(name: str, data: bytes):
    return artefact_facts(kind_of(name, data), data, len(data))


def saved(array) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def safetensors(names: list[str]) -> bytes:
    head = json.dumps({name: {"dtype": "F32", "shape": [64], "data_offsets": [0, 256]} for name in names}).encode()
    return struct.pack("<Q", len(head)) + head + b"\1" * 256


def database() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE a (b)")
    return connection.serialize()


def book(outputs: list) -> bytes:
    cell = {"cell_type": "code", "source": ["1 + 1"], "outputs": outputs, "metadata": {}, "execution_count": 1}
    return json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}).encode()


WORDS = "The model was trained on flowers and tells them apart in nearly all cases, as the table shows. "
TORCH = zipped({"model/data.pkl": pickle.dumps({"a": 1}), "model/data/0": b"\1" * 400})
GOOD = {
    "a.png": picture(),
    "a.pdf": pdf(WORDS * 4),
    "a.txt": b"accuracy 0.93",
    "a.md": (WORDS * 4).encode(),
    "a.html": f"<html><body><p>{WORDS}</p></body></html>".encode(),
    "a.ipynb": book([{"output_type": "stream", "text": "2"}]),
    "a.npy": saved(np.arange(12.0)),
    "a.npz": zipped({"x.npy": saved(np.arange(64.0))}),
    "a.pt": TORCH,
    "a.safetensors": safetensors(["weight"]),
    "a.pkl": pickle.dumps({"weights": [0.5] * 100}),
    "a.joblib": b"\x78\x9c" + gzip.zlib.compress(bytes(range(256)) * 9, 0)[2:],  # pyright: ignore[reportAttributeAccessIssue]
    "a.csv": b"height,width\n1,2\n3,4\n",
    "a.json": b'{"accuracy": 0.9}',
    "a.yaml": b"rate: 0.1\n",
    "a.sqlite": database(),
    "a.zip": zipped({"x.txt": b"x"}),
    "a.docx": zipped({"word/document.xml": f"<w:d xmlns:w='w'><w:p><w:t>{WORDS * 4}</w:t></w:p></w:d>".encode()}),
}
BAD = {
    "a.png": picture(1, 1),
    "b.png": picture(plain=True),
    "c.png": b"not a picture",
    "d.png": picture()[:60],
    "a.pdf": pdf("Short."),
    "b.pdf": b"not a PDF",
    "a.txt": b"placeholder\n",
    "b.txt": b"This placeholder stands for the real results of the model.",
    "a.md": b"# Title",
    "a.html": b"<html></html>",
    "a.ipynb": book([]),
    "b.ipynb": b"{}",
    "a.npy": saved(np.zeros(12)),
    "b.npy": saved(np.arange(1200.0))[:300],
    "c.npy": b"\x93NUMPY\x01\x00v\x00{'descr': __import__('os'), 'shape': (1,)}",
    "a.pt": b"generated model artifact placeholder",
    "b.pt": TORCH[:200],
    "c.pt": zipped({"readme.txt": b"x" * 500}),
    "a.safetensors": b"\xff" * 20,
    "a.pkl": pickle.dumps(None),
    "b.pkl": pickle.dumps({"weights": [0.5] * 100})[:-40],
    "a.h5": b"weights",
    "a.csv": b"height,width\n",
    "a.json": b"{}",
    "b.json": b"{broken",
    "a.sqlite": b"no database",
    "a.parquet": b"no table",
    "a.xml": b"   ",
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_sound_file_is_what_its_name_says(name):
    found = read(name, GOOD[name])
    assert found.valid, found.why


@pytest.mark.parametrize("name", sorted(BAD))
def test_placeholders_and_damaged_files_are_not(name):
    found = read(name, BAD[name])
    assert found.valid is False, found.why


@pytest.mark.parametrize("name", sorted({*GOOD, *BAD}))
@pytest.mark.parametrize("data", [b"", b"\n \n", b"\0" * 100])
def test_every_kind_can_be_empty(name, data):
    assert read(name, data).empty


def test_an_unknown_kind_is_not_judged():
    assert read("a.xyz", b"anything").valid is None


def test_a_picture_larger_than_is_decoded_is_refused_by_its_header():
    head = b"\x89PNG\r\n\x1a\n" + picture(20000, 1)[8:]
    huge = head[:20] + struct.pack(">I", 20000) + head[24:]
    assert read("a.png", huge).valid is False


def test_a_pickle_is_listed_and_not_loaded():
    class Bomb:
        def __reduce__(self):
            return exec, ("raise SystemExit",)

    data = pickle.dumps([Bomb(), "x" * 300])
    found = read("a.pkl", data)
    assert found.details["classes"] == ["builtins.exec"]


def test_made_up_columns_are_told_from_measured_ones():
    assert read("a.csv", b"feature1,feature2,target\n1,2,3\n").details["made_up"]
    assert not read("a.csv", b"height,width\n1,2\n").details["made_up"]
