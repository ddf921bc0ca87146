"""SMILES in, SMILES out: a stored network with its vocabulary, asked in batches, each question once."""

import math
import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload

from tenfold.core.console import say, torch_device
from tenfold.core.errors import BadInput, TenfoldError
from tenfold.reactions.bounded import decode_within
from tenfold.reactions.confidence import Calibration, merge
from tenfold.reactions.copying import Span, copied_spans
from tenfold.reactions.drafting import SuffixDrafter
from tenfold.reactions.equality import canonical_form
from tenfold.reactions.molecules import Query, check_tokens, read_query
from tenfold.reactions.ngrams import NgramTable
from tenfold.reactions.rings import RingSymbols
from tenfold.reactions.tokens import BOS, EOS, PAD, Vocabulary, tokenize

if TYPE_CHECKING:
    from tenfold.reactions.batching import Answer
    from tenfold.reactions.cached import CachedDecoder
    from tenfold.reactions.network import Transformer

    Tell = Callable[[str, Answer], None]

__all__ = ["GREEDY", "SEARCHES", "Asked", "Model", "Prediction", "Stored", "load"]

GREEDY = ("greedy", "speculative", "speculative-windows")
SEARCHES = ("beam", "exact", "sbs")
_DRAFTED = ("speculative", "exact")
_BATCHES_TOGETHER = 8
_TIMED_OUT = "The time limit came first; this is the best so far."


@dataclass(frozen=True)
class Prediction:
    """One answer.

    Attributes:
        smiles: as the model wrote it.
        probability: with a calibrated model, how likely the answer is right, what its other spellings add included (they
            and invalid answers get 0); else the probability of this very string.
        log_probability: sum over the tokens, the end included; not calibrated.
        calls: of the decoder, for all answers to this query together.
        copied: stretches of the query's tokens that the answer repeats, by their place in it; of a speculative decoding,
            those that were drafted and accepted.
        valid: whether RDKit reads it.
        truncated: whether it ran to the length limit without an end.
        milliseconds: of wall time; of a batch, the query's share.
        notes: what was changed in the query, or looks odd.
    """

    smiles: str
    probability: float
    log_probability: float
    calls: int
    copied: tuple[Span, ...]
    valid: bool
    truncated: bool
    milliseconds: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """How answers are wanted; two equal ones give equal answers.

    Attributes:
        decoding: one of `GREEDY`, or with n-best one of `SEARCHES`.
        n: answers to each query.
        max_length: tokens of an answer, begin and end included.
        cache: keep keys and values of earlier tokens; without it the decoder starts over at each token.
        draft_length: tokens of a draft; None chooses.
        draft_count: drafts of a call; None chooses.
        strip_salts: leave counter-ions out of the query.
        keep_unknown: give a token that the model does not know as unknown, with a note, instead of refusing.
        time_limit: seconds for a query, or for those of a batch together, after which the best so far is answered, with a
            note; such answers depend on the machine. None: as long as it takes.
    """

    decoding: str = "speculative"
    n: int = 1
    max_length: int = 200
    cache: bool = True
    draft_length: int | None = None
    draft_count: int | None = None
    strip_salts: bool = False
    keep_unknown: bool = False
    time_limit: float | None = None

    def check(self, vocabulary: int, positions: int) -> None:
        """See that a model of so many tokens and positions can answer so.

        Raises:
            BadInput: names the argument, its value and its range.
        """
        if self.decoding not in (*GREEDY, *SEARCHES):
            raise BadInput(f"decoding {self.decoding!r} is unknown.", f"Use one of {', '.join((*GREEDY, *SEARCHES))}.")
        if self.decoding in GREEDY and self.n != 1:
            raise BadInput(f"n is {self.n}; {self.decoding} decoding gives 1.", f"Use one of {', '.join(SEARCHES)}.")
        most: dict[str, tuple[int | None, int]] = {
            "n": (self.n, vocabulary), "max_length": (self.max_length, positions),
            "draft_length": (self.draft_length, positions - 1), "draft_count": (self.draft_count, 1000),
        }  # fmt: skip
        for name, (value, limit) in most.items():
            if value is not None and not 1 <= value <= limit:
                raise BadInput(f"{name} is {value}; it must be from 1 to {limit}.")
        if self.time_limit is not None and not 0 < self.time_limit < math.inf:
            raise BadInput(f"time_limit is {self.time_limit}; it must be a number of seconds above 0.")

    def options(self) -> dict[str, Any]:
        """Arguments of `decode`."""
        names = ("decoding", "n", "max_length", "cache", "draft_length", "draft_count")
        return {name: getattr(self, name) for name in names}


