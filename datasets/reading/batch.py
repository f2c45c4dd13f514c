"""Samples to a batch: no key is dropped, no voxel is transposed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, overload

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from torch.nn.functional import pad
from torch.utils.data import get_worker_info

from ..errors import CollateError, QueryError
from .metatensors import meta_tensor
from .parcel import Parcel, shared_storage
from .skipping import SKIPPED, part

NOTHING = "none"  # TraceKeys.NONE of MONAI
RAGGED = ("raise", "list", "pad")
Sample = Mapping[str, Any]


@overload
def collate(batch: Sequence[Any], *, ragged: str = "raise") -> dict[str, Any]: ...
@overload
def collate(batch: None = None, *, ragged: str = "raise") -> Callable[[Sequence[Any]], dict[str, Any]]: ...
def collate(
    batch: Sequence[Any] | None = None, *, ragged: str = "raise"
) -> dict[str, Any] | Callable[[Sequence[Any]], dict[str, Any]]:
    """Make one batch: ``DataLoader(…, collate_fn=collate)`` or ``collate_fn=collate(ragged="pad")``.

    Tensors are stacked on a new first axis in the memory order they have (float and integer types are promoted to a
    common one), numbers become tensors (float32, int64, bool), everything else a list. A sample may be a list of
    samples, as crops give it. Where shapes differ, ``ragged`` says what happens: ``raise``; ``list``, the tensors as
    they are; ``pad``, zeros at the end of each axis. Samples that a :class:`CohortDataset` with ``errors="skip"`` could
    not read are left out, and the batch has their reasons under ``"skipped"``; if none is left, it has no images.

    Raises :class:`CollateError` naming the key and the samples where the samples have different keys, or shapes, or
    only some of them an affine.
    """
    if ragged not in RAGGED:
        raise QueryError(f"collate: ragged={ragged!r} is not known; legal: {' '.join(RAGGED)}")
    if batch is None:
        return partial(collate, ragged=ragged)
    samples = [sample for item in batch for sample in (item if isinstance(item, list) else [item])]
    if not samples or not all(isinstance(sample, Mapping) for sample in samples):
        raise CollateError("collate: a batch is made of samples that are dicts, and at least one.")
    whole, reasons = part(samples)
    _check_keys(whole)
    made = {key: _column(key, whole, ragged) for key in whole[0]} if whole else {"sample_id": []}
    return _settled(made if reasons is None else {**made, SKIPPED: reasons})


def _check_keys(samples: Sequence[Sample]) -> None:
    every = dict.fromkeys(key for sample in samples for key in sample)
    for key in every:
        without = [sample for sample in samples if key not in sample]
        if without:
            raise CollateError(
                f"collate: {key!r} is missing in {_ids(without)} but not in {_ids([s for s in samples if key in s])}; "
                "ask for missing='mask', or leave such samples out."
            )


def _column(key: str, samples: Sequence[Sample], ragged: str) -> Any:
    values = [sample[key] for sample in samples]
    values = [torch.from_numpy(value) if isinstance(value, np.ndarray) else value for value in values]
    if all(isinstance(value, torch.Tensor) for value in values):
        return _tensors(key, samples, values, ragged)
    if any(isinstance(value, torch.Tensor) for value in values):
        raise CollateError(f"collate: {key!r} is a tensor in some samples only: {_ids(samples)}.")
    for kind, dtype in ((bool, torch.bool), (int | np.integer, torch.int64), (int | float | np.number, torch.float32)):
        if all(isinstance(value, kind) and isinstance(value, bool) <= (kind is bool) for value in values):
            return torch.tensor(values, dtype=dtype)
    return values


def _tensors(key: str, samples: Sequence[Sample], values: list[torch.Tensor], ragged: str) -> Any:
    shapes = {tuple(value.shape) for value in values}
    if len(shapes) > 1 and ragged == "list":
        return values
    if len(shapes) > 1:
        differing = "; ".join(f"{_ids([s])} {list(v.shape)}" for s, v in zip(samples, values, strict=True))
        if ragged == "raise" or len({len(shape) for shape in shapes}) > 1:
            raise CollateError(
                f"collate: the shapes of {key!r} differ ({differing}); crop or resample, ask for the same phases or "
                "b-values, or use ragged='list' or 'pad'."
            )
    plain = [value.as_tensor() if isinstance(value, MetaTensor) else value for value in values]
    if len(shapes) > 1:
        largest = [max(sizes) for sizes in zip(*shapes, strict=True)]
        plain = [_padded(value, largest) for value in plain]
    told = [value for value in values if isinstance(value, MetaTensor)]
    if not told:
        return _Stack.of(plain, None, ())
    if len(told) < len(values):
        without = [sample for sample, value in zip(samples, values, strict=True) if not isinstance(value, MetaTensor)]
        raise CollateError(f"collate: {key!r} has no affine in {_ids(without)}, where it is a plain tensor; others do.")
    operations = [_plain(value.applied_operations) or NOTHING for value in told]
    return _Stack.of(plain, _metas([value.meta for value in told]), operations)


def _plain(notes: Any) -> Any:
    """MONAI's notes with plain words for its enums, which a safe load would refuse; they are equal."""
    if isinstance(notes, dict):
        return {_plain(key): _plain(value) for key, value in notes.items()}
    if isinstance(notes, list | tuple):
        return type(notes)(map(_plain, notes)) if type(notes) in (list, tuple) else notes
    return str(notes.value) if isinstance(notes, Enum) and isinstance(notes, str) else notes


