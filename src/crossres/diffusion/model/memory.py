"""Memory that runs out, on a GPU or in the machine: how it is known, and what is let go before work goes on."""

import gc

import torch

SIGNS = (
    "can't allocate memory", "out of memory", "cannot allocate memory", "bad_alloc",
    "could not create a primitive",  # oneDNN's, for a convolution on the CPU whose scratch memory is not to be had
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the GPU's or the machine's memory ran out."""
    words = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(sign in words for sign in SIGNS)


def release(device: torch.device) -> None:
    """Give back what is no longer used; to be called outside `except`, whose traceback would keep the memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