class Stored(Protocol):
    """What a model's folder holds."""

    @property
    def network(self) -> "Transformer": ...
    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def card(self) -> Mapping[str, Any]: ...


class Decoder(Protocol):
    """`decoding.decode_rows`, or what stands in for it."""

    def __call__(
        self, model: "Transformer", sources: Sequence[Sequence[int]], **options: Any
    ) -> tuple[Sequence[Any], int]: ...


def load(
    name_or_folder: str | os.PathLike[str],
    *,
    device: str = "cpu",
    remember: int = 4096,
    drafts: str | os.PathLike[str] | None = None,
) -> "Model":
    """A model that ships with tenfold, or one that was trained or converted.

    Args:
        name_or_folder: "forward", "retro" or a folder.
        device: cpu, cuda, cuda:N or auto.
        remember: answers that are kept, so that a repeated question costs nothing; 0 = none.
        drafts: an .npz file of n-grams of your own known reactions, drafted from before what the folder and this package
            hold; answers stay the same, and come sooner where they are like those reactions.

    Raises:
        BadInput: there is no such model, its files are damaged or do not belong together, or the device is not here.
    """
    from tenfold.reactions import weights

    device = torch_device(device)
    stored = weights.read(name_or_folder)
    folder = weights.find(name_or_folder)
    files = [] if drafts is None else [Path(drafts)]
    if (folder / weights.DRAFTS).is_file():
        files.append(folder / weights.DRAFTS)
    return Model(
        stored, source=str(name_or_folder), device=device, remember=remember, calibration=Calibration.read(folder),
        draft_tables=tuple(map(NgramTable.load, files)), drafts="" if drafts is None else str(drafts),
    )  # fmt: skip


