"""Every random number derives from (experiment seed, seed index, purpose); nothing draws from a global generator."""

import hashlib

import numpy as np
import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9


def derived_key(seed: int, seed_index: int | None, purpose: str) -> int:
    """128 bits from the experiment seed, the seed index (None: what all seeds share) and a purpose."""
    text = f"{seed}/{'all' if seed_index is None else seed_index}/{purpose}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def generator(seed: int, seed_index: int | None, purpose: str) -> np.random.Generator:
    """A counter-based generator (Philox) of its own for this purpose."""
    return np.random.Generator(np.random.Philox(key=derived_key(seed, seed_index, purpose)))


def dropout_key(seed: int, seed_index: int, layer: int) -> int:
    """32 bits that decide what the dropout layer number ``layer`` of one replica zeroes."""
    return derived_key(seed, seed_index, f"dropout/{layer}") & _MASK


def step_key(key: int, step: int) -> int:
    """32 bits for one step of a dropout layer."""
    return mix_integer((key + step * _GOLDEN) & _MASK)


def mix_integer(x: int) -> int:
    """A bijection of 32-bit numbers that leaves no visible structure (the constants are Wellons' "lowbias32")."""
    x ^= x >> 16
    x = (x * 0x7FEB352D) & _MASK
    x ^= x >> 15
    x = (x * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


def mix(x: Tensor) -> Tensor:
    """``mix_integer`` of every element of an int64 tensor that holds 32-bit numbers."""
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & _MASK
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


def keep_mask(keys: Tensor, step: int, positions: Tensor, p: float) -> Tensor:
    """Which values dropout keeps at one step.

    Counter-based, so that the mask depends on nothing but its replica, layer, step and position: neither on other
    replicas nor on how many steps are drawn at once.

    Args:
        keys: (replicas,) int64, ``dropout_key`` of each replica.
        step: optimiser step, from 0.
        positions: (..) int64, number of each value within its replica's batch, example by example.
        p: probability that a value is dropped.

    Returns:
        (replicas, ..) bool, true where kept.

    """
    per_step = mix((keys + step * _GOLDEN) & _MASK)
    drawn = mix((positions.unsqueeze(0) + per_step.view(-1, *[1] * positions.dim())) & _MASK)
    return drawn >= min(round(p * 2**32), 2**32)


def dropout_keys(seed: int, seed_indices: tuple[int, ...], num_layers: int, device: torch.device) -> Tensor:
    """(layers, replicas) int64 of ``dropout_key``."""
    rows = [[dropout_key(seed, index, layer) for index in seed_indices] for layer in range(num_layers)]
    return torch.tensor(rows, dtype=torch.int64, device=device).view(num_layers, len(seed_indices))
