"""What share of a GPU's peak each network size can reach, by arithmetic: nothing is timed, and no GPU is needed.

    python benchmarks/roofline.py [--batch 32] [--crop 256] [--tflops 989] [--tbytes 3.35] [--layers SIZE]

The real network runs on tensors that have shapes and no memory, and of every operation it is noted what it computes
and what it moves, in bfloat16. An operation takes as long as the slower of both takes an H100 (989 TFLOP/s, 3.35 TB/s:
295 FLOP a byte); a network takes the sum. Two assumptions:

- separate: each operation reads all that it is given and writes all that it returns, as without a compiler;
- fused: convolutions and matrix products alone take time, and all else happens while their numbers pass. No compiler
  does better.

`--layers` names a size whose kinds of layers are printed, too.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from crossres.diffusion.model.network import SIZES, Network
from crossres.diffusion.model.upsample import View
from crossres.settings.model import ModelSettings, NetworkSize

BANDS, FACTOR = 4, 4


@dataclass
class Layer:
    """One operation."""

    kind: str
    flops: float
    moved: float
    """Bytes."""


@dataclass
class Recorder(TorchDispatchMode):
    """Notes the operations that run, forward and backward; views move nothing."""

    layers: list[Layer] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if any(value.alias_info and not value.alias_info.is_write for value in func._schema.returns):
            return out
        name, count = func.overloadpacket.__name__, flop_registry.get(func.overloadpacket)
        if name in {"convolution", "convolution_backward"}:
            kind, flops = convolution(args, out, name == "convolution_backward")
        else:
            flops = count(*args, **(kwargs or {}), out_val=out) if count else 0
            kind = "matrix product" if count else "all else"
        tensors = [t for t in (*tree_leaves((args, kwargs)), *tree_leaves(out)) if isinstance(t, Tensor)]
        self.layers.append(Layer(kind, flops, sum(t.numel() * t.element_size() for t in tensors)))
        return out


def convolution(args: Any, out: Any, backward: bool) -> tuple[str, int]:
    """Return its kind and its operations: torch's own count takes each group for a convolution of all channels."""
    if backward:
        seen, _, weight, *_, groups, wanted = args
        times = sum(wanted[:2])
    else:
        seen, (_, weight, *_, groups), times = out, args, 1
    kind = f"{weight.shape[-1]} x {weight.shape[-1]} convolution" if groups == 1 else "depthwise convolution"
    return kind, 2 * times * len(seen) * math.prod(seen.shape[2:]) * weight.numel()


@dataclass(frozen=True)
class Device:
    """What a GPU does in a second."""

    flops: float
    moved: float

    def seconds(self, layers: Iterable[Layer]) -> float:
        """Return how long operations take one after another."""
        return sum(max(layer.flops / self.flops, layer.moved / self.moved) for layer in layers)


def recorded(what: Callable[[], object]) -> list[Layer]:
    with Recorder() as recorder:
        what()
    return recorder.layers


def layers_of(size: NetworkSize, batch: int, crop: int) -> tuple[int, list[Layer], list[Layer]]:
    """Return a size's parameters, and the operations of an evaluation in sampling and of a training step."""
    with torch.device("meta"):
        network = Network(ModelSettings(size=size), BANDS).bfloat16()
        x, y = torch.empty(2, batch, BANDS, crop, crop, dtype=torch.bfloat16)
        lr = torch.empty(batch, BANDS, crop // FACTOR, crop // FACTOR, dtype=torch.bfloat16)
        t = torch.empty(batch, dtype=torch.bfloat16)
    view = View.whole(Fraction(FACTOR), *lr.shape[-2:])
    assert network.prior is not None
    prior = network.prior

    def step() -> None:
        features = prior(lr)
        answer = network(x, y, t, t, prior.levels(features), view)
        (answer.sum() + prior.regression(features, y, view).sum()).backward()

    added = [y.new_empty(batch, conv.out_channels, crop // n, crop // n)
             for conv, n in zip(prior.to_level, network.strides, strict=True)]  # fmt: skip
    with torch.no_grad():
        given = network.given(y, added)
        evaluation = recorded(lambda: network.velocity_given(x, given, t, t))
    return sum(p.numel() for p in network.parameters()), evaluation, recorded(step)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crop", type=int, default=256)
    parser.add_argument("--tflops", type=float, default=989, help="of the GPU, dense bfloat16")
    parser.add_argument("--tbytes", type=float, default=3.35, help="its memory's TB/s")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--layers", choices=SIZES, help="print the kinds of layers of this size")
    args = parser.parse_args()
    device, pixels = Device(args.tflops * 1e12, args.tbytes * 1e12), args.batch * args.crop**2
    print("| size | parameters | FLOP a pixel | FLOP a byte | of the peak | of the peak, training | ms a step |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for size in args.sizes:
        parameters, evaluation, step = layers_of(size, args.batch, args.crop)
        flops = sum(layer.flops for layer in evaluation)
        row = [f"`{size}`", f"{parameters / 1e6:.2g} M", f"{flops / pixels / 1e3:.3g} k"]
        cases = [(both, [layer for layer in both if layer.flops]) for both in (evaluation, step)]
        row += [", ".join(f"{flops / sum(layer.moved for layer in case):.0f}" for case in cases[0])]
        for both in cases:
            computed = sum(layer.flops for layer in both[0])
            row += [", ".join(f"{100 * computed / device.flops / device.seconds(case):.0f} %" for case in both)]
        row += [", ".join(f"{1000 * device.seconds(case):.3g}" for case in cases[1])]
        print(f"| {' | '.join(row)} |")
        if size == args.layers:
            show(step, device)


def show(layers: list[Layer], device: Device) -> None:
    """Print what the kinds of layers of a training step have of its operations, bytes and time."""
    kinds: dict[str, list[Layer]] = defaultdict(list)
    for layer in layers:
        kinds[layer.kind].append(layer)
    for kind, found in sorted(kinds.items()):
        flops, moved = (sum(getattr(layer, key) for layer in found) for key in ("flops", "moved"))
        print(f"  {kind:24s}{flops / 1e12:8.3f} TFLOP{moved / 1e9:8.2f} GB{1000 * device.seconds(found):8.2f} ms")


if __name__ == "__main__":
    main()
