"""Every random number derives from (experiment seed, seed index, purpose); nothing draws from a global generator."""

import hashlib

import numpy as np
import torch
from torch import Tensor

MASK = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
"""What the key of a dropout layer advances by at every step."""
MULTIPLIERS = (0x7FEB352D, 0x846CA68B)


def derived_key(seed: int, seed_index: int | None, purpose: str) -> int:
    """128 bits from the experiment seed, the seed index (None: what all seeds share) and a purpose."""
    text = f"{seed}/{'all' if seed_index is None else seed_index}/{purpose}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def generator(seed: int, seed_index: int | None, purpose: str) -> np.random.Generator:
    """A counter-based generator (Philox) of its own for this purpose."""
    return np.random.Generator(np.random.Philox(key=derived_key(seed, seed_index, purpose)))


def dropout_key(seed: int, seed_index: int, layer: int) -> int:
    """32 bits that decide what the dropout layer number ``layer`` of one replica zeroes."""
    return derived_key(seed, seed_index, f"dropout/{layer}") & MASK


def keep_mask(keys: Tensor, step: int, positions: Tensor, p: float) -> Tensor:
    """Which values dropout keeps at one step.

    Counter-based, so that the mask depends on nothing but its replica, layer, step and position: neither on other
    replicas nor on how many steps are drawn at once. A value is kept where the mixed sum of its position and the step's
    key, as a number below 2^32, is at least p 2^32; the mixing is Wellons' "lowbias32" without its last shift, which
    moves low bits only.

    Args:
        keys: (replicas,) int64, ``dropout_key`` of each replica.
        step: optimiser step, from 0.
        positions: (..) int64, number of each value within its replica's batch, example by example.
        p: probability that a value is dropped.

    Returns:
        (replicas, ..) bool, true where kept.

    """
    per_step = _mix((keys + step * GOLDEN) & MASK)
    drawn = _mix((positions.unsqueeze(0) + per_step.view(-1, *[1] * positions.dim())) & MASK)
    return drawn >= drop_threshold(p)


def drop_threshold(p: float) -> int:
    """Numbers below this, of those below 2^32, are dropped."""
    return min(round(p * 2**32), 2**32)


def _mix(x: Tensor) -> Tensor:
    """A bijection of 32-bit numbers, held in int64, whose high bits look random."""
    x = x ^ (x >> 16)
    x = (x * MULTIPLIERS[0]) & MASK
    x = x ^ (x >> 15)
    return (x * MULTIPLIERS[1]) & MASK


def dropout_keys(seed: int, seed_indices: tuple[int, ...], num_layers: int, device: torch.device) -> Tensor:
    """(layers, replicas) int64 of ``dropout_key``."""
    rows = [[dropout_key(seed, index, layer) for index in seed_indices] for layer in range(num_layers)]
    return torch.tensor(rows, dtype=torch.int64, device=device).view(num_layers, len(seed_indices))