class Model:
    """A network that is asked with SMILES.

    Attributes:
        card: what the model is, what it was trained on, and its held-out numbers.
        task: "forward" or "retro".
        source: the name or folder it was loaded from; empty if it was made in memory.
        drafts: the file of the user's n-grams, or empty.
    """

    def __init__(
        self,
        stored: Stored,
        *,
        source: str = "",
        device: str = "cpu",
        remember: int = 4096,
        calibration: Calibration | None = None,
        draft_tables: Sequence[NgramTable] = (),
        drafts: str = "",
        decoder: Decoder | None = None,
    ) -> None:
        size = stored.network.config.vocabulary_size
        if len(stored.vocabulary) != size:
            hint = "The weights and the vocabulary are of different models."
            raise BadInput(f"The vocabulary has {len(stored.vocabulary)} tokens, the network {size}.", hint)
        self.network = stored.network.to(device).eval()
        self.vocabulary, self.card = stored.vocabulary, stored.card
        self.task = str(stored.card.get("task", "forward"))
        self.source, self.device, self.calibration = source, device, calibration
        self.drafts, self._draft_tables = drafts, draft_tables
        self._rings = RingSymbols(stored.vocabulary)
        self._remember = remember
        self._known: OrderedDict[tuple[str, Asked], list[Prediction]] = OrderedDict()
        self._decoder = decoder

    @overload
    def predict(self, smiles: str, batch_size: int = ..., **options: Any) -> Prediction: ...
    @overload
    def predict(self, smiles: list[str] | tuple[str, ...], batch_size: int = ..., **options: Any) -> list[Prediction]: ...
    def predict(
        self,
        smiles: str | list[str] | tuple[str, ...],
        batch_size: int = 64,
        decoding: str = "speculative",
        max_length: int = 200,
        cache: bool = True,
        **options: Any,
    ) -> Prediction | list[Prediction]:
        """The likeliest answer, token by token, to a query or to each of a list.

        Args:
            smiles: molecules or reactions as SMILES.
            batch_size: queries at once.
            decoding: "greedy", "speculative" (the same strings, sooner) or "speculative-windows" (the paper's drafts).
            max_length: tokens of an answer.
            cache: keep keys and values of earlier tokens.
            options: further fields of `Asked`.

        Raises:
            BadInput: an option is out of range, or a query cannot be used; of a list, with its row.
        """
        if decoding not in GREEDY:
            raise BadInput(f"decoding {decoding!r} is unknown.", f"Use one of {', '.join(GREEDY)}; nbest searches.")
        asked = Asked(decoding, 1, max_length, cache, **options)
        found = [answers[0] for answers in self._all(_listed(smiles), asked, batch_size, isinstance(smiles, str))]
        return found[0] if isinstance(smiles, str) else found

    @overload
    def nbest(
        self, smiles: str, n: int = ..., search: str = ..., batch_size: int = ..., **options: Any
    ) -> list[Prediction]: ...
    @overload
    def nbest(
        self, smiles: list[str] | tuple[str, ...], n: int = ..., search: str = ..., batch_size: int = ..., **options: Any
    ) -> list[list[Prediction]]: ...
    def nbest(
        self,
        smiles: str | list[str] | tuple[str, ...],
        n: int = 10,
        search: str = "exact",
        batch_size: int = 1,
        **options: Any,
    ) -> list[Prediction] | list[list[Prediction]]:
        """The n likeliest answers that beam search finds, the best first, to a query or to each of a list.

        Args:
            smiles: molecules or reactions as SMILES.
            n: answers, at most as many as the vocabulary has tokens.
            search: "beam", "exact" (the same list with fewer calls) or "sbs" (the paper's, approximate).
            batch_size: queries at once.
            options: further fields of `Asked`.

        Raises:
            BadInput: an option is out of range, or a query cannot be used; of a list, with its row.
        """
        if search not in SEARCHES:
            raise BadInput(f"search {search!r} is unknown.", f"Use one of {', '.join(SEARCHES)}.")
        found = self._all(_listed(smiles), Asked(search, n, **options), batch_size, isinstance(smiles, str))
        return found[0] if isinstance(smiles, str) else found

    def answers(
        self, texts: Sequence[str], asked: Asked, batch_size: int = 64, tell: "Tell | None" = None
    ) -> list[list[Prediction] | BadInput]:
        """Answers to each text, or the reason why there are none: one bad text does not end the others.

        Args:
            texts: molecules or reactions as SMILES; equal ones are computed once.
            asked: how.
            batch_size: queries at once, of similar length.
            tell: hears after each call of the decoder of every query in it: its canonical SMILES, and its answer so far;
                what is remembered takes no call.

        Raises:
            BadInput: an option is out of range.
        """
        asked.check(len(self.vocabulary), self.network.config.positions)
        if batch_size < 1:
            raise BadInput(f"batch_size is {batch_size}; it must be at least 1.")
        queries = {text: self._query(text, asked) for text in dict.fromkeys(texts)}
        wanted = dict.fromkeys(query.smiles for query in queries.values() if isinstance(query, Query))
        found = {smiles: self._recall(smiles, asked) for smiles in wanted}
        fresh = [smiles for smiles, known in found.items() if known is None]
        for smiles, predictions in self._compute(fresh, asked, batch_size, tell):
            found[smiles] = predictions
            self._keep(smiles, asked, predictions)
        return [
            query if isinstance(query, BadInput) else [_noted(one, query) for one in found[query.smiles] or []]
            for query in map(queries.__getitem__, texts)
        ]

    def export(self, folder: str | os.PathLike[str], format: str = "ctranslate2", *, quantization: str = "float32") -> Path:
        """Write the network for another engine.

        Raises:
            BadInput: the format or quantization is unknown, or the folder holds files.
            ExtraMissing: ctranslate2 is not installed.
        """
        if format != "ctranslate2":
            raise BadInput(f"format {format!r} is unknown.", "There is: ctranslate2.")
        from tenfold.reactions.ctranslate import export

        return export(self.network, self.vocabulary, folder, quantization=quantization)

    def numbers(self, smiles: str) -> list[int]:
        """Token ids of a canonical query, begin and end included; a token that the model does not know as unknown."""
        return [BOS, *self.vocabulary.encode(smiles, keep_unknown=True), EOS]

    def _all(self, texts: Sequence[str], asked: Asked, batch_size: int, is_single: bool) -> list[list[Prediction]]:
        found = self.answers(texts, asked, batch_size)
        for row, answers in enumerate(found, 1):
            if isinstance(answers, BadInput):
                raise answers if is_single else BadInput(f"Row {row}: {answers.message}", answers.hint)
        return [answers for answers in found if not isinstance(answers, BadInput)]

    def _query(self, text: str, asked: Asked) -> Query | BadInput:
        try:
            query = read_query(text, self.task, strip_salts=asked.strip_salts)
            check_tokens(query.smiles, self.network.config.positions)
        except BadInput as error:
            return error
        missing = sorted(set(tokenize(query.smiles)) - self.vocabulary.numbers.keys())
        if not missing:
            return query
        named = [_as_written(token, text) for token in missing]
        if asked.keep_unknown:
            return query._replace(notes=(*query.notes, f"Unknown to the model: {', '.join(named)}."))
        words = f"Token {named[0]!r} is not in this model's vocabulary ({len(self.vocabulary)} tokens)."
        return BadInput(words, "Use --unknown keep to go on without knowing it.")

    def _recall(self, smiles: str, asked: Asked) -> list[Prediction] | None:
        known = self._known.get((smiles, asked))
        if known is not None:
            self._known.move_to_end((smiles, asked))
        return known

    def _keep(self, smiles: str, asked: Asked, predictions: list[Prediction]) -> None:
        if self._remember and not any(_TIMED_OUT in one.notes for one in predictions):
            self._known[smiles, asked] = predictions
            while len(self._known) > self._remember:
                self._known.popitem(last=False)

    def _compute(
        self, smiles: Sequence[str], asked: Asked, batch_size: int, tell: "Tell | None"
    ) -> Iterator[tuple[str, list[Prediction]]]:
        """Queries of similar length together; where the memory does not suffice, half as many at a time from then on."""
        left = sorted(smiles, key=lambda one: len(tokenize(one)))
        while left:
            # More than a batch, for the decoder begins a new query whenever one ends; a limit of time is a batch's.
            group = left[: batch_size * (_BATCHES_TOGETHER if asked.time_limit is None else 1)]
            try:
                found = self._group(group, asked, batch_size, tell)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                at_once = min(batch_size, len(group))
                if at_once == 1:
                    raise TenfoldError("There is not enough memory for a single query.", "Lower n or max_length.") from error
                batch_size = at_once // 2
                say(f"Not enough memory for {at_once} queries at once: going on with {batch_size}.")
                continue
            yield from zip(group, found, strict=True)
            left = left[len(group) :]

    def _group(self, group: Sequence[str], asked: Asked, batch_size: int, tell: "Tell | None") -> list[list[Prediction]]:
        begun = time.perf_counter()
        sources = [self.numbers(one) for one in group]
        options = {**asked.options(), **_hearing(group, tell)}
        if asked.decoding in _DRAFTED:
            options["drafter"] = self.drafter
        network: Any = self._laid_out if asked.cache and self._decoder is None else self.network
        decode: Any = partial(self._decode(), network, sources, batch_size=batch_size)
        answers = decode(**options)[0] if asked.time_limit is None else decode_within(decode, asked.time_limit, **options)
        share = (time.perf_counter() - begun) * 1000 / len(group)
        return [self._predictions(query, answer, share) for query, answer in zip(group, answers, strict=True)]

    def _decode(self) -> Decoder:
        from tenfold.reactions import decoding

        usual: Any = decoding.decode_rows
        return self._decoder or usual

    @cached_property
    def _laid_out(self) -> "CachedDecoder":
        """The network as the decoders with a cache need it, made once: a model's weights do not change."""
        from tenfold.reactions.cached import CachedDecoder

        return CachedDecoder(self.network)

    @cached_property
    def drafter(self) -> SuffixDrafter:
        """Drafts for this model: copies of the query, and what usually follows in the outputs of its task."""
        return SuffixDrafter(self.vocabulary, reduce(NgramTable.over, [*self._draft_tables, NgramTable.shipped(self.task)]))

    def _predictions(self, query: str, answer: Any, share: float) -> list[Prediction]:
        texts = [self.vocabulary.decode(one.ids) for one in answer.hypotheses]
        scores = [float(one.log_probability) for one in answer.hypotheses]
        source, is_timed_out = self.numbers(query)[1:-1], answer.is_timed_out
        probabilities = self._probabilities(texts, scores, len(source))
        return [
            Prediction(
                smiles=text,
                probability=probability,
                log_probability=score,
                calls=answer.calls,
                copied=self._copied(source, one.ids, answer.copied if rank == 0 else ()),
                valid=canonical_form(text) != "",
                truncated=not one.is_complete,
                milliseconds=share,
                notes=(_TIMED_OUT,) if is_timed_out else (),
            )
            for rank, (text, score, probability, one) in enumerate(
                zip(texts, scores, probabilities, answer.hypotheses, strict=True)
            )
        ]

    def _copied(self, source: list[int], ids: Sequence[int], accepted: Sequence[tuple[int, int]]) -> tuple[Span, ...]:
        """Spans of an answer's tokens; where no draft is known to have been accepted, all that it has in common."""
        answer = [token for token in ids if token not in (PAD, BOS, EOS)]
        parts = [(start - 1, length) for start, length in accepted] or [(0, len(answer))]  # positions count BOS
        return tuple(copied_spans(self._rings.read(source, []), self._rings.read(answer, []), parts))

    def _probabilities(self, texts: Sequence[str], scores: Sequence[float], tokens: int) -> list[float]:
        if self.calibration is None:
            return [math.exp(min(0.0, float(score))) for score in scores]
        merged = merge(texts, scores)
        found = [0.0] * len(texts)
        values = self.calibration.probabilities([one.log_probability for one in merged], tokens)
        for one, value in zip(merged, values, strict=True):
            found[one.ranks[0]] = value
        return found


def _noted(answer: Prediction, query: Query) -> Prediction:
    return replace(answer, notes=(*query.notes, *answer.notes))


def _listed(smiles: str | Sequence[str]) -> Sequence[str]:
    if isinstance(smiles, str):
        return [smiles]
    if not isinstance(smiles, Sequence) or not all(isinstance(one, str) for one in smiles):
        raise BadInput(f"SMILES must be a text or a list of texts, not {type(smiles).__name__}.")
    return smiles


def _hearing(group: Sequence[str], tell: "Tell | None") -> dict[str, Any]:
    """The option of the decoder, which knows queries by their number, that tells of them by their SMILES."""
    if tell is None:
        return {}

    def heard(number: int, answer: "Answer") -> None:
        tell(group[number], answer)

    return {"tell": heard}


def _as_written(token: str, text: str) -> str:
    """How the user wrote a token of the canonical form: RDKit turns [Uuo] into [Og]."""
    return next((one for one in re.findall(r"\[[^\]]*\]", text) if canonical_form(one) == token), token)


def _is_out_of_memory(error: BaseException) -> bool:
    """torch has a class for a device's memory, and but words for the processor's."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error)
