"""The backend `hf:/folder`: transformers weights in this process, requests that meet are generated in one batch."""

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.core.console import torch_device
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.core.extras import require
from tenfold.llm.errors import ContextOverflow
from tenfold.llm.generation import Row, generate, rows_of
from tenfold.llm.types import Message, Reply, Request, Usage
from tenfold.llm.weights import check_folder, fingerprint, quiet_offline

__all__ = ["FolderBackend"]

_WINDOW = 0.004  # seconds that a first request waits for company


@dataclass
class _Job:
    request: Request
    rows: list[Row]
    done: "Future[Reply]"
    arrived: float

    @property
    def longest(self) -> int:
        """Most tokens that a row may come to have."""
        return max(len(row.prompt) + row.limit for row in self.rows)


class FolderBackend:
    """A folder of transformers weights as a backend; one thread owns the model, so the event loop stays free.

    Attributes:
        identity: names the folder's content, not its place: cassettes and caches can be moved between machines.
        model: the folder's name.
    """

    def __init__(self, folder: str | os.PathLike[str], *, device: str = "auto", batch_tokens: int = 16384) -> None:
        """Check the folder and start loading when the first request arrives.

        Args:
            folder: as `save_pretrained` makes it: config.json, *.safetensors, tokenizer.
            device: auto, cpu, cuda or cuda:N.
            batch_tokens: most tokens (prompts padded to one length, and new ones) in a batch; a single request may have more.

        Raises:
            BadInput: not such a folder, pickled weights, or code in it.
            ExtraMissing: transformers is not installed.
        """
        self._folder, self._device, self._batch_tokens = Path(folder), device, batch_tokens
        check_folder(self._folder)
        require("transformers", "hf")
        self.model = self._folder.resolve().name
        self.identity = f"hf:{fingerprint(self._folder)}"
        self._loaded: _Loaded | None = None
        self._loading = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._worker: threading.Thread | None = None

    async def complete(self, request: Request) -> Reply:
        """Generate the reply.

        Raises:
            BadInput: the folder does not load, or the request holds images or tools.
            ContextOverflow: the prompt leaves no room for a reply.
        """
        return await asyncio.wrap_future(self.submit(request))

    def submit(self, request: Request) -> "Future[Reply]":
        """Queue a request, from any thread; cancelling the future gives the work up between two tokens."""
        _check(request)
        done: Future[Reply] = Future()
        with self._changed:
            if self._closed:
                raise BadInput(f"The model in {self._folder} has been closed.")
            self._waiting.append(_Job(request, [], done, time.perf_counter()))
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name="tenfold-hf", daemon=True)
                self._worker.start()
            self._changed.notify()
        return done

    def close(self) -> None:
        """Let waiting requests finish, then free the model."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._worker is not None:
            self._worker.join()
        self._loaded = None

    async def aclose(self) -> None:
        """`close`, without holding up the event loop."""
        await asyncio.to_thread(self.close)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
            time.sleep(_WINDOW)
            for batch in self._batches(self._take()):
                self._run(batch)

    def _take(self) -> list[_Job]:
        """Everything that waits, made ready; what cannot be done fails at once."""
        with self._changed:
            jobs = list(self._waiting)
            self._waiting.clear()
        ready = []
        for job in jobs:
            try:
                if self._loaded is None:
                    self._loaded = _load(self._folder, self._device)
                job.rows = self._loaded.rows(job.request, job.done.cancelled)
                ready.append(job)
            except Exception as error:
                _fail(job, error)
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
                job.rows = loaded.rows(job.request, job.done.cancelled)
                self._run([job])
            return None
        for job in jobs:
            with contextlib.suppress(InvalidStateError):  # cancelled meanwhile
                job.done.set_result(_reply(job, self.model))
        return None


@dataclass
class _Loaded:
    """A model that is in memory, its tokenizer, its end tokens and the tokens that it can hold (None = not known)."""

    model: Any
    tokenizer: Any
    ends: set[int]
    limit: int | None

    def rows(self, request: Request, given_up: Callable[[], bool]) -> list[Row]:
        """The rows of a request.

        Raises:
            ContextOverflow: the prompt fills the model's context.
        """
        text, stop = self._prompt(request)
        prompt = self.tokenizer(text, add_special_tokens=not self.tokenizer.chat_template)["input_ids"]
        if self.limit is not None and len(prompt) >= self.limit:
            raise ContextOverflow(len(prompt), self.limit)
        room = request.max_tokens if self.limit is None else min(request.max_tokens, self.limit - len(prompt))
        return rows_of(request, prompt, room, stop, given_up)

    def _prompt(self, request: Request) -> tuple[str, tuple[str, ...]]:
        """By the folder's chat template; a model without one reads a dialogue in plain text, which ends where the user would speak."""
        if self.tokenizer.chat_template:
            turns = [{"role": message.role, "content": message.text} for message in request.messages]
            return self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False), request.stop
        lines = [f"{message.role.capitalize()}: {message.text}" for message in request.messages]
        return "\n".join([*lines, "Assistant:"]), (*request.stop, "\nUser:")


def _load(folder: Path, device: str) -> _Loaded:
    import torch

    quiet_offline()
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    where = torch_device(device)
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **local)
        dtype = "auto" if where != "cpu" else torch.float32  # half precision is slow on processors
        model = AutoModelForCausalLM.from_pretrained(str(folder), use_safetensors=True, dtype=dtype, **local).to(where).eval()
    except Exception as error:  # transformers, tokenizers and safetensors raise what they like on a damaged folder
        raise _named(error, folder) from error
    own = model.generation_config.eos_token_id
    ends = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None}
    # The folder's own defaults (penalties, temperatures) do not apply: a request means the same on every model.
    model.generation_config = GenerationConfig()
    return _Loaded(model, tokenizer, ends, _context(model.config, tokenizer))


def _context(config: Any, tokenizer: Any) -> int | None:
    sizes = [getattr(config.get_text_config(), name, None) for name in ("max_position_embeddings", "n_positions")]
    known = [size for size in (*sizes, tokenizer.model_max_length) if isinstance(size, int) and 0 < size < 10**9]
    return min(known, default=None)


def _check(request: Request) -> None:
    if request.tools:
        raise BadInput("A model in an hf: folder takes no tools.", "Serve it behind an OpenAI-compatible server for tools.")
    if any(not isinstance(m.content, str) and any(p["type"] == "image" for p in m.content) for m in request.messages):
        raise BadInput("A model in an hf: folder takes text only.", "Serve it behind an OpenAI-compatible server for images.")


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
