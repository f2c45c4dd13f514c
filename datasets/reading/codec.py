"""A transformed sample as arrays and plain words, and back: the same values, types, strides and metadata.

The names of files are not written but numbered: two files may swap their names, or the whole tree may move.

No pickle: what is read from a folder that others can write must not be able to run code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.utils.enums import TraceKeys

from ..errors import QueryError
from .blobs import Blob, Place

_PLAIN = (str, int, float, bool, type(None))
_META = ("_meta", "_applied_operations", "_pending_operations", "_is_batch", "_spatial_ndim")
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_DTYPES = {str(dtype): dtype for dtype in vars(torch).values() if isinstance(dtype, torch.dtype)}


def encode(sample: Any, owners: Sequence[object], names: Sequence[str] = ()) -> tuple[Any, list[np.ndarray]]:
    """A sample as JSON-able words, and its arrays in memory order (C-contiguous).

    ``owners`` are the transforms that made it: MONAI notes in a tensor which object has changed it, by its address,
    and the place in ``owners`` is written instead. So it is with ``names``, the files that the sample was read from.
    Raises :class:`QueryError` for what cannot be written.
    """
    encoder = _Encoder({id(owner): n for n, owner in enumerate(owners)}, {name: names.index(name) for name in names})
    return encoder.of(sample), encoder.arrays


def decode(words: Any, blob: Blob, owners: Sequence[object], names: Sequence[str] = ()) -> Any:
    """What :func:`encode` was given, with these ``names``. Arrays are mapped, privately, and read when touched."""
    return _Decoder(blob, owners, names).of(words)


def plain_array(tensor: torch.Tensor) -> np.ndarray:
    """The bytes of a tensor as an array; a type that numpy has not, such as bfloat16, as integers of its width."""
    plain = tensor.detach().cpu()
    if isinstance(plain, MetaTensor):
        plain = plain.as_tensor()
    try:
        return plain.numpy()
    except TypeError:
        return plain.view(_INTEGERS[plain.dtype.itemsize]).numpy()


class _Encoder:
    def __init__(self, owners: Mapping[int, int], names: Mapping[str, int]) -> None:
        self.owners = owners
        self.names = names
        self.arrays: list[np.ndarray] = []

    def of(self, thing: Any) -> Any:
        if isinstance(thing, MetaTensor):
            state = {name: vars(thing)[name] for name in _META if name in vars(thing)}
            return ["meta", self.of(thing.as_tensor()), self.of(state)]
        if isinstance(thing, torch.Tensor):
            return ["tensor", str(thing.dtype), *self.array(plain_array(thing))]
        if isinstance(thing, np.ndarray):
            return ["array", *self.array(thing)]
        if isinstance(thing, np.generic):
            return ["scalar", thing.dtype.str, thing.item()]
        if isinstance(thing, Enum) and isinstance(thing, str):
            return str(thing.value)
        if type(thing) in _PLAIN:
            return ["name", self.names[thing]] if isinstance(thing, str) and thing in self.names else thing
        if isinstance(thing, Mapping):
            return ["dict", *([self.of(key), self.entry(key, value)] for key, value in thing.items())]
        if isinstance(thing, torch.Size):
            return ["size", *thing]
        if isinstance(thing, list | tuple):
            return ["list" if isinstance(thing, list) else "tuple", *map(self.of, thing)]
        if isinstance(thing, torch.dtype):
            return ["dtype", str(thing)]
        if isinstance(thing, np.dtype | Path | torch.device):
            return [{"dtype": "npdtype", "device": "device"}.get(_kind(thing), "path"), str(thing)]
        if isinstance(thing, slice):
            return ["slice", thing.start, thing.stop, thing.step]
        raise _refused(type(thing).__qualname__)

    def entry(self, key: Any, value: Any) -> Any:
        if key == TraceKeys.ID and value in self.owners:
            return ["owner", self.owners[value]]
        return self.of(value)

    def array(self, array: np.ndarray) -> tuple[int, list[int]]:
        """Keep it with its axes in memory order; returns its number, and the axes to permute it back."""
        if array.dtype.kind not in "biufc":
            raise _refused(f"numpy array of {array.dtype}")
        order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
        self.arrays.append(np.ascontiguousarray(array.transpose(order)))
        return len(self.arrays) - 1, [order.index(axis) for axis in range(array.ndim)]


def _refused(what: str) -> QueryError:
    return QueryError(
        f"cache: a transform before the first random one puts a {what} into the sample, which cannot be written to the "
        "cache; put that transform behind a random one."
    )


class _Decoder:
    def __init__(self, blob: Blob, owners: Sequence[object], names: Sequence[str]) -> None:
        self.blob = blob
        self.owners = owners
        self.names = names

    def of(self, words: Any) -> Any:
        if not isinstance(words, list):
            return words
        kind, *rest = words
        if kind == "meta":
            return self.meta(*rest)
        if kind == "dict":
            return {_hashable(self.of(key)): self.of(value) for key, value in rest}
        if kind in ("list", "tuple"):
            parts = [self.of(part) for part in rest]
            return parts if kind == "list" else tuple(parts)
        return self.leaf(kind, rest)

    def leaf(self, kind: str, rest: Sequence[Any]) -> Any:
        if kind == "tensor":
            made = torch.from_numpy(self.array(*rest[1:]))
            return made if made.dtype is _DTYPES[rest[0]] else made.view(_DTYPES[rest[0]])
        if kind == "array":
            return self.array(*rest)
        if kind == "scalar":
            return np.dtype(rest[0]).type(rest[1])
        if kind == "owner":
            return id(self.owners[rest[0]])
        if kind == "name":
            return self.names[rest[0]]
        simple = {
            "size": torch.Size, "dtype": lambda r: _DTYPES[r[0]], "npdtype": lambda r: np.dtype(r[0]),
            "device": lambda r: torch.device(r[0]), "path": lambda r: Path(r[0]), "slice": lambda r: slice(*r),
        }  # fmt: skip
        return simple[kind](rest)

    def meta(self, tensor: Any, state: Any) -> MetaTensor:
        made = self.of(tensor).as_subclass(MetaTensor)
        made.__dict__ = self.of(state)
        return made

    def array(self, number: int, back: Sequence[int]) -> np.ndarray:
        place: Place = self.blob.places[number]
        return self.blob.array(place).transpose(back)


def _kind(thing: object) -> str:
    return "dtype" if isinstance(thing, np.dtype) else type(thing).__name__


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
