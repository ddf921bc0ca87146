"""The FACTS layer: rows in no fixed order -> memory slots that a selective recurrence carries through time
(Nanbo et al. 2024, arXiv 2410.20922; spec section 1.3)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tenfold.core.errors import BadInput
from tenfold.facts.projection import Projection
from tenfold.facts.recurrence import ScanMethod, scan
from tenfold.facts.router import Router, RouterKind

__all__ = ["FACTS", "Conditioning", "LayerState", "MemoryInit", "Output"]

MemoryInit = Literal["learnable", "first_frame", "self", "uniform", "spherical", "given"]
Conditioning = Literal["initial", "chunk", "step"]


class Output(NamedTuple):
    """What a layer gives.

    Attributes:
        y: read-out (batch, time, slots, dim).
        z: memory (batch, time, slots, dim).
    """

    y: Tensor
    z: Tensor


@dataclass(frozen=True)
class LayerState:
    """What a layer needs of the past, of constant size.

    Attributes:
        memory: (batch, slots, dim); None before the first frame where that makes it.
        condition: the memory that queries come from, likewise.
        frames: the last frames before the next, (batch, d_conv - 1, rows, features); None: zeros.
        steps: frames seen since `condition` was taken.
    """

    memory: Tensor | None
    condition: Tensor | None
    frames: Tensor | None = None
    steps: int = 0


class FACTS(nn.Module):
    """A recurrent layer over sets of rows.

    Equivariant in its slots. With `invariant=True` also invariant to the order of its input rows, even if that changes from
    frame to frame; `check_invariance` measures it.
    """

    def __init__(
        self,
        in_features: int,
        in_factors: int | None = None,
        num_factors: int = 8,
        slot_size: int = 32,
        heads: int = 1,
        router: RouterKind = "softmax",
        init: MemoryInit = "learnable",
        d_conv: int | None = None,
        expand: int = 2,
        conditioning: Conditioning = "initial",
        chunk_size: int | None = None,
        residual: bool | None = None,
        slim: bool = False,
        output_parameters: bool = False,
        dt_bias: float = 0.0,
        scan: ScanMethod = "exact",
        invariant: bool = False,
    ) -> None:
        """Set up.

        Args:
            in_features: of an input row.
            in_factors: M, input rows; None takes any number, also a changing one.
            num_factors: K, slots.
            slot_size: D.
            heads: of the router.
            router: "softmax" or "inverted", see `router.py`.
            init: where the first memory comes from: "learnable"; "first_frame" and "self" (the input is the memory, M = K
                and in_features = D); "uniform", "spherical" (drawn; in evaluation always the same); "given" (as state).
            d_conv: frames that the projection sees; None = 2, or 1 if invariant.
            expand: width of the projection's inner layer.
            conditioning: which memory the router asks with: the "initial" one, that at the end of the last "chunk", or that
                of the last "step" (a true recurrent network).
            chunk_size: frames of a chunk.
            residual: multiply the output by a gate of the input row of the same number; None = on iff M = K, not invariant.
            slim: heads of size D / heads.
            output_parameters: read out through a routed matrix C; else y = z.
            dt_bias: added to dt before the softplus; -2 to -4 remembers for long.
            scan: "exact", or "reference": the published formula with its defect.
            invariant: refuse whatever depends on the order of the rows.

        Raises:
            BadInput: an argument is out of its range, or two do not go together.
        """
        super().__init__()
        _check_choices(
            router=(router, RouterKind), init=(init, MemoryInit), conditioning=(conditioning, Conditioning),
            scan=(scan, ScanMethod),
        )  # fmt: skip
        _check_sizes(
            in_features=in_features, in_factors=in_factors, num_factors=num_factors, slot_size=slot_size, heads=heads,
            expand=expand, d_conv=d_conv, chunk_size=chunk_size,
        )  # fmt: skip
        d_conv = (1 if invariant else 2) if d_conv is None else d_conv
        if slim and slot_size % heads:
            raise BadInput(f"slot_size is {slot_size}; in slim mode it must be a multiple of heads, {heads}.")
        if init in ("first_frame", "self") and (in_factors != num_factors or in_features != slot_size):
            raise BadInput(
                f"init {init!r} makes slots of the input rows: in_factors {in_factors} must be num_factors {num_factors}, "
                f"and in_features {in_features} slot_size {slot_size}."
            )
        if residual and (in_factors != num_factors or invariant):
            raise BadInput(
                "residual pairs each slot with one input row: it needs in_factors = num_factors, and not invariant."
            )
        if invariant and (d_conv > 1 or init in ("first_frame", "self")):
            raise BadInput(f"invariant needs d_conv 1 and slots that are not rows; d_conv is {d_conv}, init {init!r}.")
        if (conditioning == "chunk") != (chunk_size is not None):
            raise BadInput(
                f"conditioning {conditioning!r} with chunk_size {chunk_size}: a chunk_size goes with 'chunk' only."
            )
        if init == "self" and conditioning != "initial":
            raise BadInput(f"init 'self' asks with each frame itself; conditioning {conditioning!r} has no place in it.")
        self.in_features, self.in_factors, self.num_factors, self.slot_size = in_features, in_factors, num_factors, slot_size
        self.init, self.d_conv, self.dt_bias = init, d_conv, dt_bias
        self.method: ScanMethod = scan
        self.chunk_size = 1 if conditioning == "step" else chunk_size
        self.reads_out, self.is_invariant = output_parameters, invariant
        self.is_gated = (in_factors == num_factors and not invariant) if residual is None else residual
        groups = 3 if output_parameters else 2
        self.projection = Projection(
            in_features, slot_size * (1 + groups), expand=expand, frames=d_conv, gate=slot_size if self.is_gated else 0
        )
        self.router = Router(slot_size, heads, groups, router, slim=slim)
        self.memory = nn.Parameter(torch.randn(1, num_factors, slot_size)) if init == "learnable" else None
        self.log_rate = nn.Parameter(torch.zeros(1))

    def forward(
        self,
        x: Float[Tensor, "batch time rows features"],
        mask: Tensor | None = None,
        state: Tensor | LayerState | None = None,
    ) -> Output:
        """All frames at once.

        Args:
            x: input; rows that the mask hides may hold anything, also NaN.
            mask: added to the router's scores, -inf = not seen: (batch, slots, rows), or (batch, time, slots, rows) for rows
                that come and go; slots may be 1.
            state: the first memory (batch, 1, slots, dim) if init is "given"; or where to go on from.

        Raises:
            BadInput: shapes, numbers or types do not fit.
        """
        if isinstance(state, Tensor):
            state = self._given(state, len(x))
        y, z, _ = self.run(x, state, mask)
        return Output(y, z)

    def initial_state(self, batch: int, memory: Tensor | None = None) -> LayerState:
        """The state before the first frame.

        Args:
            batch: sequences.
            memory: (batch, 1, slots, dim), if init is "given".
        """
        if self.init == "given":
            if memory is None:
                raise BadInput("init 'given' needs the first memory as state: (batch, 1, slots, dim).")
            return self._given(memory, batch)
        if self.init == "first_frame":
            return LayerState(None, None)
        start = self._first_memory(batch)
        return LayerState(start, start)

    def step(
        self, x_t: Float[Tensor, "batch rows features"], state: LayerState, mask: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch slots dim"], LayerState]:
        """One frame; the same numbers as all at once, in constant time and memory."""
        y, _, state = self.run(x_t.unsqueeze(1), state, mask)
        return y[:, 0], state

    def run(
        self, x: Float[Tensor, "batch time rows features"], state: LayerState | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, LayerState]:
        """Some frames, from a state on: read-out, memory, and the state after them."""
        x, mask = self._checked(x, mask)
        state = state or self.initial_state(len(x))
        projected, gate, state = self._project(x, state)
        if self.init == "self":
            z = self._recur(self.router(projected, x, mask), state.memory)
            state = replace(state, memory=z.memory)
            pieces = [z]
        else:
            pieces = []
            for start, stop in self._pieces(x.shape[1], state.steps):
                part = mask if mask is None or mask.shape[1] == 1 else mask[:, start:stop]
                routed = self.router(projected[:, start:stop], _asking(state), part)
                pieces.append(self._recur(routed, state.memory))
                state = self._after(state, pieces[-1].memory, stop - start)
        y, z = _joined([piece.y for piece in pieces]), _joined([piece.z for piece in pieces])
        return y if gate is None else y * F.silu(gate), z, state

    def routing(
        self,
        x: Float[Tensor, "batch time rows features"],
        mask: Tensor | None = None,
        state: Tensor | LayerState | None = None,
    ) -> Float[Tensor, "batch time heads slots rows"]:
        """Who feeds which slot: the router's weights; over the rows they add up to 1."""
        if isinstance(state, Tensor):
            state = self._given(state, len(x))
        x, mask = self._checked(x, mask)
        state = state or self.initial_state(len(x))
        projected, _, state = self._project(x, state)
        if self.init == "self":
            return self.router.routing(projected, x, mask)
        found = []
        for start, stop in self._pieces(x.shape[1], state.steps):
            part = mask if mask is None or mask.shape[1] == 1 else mask[:, start:stop]
            found.append(self.router.routing(projected[:, start:stop], _asking(state), part))
            memory = self._recur(self.router(projected[:, start:stop], _asking(state), part), state.memory).memory
            state = self._after(state, memory, stop - start)
        return torch.cat(found, 1)

    def load_reference_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Take the weights of the published code's layer.

        Raises:
            BadInput: a weight is missing or has another shape.
        """
        own = self.state_dict()
        found = {}
        for ours, theirs in self._reference_names().items():
            if theirs not in state_dict:
                raise BadInput(f"The weights lack {theirs}.")
            value = state_dict[theirs]
            if value.numel() != own[ours].numel():
                raise BadInput(f"{theirs} has shape {tuple(value.shape)}, the layer needs {tuple(own[ours].shape)}.")
            found[ours] = value.reshape(own[ours].shape)
        self.load_state_dict(found)

    def reference_state_dict(self) -> dict[str, Tensor]:
        """The weights by the published code's names and shapes."""
        own = self.state_dict()
        found = {theirs: own[ours] for ours, theirs in self._reference_names().items()}
        for name in ("facts_build_proj.xParam_conv.1.weight", "router.out_proj.weight", "router.to_v_aug.1.weight"):
            found[name] = found[name].unsqueeze(-1)
        found["router.to_v_aug.1.weight"] = found["router.to_v_aug.1.weight"].flatten(0, 1)
        found["router.out_proj.weight"] = found["router.out_proj.weight"].flatten(0, 1)
        for name in ("weight", "bias"):
            found[f"router.to_v_aug.0.{name}"] = found[f"router.to_v_aug.0.{name}"].flatten()
        return found

    def _reference_names(self) -> dict[str, str]:
        norms = {
            f"router.{n}.{part}": f"router.{n}.{part}" for n in ("norm_inputs", "norm_slots") for part in ("weight", "bias")
        }
        names = {
            "log_rate": "A_log",
            "projection.inner": "facts_build_proj.in_proj.weight",
            "projection.kernel": "facts_build_proj.xParam_conv.1.weight",
            "projection.bias": "facts_build_proj.xParam_conv.1.bias",
            "router.query.weight": "router.to_q.weight",
            "router.key.weight": "router.to_k.weight",
            "router.value.weight": "router.to_v.weight",
            "router.norm_weight": "router.to_v_aug.0.weight",
            "router.norm_bias": "router.to_v_aug.0.bias",
            "router.parameters_map": "router.to_v_aug.1.weight",
            "router.out": "router.out_proj.weight",
        }
        return {**names, **norms, **({"memory": "slots_mu"} if self.memory is not None else {})}

    def _recur(self, routed: Tensor, before: Tensor | None) -> "_Piece":
        """The recurrence over routed drives and parameters (batch, time, slots, groups, dim)."""
        drive, dt, push, *read_out = routed.unbind(3)
        dt = F.softplus(dt + self.dt_bias)
        start = torch.zeros_like(drive[:, 0]) if before is None else before.expand_as(drive[:, 0])
        z = scan(-self.log_rate.exp() * dt, dt * push * drive, start.to(drive.dtype), self.method)
        return _Piece(z * read_out[0] if read_out else z, z, z[:, -1])

    def _project(self, x: Tensor, state: LayerState) -> tuple[Tensor, Tensor | None, LayerState]:
        """Project the frames; the state then holds those that the next ones need, and a first memory."""
        keep = self.d_conv - 1
        if keep:
            before = x.new_zeros(len(x), keep, *x.shape[2:]) if state.frames is None else state.frames
            if before[:, 0].shape != x[:, 0].shape:
                raise BadInput(f"The state is of frames {tuple(before[:, 0].shape)}, these are {tuple(x[:, 0].shape)}.")
            x = torch.cat((before, x), 1)
            state = replace(state, frames=x[:, -keep:])
        projected, gate = self.projection(x)
        if state.memory is None and self.init == "first_frame":
            first = x[:, keep].detach()
            state = replace(state, memory=first, condition=first)
        return projected, gate, state

    def _pieces(self, frames: int, into: int) -> list[tuple[int, int]]:
        """Where chunks begin and end in so many frames, `into` of a chunk being over."""
        if self.chunk_size is None:
            return [(0, frames)]
        ends = [*range(self.chunk_size - into, frames, self.chunk_size), frames]
        return [(start, end) for start, end in zip([0, *ends], ends, strict=False) if end > start]

    def _after(self, state: LayerState, memory: Tensor, frames: int) -> LayerState:
        steps = state.steps + frames
        if self.chunk_size is not None and steps == self.chunk_size:
            return replace(state, memory=memory, condition=memory, steps=0)
        return replace(state, memory=memory, steps=steps if self.chunk_size else 0)

    def _first_memory(self, batch: int) -> Tensor | None:
        if self.init == "self":
            return None
        if self.memory is not None:
            return self.memory
        rate = self.log_rate
        # In evaluation the same answer to the same question: every sequence begins with the same draw.
        count = batch if self.training else 1
        draw = None if self.training else torch.Generator().manual_seed(0)
        if self.init == "spherical":
            return torch.randn(count, self.num_factors, self.slot_size, generator=draw).to(rate)
        bound = math.sqrt(6 / (self.num_factors + self.slot_size))
        return (torch.rand(count, self.num_factors, self.slot_size, generator=draw).to(rate) * 2 - 1) * bound

    def _given(self, memory: Tensor, batch: int) -> LayerState:
        wanted = (batch, 1, self.num_factors, self.slot_size)
        if self.init != "given":
            raise BadInput(f"A memory is taken only with init 'given'; init is {self.init!r}.")
        if tuple(memory.shape) != wanted:
            raise BadInput(f"The memory has shape {tuple(memory.shape)}; it must be {wanted}.")
        return LayerState(memory[:, 0], memory[:, 0])

    def _checked(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Input with hidden rows as zeros, and the mask as (batch, time or 1, slots or 1, rows)."""
        if x.dim() != 4 or x.shape[-1] != self.in_features or not x.numel():
            raise BadInput(
                f"x has shape {tuple(x.shape)}; it must be (batch, time, rows, {self.in_features}), none of them 0."
            )
        if self.in_factors is not None and x.shape[2] != self.in_factors:
            raise BadInput(f"x has {x.shape[2]} rows, the layer was made for {self.in_factors}.")
        if not x.is_floating_point():
            raise BadInput(f"x is of type {x.dtype}; it must be floating.")
        if mask is not None:
            mask = mask.unsqueeze(1) if mask.dim() == 3 else mask
            batch, time, rows, _ = x.shape
            fits = mask.dim() == 4 and all(
                size in allowed
                for size, allowed in zip(mask.shape, ((batch,), (1, time), (1, self.num_factors), (rows,)), strict=True)
            )
            if not fits or not mask.is_floating_point() or bool((mask.isnan() | (mask == torch.inf)).any()):
                raise BadInput(
                    f"mask has shape {tuple(mask.shape)}; it must be (batch, slots, rows) or (batch, time, slots, rows) of "
                    f"({batch}, {time}, {self.num_factors}, {rows}), added to scores: 0 or -inf, never NaN or +inf."
                )
            x = torch.where((mask > -torch.inf).any(2).unsqueeze(-1), x, 0)
        if not torch.compiler.is_compiling() and not bool(torch.isfinite(x.sum(dtype=torch.float64))):
            raise BadInput("x holds NaN or infinity.", "Hide missing rows with a mask, or fill them.")
        return x, mask


class _Piece(NamedTuple):
    """Some frames of the recurrence: read-out, memory, and the last memory."""

    y: Tensor
    z: Tensor
    memory: Tensor


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def _asking(state: LayerState) -> Tensor:
    """The memory that queries come from, as (batch or 1, 1, slots, dim)."""
    if state.condition is None:
        raise BadInput("The state has no memory yet.")
    return state.condition.unsqueeze(1)


def _check_choices(**chosen: tuple[str, object]) -> None:
    for name, (value, choices) in chosen.items():
        if value not in get_args(choices):
            raise BadInput(f"{name} {value!r} is unknown.", f"Use one of: {', '.join(get_args(choices))}.")


def _check_sizes(**sizes: int | None) -> None:
    for name, value in sizes.items():
        if value is not None and value < 1:
            raise BadInput(f"{name} is {value}; it must be at least 1.")