@dataclass(frozen=True, slots=True)
class _Stack:
    """Tensors to be stacked in memory order: the axes lie in the batch as they lie in the first tensor."""

    tensors: Sequence[torch.Tensor]
    order: Sequence[int]
    dtype: torch.dtype
    meta: dict[Any, Any] | None = None
    operations: Sequence[Any] = ()

    @classmethod
    def of(cls, tensors: Sequence[torch.Tensor], meta: dict[Any, Any] | None, operations: Sequence[Any]) -> _Stack:
        """With the type that holds the values of all."""
        first = tensors[0]
        dtype = first.dtype
        for tensor in tensors[1:]:
            dtype = torch.promote_types(dtype, tensor.dtype)
        order = sorted(range(first.ndim), key=lambda axis: -first.stride(axis))
        return cls(tensors, order, dtype, meta, operations)

    @property
    def size(self) -> tuple[int, ...]:
        """The shape in memory order."""
        return (len(self.tensors), *(self.tensors[0].shape[axis] for axis in self.order))

    @property
    def nbytes(self) -> int:
        """How much it takes."""
        return math.prod(self.size) * self.dtype.itemsize

    def into(self, out: torch.Tensor) -> torch.Tensor:
        """Stack into a tensor of this size."""
        order = tuple(self.order)
        for position, tensor in enumerate(self.tensors):
            out[position].copy_(tensor.detach().permute(order))
        stacked = out.permute(0, *(self.order.index(axis) + 1 for axis in range(len(self.order))))
        return stacked if self.meta is None else meta_tensor(stacked, self.meta, self.operations, batch=True)


def _settled(made: dict[str, Any]) -> dict[str, Any]:
    """Stack what is to be stacked: in a worker in one piece of shared memory, where the main process finds it."""
    stacks = {key: value for key, value in made.items() if isinstance(value, _Stack)}
    if get_worker_info() is None:
        return {
            **made,
            **{key: stack.into(torch.empty(stack.size, dtype=stack.dtype)) for key, stack in stacks.items()},
        }
    storage, starts = shared_storage([stack.nbytes for stack in stacks.values()])
    for (key, stack), start in zip(stacks.items(), starts, strict=True):
        out = torch.empty(0, dtype=stack.dtype)
        out.set_(storage, start // stack.dtype.itemsize, stack.size)  # pyright: ignore[reportArgumentType, reportCallIssue]
        made[key] = stack.into(out)
    return Parcel(made, storage)


def _padded(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    missing = [wanted - size for wanted, size in zip(shape, tensor.shape, strict=True)]
    return pad(tensor, [width for gap in reversed(missing) for width in (0, gap)])


def _metas(metas: Sequence[Mapping[Any, Any]]) -> dict[Any, Any]:
    """Every key of every sample; affines and other tensors of one shape are stacked."""
    merged: dict[Any, Any] = {}
    for key in dict.fromkeys(key for meta in metas for key in meta):
        values = [_plain(meta.get(key, NOTHING)) for meta in metas]
        same = all(isinstance(v, torch.Tensor) for v in values) and len({tuple(v.shape) for v in values}) == 1
        merged[_plain(key)] = torch.stack([torch.as_tensor(v) for v in values]) if same else values
    return merged


def _ids(samples: Sequence[Sample]) -> str:
    ids = list(dict.fromkeys(str(sample.get("sample_id", "a sample without sample_id")) for sample in samples))
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
