"""The arithmetic of a network: bfloat16 where the processor computes in it, else float32."""

from typing import Literal

import torch


def in_bfloat16(precision: Literal["auto", "float32", "bfloat16"], device: torch.device) -> bool:
    """Return whether the network computes in bfloat16 there: as is set or, for auto, where the hardware has it."""
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
