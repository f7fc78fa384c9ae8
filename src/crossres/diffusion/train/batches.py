"""Batches of a training run, in an order that the seed alone decides."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import torch

from crossres.diffusion.train.data import Split
from crossres.diffusion.train.prepare import RawBatch


def order(count: int, batch: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    """Yield which patches make each step's batch: epoch after epoch in shuffled order, fixed by the seed."""
    waiting = np.empty(0, np.int64)
    epoch = 0
    for _ in range(steps):
        while len(waiting) < batch:
            waiting = np.concatenate([waiting, np.random.default_rng([seed, 1, epoch]).permutation(count)])
            epoch += 1
        yield waiting[:batch]
        waiting = waiting[batch:]


def batches(
    split: Split,
    batch: int,
    steps: int,
    crop_px: int,
    max_shift_px: float,
    seed: int,
    workers: int = 0,
    first: int = 0,
    own: slice = slice(None),
    pin: bool = False,
) -> Iterator[RawBatch]:
    """Yield one random batch per step, from step `first` on; the same seed gives the same batches, bit for bit.

    `own` are the examples of each batch that are wanted here, where processes share it. With `workers`, that many
    threads make the next batches meanwhile, in the same order. `pin` puts them into memory that a GPU reads by itself.
    """

    def make(step: int, patches: np.ndarray) -> RawBatch:
        raw = split.random_batch(patches, crop_px, max_shift_px, np.random.default_rng([seed, 2, step]), own)
        return raw.pinned() if pin else raw

    jobs = islice(enumerate(order(len(split), batch, steps, seed)), first, None)
    if not workers:
        yield from (make(*job) for job in jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(make, *job) for job in islice(jobs, 2 * workers))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(make, *job) for job in islice(jobs, 1))
            yield done


def on_device(source: Iterable[RawBatch], device: torch.device) -> Iterator[RawBatch]:
    """Yield batches on a device. A GPU is sent the next one while it still learns from the one before."""
    if device.type != "cuda":
        yield from (raw.to(device) for raw in source)
        return
    side = torch.cuda.Stream(device)
    sent: deque[tuple[RawBatch, torch.cuda.Event]] = deque()
    for raw in source:
        with torch.cuda.stream(side):
            sent.append((raw.to(device), side.record_event()))
        if len(sent) > 1:
            yield _arrived(*sent.popleft())
    while sent:
        yield _arrived(*sent.popleft())


def _arrived(raw: RawBatch, event: torch.cuda.Event) -> RawBatch:
    stream = torch.cuda.current_stream()
    stream.wait_event(event)
    for tensor in raw.tensors():
        tensor.record_stream(stream)
    return raw
