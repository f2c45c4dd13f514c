"""Randomness that is a function of seed, epoch and sample, wherever the sample is made."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch
from monai.transforms.transform import Randomizable


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from any values, the same in every process.

    >>> derived_seed(0, 1, "sub-01") == derived_seed(0, 1, "sub-01")
    True
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def randomizables(thing: object) -> list[Randomizable]:
    """Every object with a MONAI random state inside a transform, also inside containers and other objects."""
    found: list[Randomizable] = []
    seen: set[int] = set()
    waiting = [thing]
    while waiting:
        current = waiting.pop()
        if id(current) in seen or isinstance(current, torch.Tensor | np.ndarray | type | ModuleType):
            continue
        seen.add(id(current))
        if isinstance(current, Randomizable):
            found.append(current)
        if isinstance(current, dict):
            waiting.extend(reversed(list(current.values())))
        elif isinstance(current, list | tuple | set):
            waiting.extend(reversed(list(current)))
        elif hasattr(current, "__dict__"):
            waiting.extend(reversed(list(vars(current).values())))
    return found


@contextmanager
def seeded(seed: int, transforms: Sequence[Randomizable] = ()) -> Iterator[None]:
    """Seed Python, numpy, torch (CPU) and the given MONAI transforms; the global states come back afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        torch.default_generator.manual_seed(seed)
        for position, transform in enumerate(transforms):
            transform.set_random_state(seed=derived_seed(seed, position) & 0x7FFFFFFF)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
