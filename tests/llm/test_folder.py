"""hf: folders: a two-layer model with random weights, built here; what it answers alone it answers in company."""

import asyncio
import json
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from tenfold import llm
from tenfold.core.errors import BadInput
from tenfold.llm import folder as folder_module
from tenfold.llm.errors import ContextOverflow, RequestRefused
from tenfold.llm.generation import Row, generate
from tenfold.llm.types import Reply
from tests.llm.tiny_model import TEMPLATE, build

Ask = llm.Request.of


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a chat template."""
    return build(tmp_path_factory.mktemp("models") / "tiny", template=TEMPLATE)


@pytest.fixture
def client(tiny: Path):
    with llm.Client(f"hf:{tiny}", coalesce=False) as made:
        yield made


def mixed() -> list[llm.Request]:
    """Requests of many lengths and settings."""
    made = [Ask("word " * n, max_tokens=4 + 3 * n, temperature=0.8 * (n % 2), seed=n, top_p=0.9) for n in range(1, 9)]
    return [*made, Ask("several", n=3, temperature=1.0, seed=1, max_tokens=9), Ask("stop", stop=("\n", "e"), max_tokens=60)]


def test_a_request_has_the_same_reply_alone_and_in_a_batch(client: llm.Client) -> None:
    alone = [client.complete_sync(request) for request in mixed()]
    together = client.complete_many_sync(mixed())
    assert [reply.texts for reply in together] == [reply.texts for reply in alone]
    assert [reply.usage for reply in together] == [reply.usage for reply in alone]


def test_greedy_text_is_what_the_model_finds_likeliest_token_by_token(tiny: Path, client: llm.Client) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(str(tiny))
    tokenizer = AutoTokenizer.from_pretrained(str(tiny))
    tokens = tokenizer("[user] hello\n[assistant] ")["input_ids"]
    start = len(tokens)
    with torch.inference_mode():
        while len(tokens) < start + 12 and (token := int(model(torch.tensor([tokens])).logits[0, -1].argmax())) != 0:
            tokens.append(token)
    assert client.complete_sync(Ask("hello", max_tokens=12)).text == tokenizer.decode(tokens[start:])


def test_tokens_are_counted_and_the_limit_is_kept(tiny: Path, client: llm.Client) -> None:
    reply = client.complete_sync(Ask("hello", max_tokens=7, n=2))
    assert reply.usage.prompt == len("[user] hello\n[assistant] "), "one token for each byte"
    assert reply.usage.completion == 14
    assert reply.finish_reasons == ("length", "length")
    assert not reply.usage.estimated
    assert reply.cost == 0.0


def test_requests_that_wait_are_generated_together(client: llm.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def noting(model, tokenizer, rows: list[Row], ends) -> None:
        sizes.append(len(rows))
        generate(model, tokenizer, rows, ends)

    monkeypatch.setattr(folder_module, "generate", noting)
    client.complete_many_sync([Ask(f"question {n}", max_tokens=5) for n in range(24)])
    assert sum(sizes) == 24
    assert max(sizes) > 8


def test_a_batch_keeps_to_its_limit_of_tokens(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    padded: list[int] = []

    def noting(model, tokenizer, rows: list[Row], ends) -> None:
        padded.append(len(rows) * max(len(row.prompt) + row.limit for row in rows))
        generate(model, tokenizer, rows, ends)

    monkeypatch.setattr(folder_module, "generate", noting)
    backend = folder_module.FolderBackend(tiny, device="cpu", batch_tokens=300)
    with llm.Client("hf:tiny", backend=backend, coalesce=False) as made:
        made.complete_many_sync([Ask("w" * n, max_tokens=20) for n in range(1, 40, 3)])
    assert len(padded) > 1
    assert max(padded) <= 300


def test_samples_differ_by_number_and_repeat_by_request(client: llm.Client) -> None:
    requests = [Ask("x", temperature=1.0, max_tokens=12, sample=n) for n in range(6)]
    first = [reply.text for reply in client.complete_many_sync(requests)]
    assert first == [reply.text for reply in client.complete_many_sync(requests)]
    assert len(set(first)) == 6
    texts = client.complete_sync(Ask("x", temperature=1.0, max_tokens=12, n=4)).texts
    assert len(set(texts)) == 4


def test_a_small_top_p_is_greedy(client: llm.Client) -> None:
    greedy = client.complete_sync(Ask("x", max_tokens=10))
    assert client.complete_sync(Ask("x", max_tokens=10, temperature=1.0, top_p=1e-9)).text == greedy.text


def test_draws_follow_the_models_distribution() -> None:
    import torch

    from tenfold.llm.generation import _Drawing

    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, -30.0])
    chances = (logits / 0.7).softmax(-1)
    drawn = [int(_Drawing(Row([], 1, 0.7, 1.0, seed=n)).choose(logits)) for n in range(4000)]
    shares = torch.bincount(torch.tensor(drawn), minlength=5) / len(drawn)
    assert float((shares - chances).abs().max()) < 0.03
    kept = {int(_Drawing(Row([], 1, 0.7, 0.85, seed=n)).choose(logits)) for n in range(500)}
    assert kept == {0, 1}, "the smallest set that holds 0.85"


def test_a_stop_text_ends_the_reply_and_is_left_out(client: llm.Client) -> None:
    whole = client.complete_sync(Ask("tell", max_tokens=40)).text
    stop = whole[10:12]
    reply = client.complete_sync(Ask("tell", max_tokens=40, stop=(stop,)))
    assert reply.text == whole[: whole.index(stop)]
    assert reply.finish_reasons == ("stop",)
    assert reply.usage.completion < 40


def test_a_stream_is_the_reply_in_pieces(client: llm.Client) -> None:
    async def pieces(request: llm.Request) -> list[str]:
        return [piece async for piece in client.stream(request)]

    whole = client.complete_sync(Ask("hello", max_tokens=40))
    streamed = asyncio.run(pieces(Ask("hello", max_tokens=40)))
    assert "".join(streamed) == whole.text
    assert len(streamed) > 3
    stop = whole.text[8:10]
    assert "".join(asyncio.run(pieces(Ask("hello", max_tokens=40, stop=(stop,))))) == whole.text[: whole.text.index(stop)]


def test_a_prompt_that_is_too_long_says_how_long_and_leaves_the_others_alone(client: llm.Client) -> None:
    good, bad = client.complete_many_sync([Ask("short", max_tokens=3), Ask("w" * 600)], on_error="collect")
    assert isinstance(good, Reply)
    assert isinstance(bad, ContextOverflow)
    assert (bad.tokens, bad.limit) == (600 + len("[user] \n[assistant] "), 512)


def test_a_reply_ends_where_the_context_does(client: llm.Client) -> None:
    reply = client.complete_sync(Ask("w" * 480, max_tokens=200))
    assert reply.usage.total <= 512
    assert reply.finish_reasons in (("length",), ("stop",))


def test_a_model_without_a_template_reads_a_dialogue(tmp_path: Path) -> None:
    with llm.Client(f"hf:{build(tmp_path / 'plain')}") as made:
        reply = made.complete_sync(Ask("hello", system="Be brief.", max_tokens=4))
    assert reply.usage.prompt == len("System: Be brief.\nUser: hello\nAssistant:")


def test_the_event_loop_stays_free_while_the_model_works(client: llm.Client) -> None:
    async def work() -> float:
        longest, done = 0.0, asyncio.ensure_future(client.complete(Ask("x", max_tokens=100)))
        while not done.done():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)
        return longest

    client.complete_sync(Ask("warm", max_tokens=2))
    assert asyncio.run(work()) < 0.5


def test_a_cancelled_request_stops_the_work(tiny: Path) -> None:
    backend = folder_module.FolderBackend(build_long(tiny), device="cpu")

    async def work() -> float:
        await backend.complete(Ask("warm", max_tokens=2))
        waiting = asyncio.ensure_future(backend.complete(Ask("x", max_tokens=20000)))
        await asyncio.sleep(0.3)
        waiting.cancel()
        started = time.perf_counter()
        await backend.complete(Ask("next", max_tokens=2))
        return time.perf_counter() - started

    assert asyncio.run(work()) < 10
    backend.close()


def build_long(tiny: Path) -> Path:
    """The same model with room for very long texts."""
    return build(tiny.parent / "long", context=32768)


def test_closing_frees_the_model_and_another_request_loads_it_again(tiny: Path) -> None:
    before = threading.active_count()
    made = llm.Client(f"hf:{tiny}")
    first = made.complete_sync(Ask("x", max_tokens=5)).text
    backend = made._backend
    made.close()
    assert threading.active_count() <= before + 1, "the model's thread has ended"
    assert backend._loaded is None
    assert made.complete_sync(Ask("x", max_tokens=5)).text == first
    made.close()


def test_roles_that_name_the_same_folder_share_its_weights(tiny: Path) -> None:
    one, two = llm.Client(f"hf:{tiny}"), llm.Client(f"hf:{tiny}")
    assert one._backend is two._backend
    one.complete_sync(Ask("x", max_tokens=2))
    one.close()
    assert two._backend._loaded is not None, "the other client still uses it"
    two.close()


def test_the_identity_is_of_the_content_not_of_the_place(tiny: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny, tmp_path / "elsewhere")
    assert llm.Client(f"hf:{moved}").identity == llm.Client(f"hf:{tiny}").identity
    assert (
        llm.Client(f"hf:{build(tmp_path / 'other', seed=1, template=TEMPLATE)}").identity
        != llm.Client(f"hf:{tiny}").identity
    )


def test_images_and_tools_are_refused_in_one_sentence(client: llm.Client) -> None:
    picture = {"type": "image", "url": "data:image/png;base64,AA=="}
    with pytest.raises(RequestRefused, match="text only"):
        client.complete_sync(llm.Request(({"role": "user", "content": [picture]},)))
    with pytest.raises(RequestRefused, match="no tools"):
        client.complete_sync(Ask("x", tools=(llm.Tool("f"),)))


def break_folder(folder: Path, how: str) -> None:
    config = folder / "config.json"
    if how == "missing config":
        config.unlink()
    elif how == "pickled weights":
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "remote code":
        found = json.loads(config.read_text()) | {"auto_map": {"AutoModelForCausalLM": "evil.Model"}}
        config.write_text(json.dumps(found))
        (folder / "evil.py").write_text("open('pwned', 'w')")
    elif how == "broken JSON":
        config.write_text("{")
    elif how == "a list":
        config.write_text("[]")
    elif how == "torn weights":
        os.truncate(folder / "model.safetensors", 1000)
    elif how == "unknown kind":
        config.write_text(json.dumps({"model_type": "no_such_model"}))
    elif how == "no tokenizer":
        (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing config", "no config.json"),
        ("pickled weights", r"pytorch_model\.bin, a format that can run code"),
        ("no weights", r"no \*\.safetensors"),
        ("remote code", "asks to run code"),
        ("broken JSON", "not valid JSON"),
        ("a list", "not a model's configuration"),
        ("torn weights", "does not work"),
        ("unknown kind", "does not work"),
        ("no tokenizer", "does not work"),
    ],
)
def test_a_hostile_or_broken_folder_gives_one_sentence(tiny: Path, tmp_path: Path, monkeypatch, how: str, said: str) -> None:
    broken = shutil.copytree(tiny, tmp_path / "broken")
    break_folder(broken, how)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=said) as caught, llm.Client(f"hf:{broken}") as made:
        made.complete_sync(Ask("x"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "pwned").exists()


def test_a_folder_that_is_not_there_or_an_unknown_option_is_bad_input(tiny: Path) -> None:
    with pytest.raises(BadInput, match="is not a folder"):
        llm.Client("hf:/no/such/folder")
    with pytest.raises(BadInput, match="no option 'colour'"):
        llm.Client(f"hf:{tiny}?colour=red")
    with pytest.raises(BadInput, match="not a device"):
        llm.Client(f"hf:{tiny}?device=abacus")
