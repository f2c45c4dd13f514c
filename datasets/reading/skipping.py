"""Samples that cannot be read, and the batches they leave: nothing is zero in silence."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..errors import QueryError

POLICIES = ("raise", "skip")
SKIPPED = "skipped"
"""The entry of a sample, and of a batch, that says what could not be read; there whenever ``errors="skip"``."""


def check_policy(errors: str) -> None:
    """Raise :class:`QueryError` unless ``errors`` is one of the policies."""
    if errors not in POLICIES:
        raise QueryError(f"CohortDataset: errors={errors!r} is not known; legal: {' '.join(POLICIES)}")


class Skips:
    """Which samples could not be read, in this process or any of its workers."""

    def __init__(self, count: int) -> None:
        self._flags = torch.zeros(count, dtype=torch.uint8).share_memory_()

    def note(self, index: int, reason: str) -> None:
        """Remember a sample, and warn of it once."""
        if not self._flags[index]:
            self._flags[index] = 1
            warnings.warn(f"{reason} The sample is left out of its batch.", stacklevel=3)

    def indices(self) -> list[int]:
        """The positions of all samples that were left out so far."""
        return torch.nonzero(self._flags).flatten().tolist()


def left_out(sample: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """What stands for a sample that cannot be read: its id and the reason, no image."""
    return {"sample_id": sample["sample_id"], SKIPPED: reason}


def part(samples: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[str] | None]:
    """The samples to be collated, and the reasons of the others; None where nobody asked for skipping."""
    if not any(SKIPPED in sample for sample in samples):
        return list(samples), None
    kept: list[Mapping[str, Any]] = [
        {k: v for k, v in s.items() if k != SKIPPED} for s in samples if not s.get(SKIPPED)
    ]
    return kept, [str(sample[SKIPPED]) for sample in samples if sample.get(SKIPPED)]
