"""Volumes of several files as one array without copying: their maps lie side by side in memory.

A dynamic series of T files becomes ``[T, X, Y, Z]``; a crop of it then reads only the pages of the crop from every
file. The maps are private: what is written to the array stays in this process. (``mmap`` of the standard library
cannot choose an address, so ``mmap(2)`` is called as it is; POSIX.1-2017, MAP_FIXED.)
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import weakref
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

_FIXED = 0x10
_FAILED = ctypes.c_void_p(-1).value


@cache
def _libc() -> Any:
    """The C library, or None where maps cannot be placed."""
    if os.name != "posix":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return libc


def can_lie_adjacent(offsets: Sequence[int], nbytes: int) -> bool:
    """Whether pieces of files that start there can be mapped side by side."""
    return _libc() is not None and nbytes > 0 and all(offset % mmap.ALLOCATIONGRANULARITY == 0 for offset in offsets)


def adjacent(pieces: Sequence[tuple[int | None, int]], dtype: np.dtype[Any], shape: Sequence[int]) -> np.ndarray:
    """Map (open file, offset) pairs, each an array of ``shape`` in C order, as ``[pieces, *shape]``; None is zeros.

    The first axis steps over whole pages, so the array need not be contiguous. Raises :class:`OSError`.
    """
    libc = _libc()
    nbytes = math.prod(shape) * dtype.itemsize
    step = -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    whole = step * len(pieces)
    protection, private = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE
    start = libc.mmap(None, whole, protection, private | mmap.MAP_ANONYMOUS, -1, 0)
    if start == _FAILED:
        raise OSError(ctypes.get_errno(), "no room for the maps")
    memory = (ctypes.c_ubyte * whole).from_address(start)
    weakref.finalize(memory, libc.munmap, start, whole).atexit = False  # arrays may outlive the interpreter's order
    for number, (file, offset) in enumerate(pieces):
        if file is None:
            continue
        at = start + number * step
        if libc.mmap(at, nbytes, protection, private | _FIXED, file, offset) != at:
            raise OSError(ctypes.get_errno(), "the file cannot be mapped")
    rows = np.frombuffer(memoryview(memory), np.uint8).reshape(len(pieces), step)[:, :nbytes]
    inner = np.lib.stride_tricks.as_strided  # a view whose first stride is the step
    first = rows[0].view(dtype).reshape(shape)
    return inner(first, (len(pieces), *shape), (step, *first.strides))
