"""A batch on its way from a worker to the training loop: one piece of shared memory, whatever is in it.

torch sends every tensor of a batch by a file descriptor of its own, and fetches each over a socket; of small batches
with their affines this is most of the time. Here all images of a batch lie in one storage, and what is small travels
as plain bytes in the message itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor

from .metatensors import meta_tensor

_ALIGN = 64
_SMALL = 1 << 14
_OF_NUMPY = frozenset(torch.from_numpy(np.zeros(0, kind)).dtype for kind in ("?", *"BbhilqefdFD"))


def shared_storage(sizes: Sequence[int]) -> tuple[torch.UntypedStorage, list[int]]:
    """One storage in shared memory for parts of so many bytes, and where each begins."""
    starts, end = [], 0
    for size in sizes:
        starts.append(end)
        end += -(-size // _ALIGN) * _ALIGN
    return torch.UntypedStorage._new_shared(max(end, 1), device="cpu"), starts


class Parcel(dict[str, Any]):
    """A batch, which is an ordinary dict on both sides; ``storage`` is where its images lie.

    On the other side the images share that storage: it is freed when the last of them is.
    """

    def __init__(self, content: Mapping[str, Any], storage: torch.UntypedStorage) -> None:
        super().__init__(content)
        self._storage = storage

    def __reduce__(self) -> tuple[Any, ...]:
        whole = torch.empty(0, dtype=torch.uint8).set_(self._storage)  # pyright: ignore[reportArgumentType, reportCallIssue]
        return _unpacked, (whole, {key: self._packed(value) for key, value in self.items()})

    def _packed(self, value: Any) -> Any:
        """The same without tensors of its own storage, and without small ones."""
        if isinstance(value, MetaTensor):
            if value.pending_operations:
                return value
            meta, operations = self._packed(value.meta), self._packed(value.applied_operations)
            return _Image(self._packed(value.as_tensor()), meta, operations, bool(value.is_batch))
        if isinstance(value, torch.Tensor):
            return self._place(value)
        if type(value) is dict:
            return {key: self._packed(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self._packed(item) for item in value)
        return value

    def _place(self, tensor: torch.Tensor) -> Any:
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.requires_grad:
            return tensor
        tensor = tensor.resolve_conj().resolve_neg()  # which the bytes alone do not tell
        if tensor.untyped_storage().data_ptr() == self._storage.data_ptr():
            return _Part(tensor.dtype, int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride())
        plain = type(tensor) is torch.Tensor and tensor.dtype in _OF_NUMPY
        return _Small(tensor.numpy()) if plain and tensor.nbytes <= _SMALL else tensor


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor in the storage of the parcel."""

    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Small:
    """A tensor that travels as bytes."""

    values: np.ndarray


@dataclass(frozen=True, slots=True)
class _Image:
    """A ``MetaTensor`` in its parts."""

    tensor: Any
    meta: dict[Any, Any]
    operations: Any
    batch: bool


def _unpacked(whole: torch.Tensor, content: Mapping[str, Any]) -> dict[str, Any]:
    storage = whole.untyped_storage()
    return {key: _opened(value, storage) for key, value in content.items()}


def _opened(value: Any, storage: torch.UntypedStorage) -> Any:
    if isinstance(value, _Image):
        meta, operations = _opened(value.meta, storage), _opened(value.operations, storage)
        return meta_tensor(_opened(value.tensor, storage), meta, operations, batch=value.batch)
    if isinstance(value, _Part):
        empty = torch.empty(0, dtype=value.dtype)
        return empty.set_(storage, value.offset, value.shape, value.stride)  # pyright: ignore[reportArgumentType, reportCallIssue]
    if isinstance(value, _Small):
        return torch.from_numpy(value.values.copy(order="K"))
    if type(value) is dict:
        return {key: _opened(item, storage) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_opened(item, storage) for item in value)
    return value
