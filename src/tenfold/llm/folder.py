"""The backend `hf:/folder`: transformers weights in this process, requests that meet are generated in one batch."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from weakref import WeakValueDictionary

from tenfold.core.console import torch_device
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.extras import require
from tenfold.llm.errors import ContextOverflow, RequestRefused
from tenfold.llm.generation import Row, generate, rows_of
from tenfold.llm.types import Reply, Request, Usage
from tenfold.llm.weights import check_folder, fingerprint, quiet_offline

__all__ = ["FolderBackend", "open_folder"]

_WINDOW = 0.004  # seconds that a first request waits for company


@dataclass
class _Job:
    request: Request
    done: "Future[Reply]"
    arrived: float
    listen: Callable[[str], object] | None = None
    rows: list[Row] = field(default_factory=list)

    @property
    def longest(self) -> int:
        """Most tokens that a row may come to have."""
        return max(len(row.prompt) + row.limit for row in self.rows)


class FolderBackend:
    """A folder of transformers weights as a backend; one thread owns the model, so the event loop stays free.

    Attributes:
        identity: names the folder's content, not its place: cassettes and caches can be moved between machines.
        endpoint, model, source, is_free, takes_schema: as in `Backend`.
    """

    source, is_free, takes_schema = "live", True, False

    def __init__(self, folder: str | os.PathLike[str], *, device: str = "auto", batch_tokens: int = 16384) -> None:
        """Check the folder; the weights are loaded when the first request arrives, and again after `close`.

        Args:
            folder: as `save_pretrained` makes it: config.json, *.safetensors, tokenizer.
            device: auto, cpu, cuda or cuda:N.
            batch_tokens: most tokens in a batch (prompts padded to one length, and new ones); one request may have more.

        Raises:
            BadInput: not such a folder, pickled weights, or code in it.
            ExtraMissing: transformers is not installed.
        """
        self._folder, self._device, self._batch_tokens = Path(folder), device, batch_tokens
        check_folder(self._folder)
        require("transformers", "hf")
        self._device = torch_device(device)
        self.model = self._folder.resolve().name
        self.identity = f"hf:{fingerprint(self._folder)}"
        self.endpoint = f"hf:{self._folder}"
        self.users = 0
        self._loaded: _Loaded | None = None
        self._waiting: list[_Job] = []
        self._changed = threading.Condition()
        self._is_closing = False
        self._worker: threading.Thread | None = None

    async def complete(self, request: Request) -> Reply:
        """Generate the reply.

        Raises:
            BadInput: the folder does not load.
            RequestRefused: the request holds images or tools.
            ContextOverflow: the prompt leaves no room for a reply.
        """
        return await asyncio.wrap_future(self._submit(request))

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        """The first text in pieces, then the whole reply. Raises as `complete`."""
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()
        done = self._submit(request, lambda piece: loop.call_soon_threadsafe(pieces.put_nowait, piece))
        waiting = asyncio.wrap_future(done)
        waiting.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            yield await waiting
        finally:
            waiting.cancel()

    def close(self) -> None:
        """Let waiting requests finish, then free the model, unless other clients use it (see `open_folder`)."""
        self.users = max(0, self.users - 1)
        if self.users > 0:
            return
        with self._changed:
            worker, self._is_closing = self._worker, True
            self._changed.notify()
        if worker is not None:
            worker.join()

    async def aclose(self) -> None:
        """`close`, without holding up the event loop."""
        await asyncio.to_thread(self.close)

    def _submit(self, request: Request, listen: Callable[[str], object] | None = None) -> "Future[Reply]":
        """Queue a request; cancelling the future gives the work up between two tokens."""
        _check(request)
        job = _Job(request, Future(), time.perf_counter(), listen)
        with self._changed:
            self._waiting.append(job)
            if self._worker is None:
                self._is_closing = False
                self._worker = threading.Thread(target=self._work, name="tenfold-hf", daemon=True)
                self._worker.start()
            self._changed.notify()
        return job.done

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                if not self._waiting:
                    self._loaded = self._worker = None
                    return
            time.sleep(_WINDOW)
            for batch in self._batches(self._take()):
                self._run(batch)

    def _take(self) -> list[_Job]:
        """Everything that waits, made ready; what cannot be done fails at once."""
        with self._changed:
            jobs, self._waiting = self._waiting, []
        ready = []
        for job in jobs:
            try:
                if self._loaded is None:
                    self._loaded = _load(self._folder, self._device)
                job.rows = self._loaded.rows(job)
                ready.append(job)
            except Exception as error:
                _fail(job, _named(error, self._folder))
        return ready

    def _batches(self, jobs: list[_Job]) -> list[list[_Job]]:
        """Jobs of like length together, each batch within the limit of tokens when padded."""
        found: list[list[_Job]] = []
        for job in sorted(jobs, key=lambda job: job.longest):
            together = [*(found[-1] if found else []), job]
            size = max(one.longest for one in together) * sum(len(one.rows) for one in together)
            if found and size <= self._batch_tokens:
                found[-1].append(job)
            else:
                found.append([job])
        return found

    def _run(self, jobs: list[_Job]) -> None:
        """Generate a batch; one that fails together is tried one by one, so that a request fails for itself alone."""
        loaded = self._loaded
        assert loaded is not None
        try:
            generate(loaded.model, loaded.tokenizer, [row for job in jobs for row in job.rows], loaded.ends)
        except Exception as error:
            if len(jobs) == 1:
                return _fail(jobs[0], _named(error, self._folder))
            for job in jobs:
                job.rows = loaded.rows(job)
                self._run([job])
            return None
        for job in jobs:
            with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
                job.done.set_result(_reply(job, self.model))
        return None


def open_folder(text: str) -> FolderBackend:
    """The backend of "/folder" or "/folder?device=cuda:0"; clients of one folder on one device share the weights.

    Raises:
        BadInput: an option that it does not have; and as `FolderBackend`.
    """
    place, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    device = options.pop("device", "auto")
    if options:
        raise BadInput(f"hf: has no option {next(iter(options))!r}.", "It has: device.")
    made = FolderBackend(place, device=device)
    with _lock:
        shared = _shared.setdefault(f"{made.identity} {device}", made)
        shared.users += 1
    return shared


_shared: WeakValueDictionary[str, FolderBackend] = WeakValueDictionary()
_lock = threading.Lock()


@dataclass
class _Loaded:
    """A model that is in memory, its tokenizer, its end tokens and the tokens that it can hold (None = not known)."""

    model: Any
    tokenizer: Any
    ends: set[int]
    limit: int | None

    def rows(self, job: _Job) -> list[Row]:
        """The rows of a request.

        Raises:
            ContextOverflow: the prompt fills the model's context.
        """
        request = job.request
        text, stop = self._prompt(request)
        prompt = self.tokenizer(text, add_special_tokens=not self.tokenizer.chat_template)["input_ids"]
        if self.limit is not None and len(prompt) >= self.limit:
            message = f"The prompt has {len(prompt)} tokens; the model reads {self.limit}, its reply included."
            raise ContextOverflow(message, "Shorten the longest block of the prompt.", tokens=len(prompt), limit=self.limit)
        room = request.max_tokens if self.limit is None else min(request.max_tokens, self.limit - len(prompt))
        made = rows_of(request, prompt, room, stop, job.done.cancelled)
        made[0].listen = job.listen
        return made

    def _prompt(self, request: Request) -> tuple[str, tuple[str, ...]]:
        """By the chat template; a model without one reads a dialogue, which ends where the user would speak."""
        if self.tokenizer.chat_template:  # written for the model that it comes with, and run in transformers' sandbox
            turns = [{"role": message.role, "content": message.text} for message in request.messages]
            return self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False), request.stop
        lines = [f"{message.role.capitalize()}: {message.text}" for message in request.messages]
        return "\n".join([*lines, "Assistant:"]), (*request.stop, "\nUser:")


def _load(folder: Path, device: str) -> _Loaded:
    import torch

    quiet_offline()
    transformers = require("transformers", "hf")
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder), **local)
        dtype = "auto" if device != "cpu" else torch.float32  # half precision is slow on processors
        load = transformers.AutoModelForCausalLM.from_pretrained
        model = load(str(folder), use_safetensors=True, dtype=dtype, **local).to(device).eval()
    except Exception as error:  # transformers, tokenizers and safetensors raise what they like on a damaged folder
        raise _named(error, folder) from error
    own = model.generation_config.eos_token_id
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None}
    # The folder's own defaults (penalties, temperatures) do not apply: a request means the same on every model.
    model.generation_config = transformers.GenerationConfig()
    return _Loaded(model, tokenizer, ends, _context(model.config, tokenizer))


def _context(config: Any, tokenizer: Any) -> int | None:
    sizes = [getattr(config.get_text_config(), name, None) for name in ("max_position_embeddings", "n_positions")]
    known = [size for size in (*sizes, tokenizer.model_max_length) if isinstance(size, int) and 0 < size < 10**9]
    return min(known, default=None)


def _check(request: Request) -> None:
    if request.tools:
        raise RequestRefused(
            "A model in an hf: folder takes no tools.", "Serve it behind an OpenAI-compatible server for tools."
        )
    if any(not isinstance(m.content, str) and any(p["type"] == "image" for p in m.content) for m in request.messages):
        raise RequestRefused(
            "A model in an hf: folder takes text only.", "Serve it behind an OpenAI-compatible server for images."
        )


def _reply(job: _Job, model: str) -> Reply:
    made = sum(row.made for row in job.rows)
    return Reply(
        texts=tuple(row.text for row in job.rows),
        finish_reasons=tuple(row.ended for row in job.rows),
        usage=Usage(prompt=len(job.rows[0].prompt), completion=made),
        cost=0.0,
        latency=time.perf_counter() - job.arrived,
        model=model,
    )


def _fail(job: _Job, error: Exception) -> None:
    with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
        job.done.set_exception(error)


def _named(error: Exception, folder: Path) -> TenfoldError:
    if isinstance(error, TenfoldError):
        return error
    text = " ".join(str(error).split())[:300]
    return BadInput(f"The model in {folder} does not work: {type(error).__name__}: {text}", "Look at the folder's files.")
