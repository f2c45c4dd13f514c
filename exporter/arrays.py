"""Arrow arrays of Python values, built from their buffers.

``pyarrow.array`` and ``pyarrow.scalar`` import pandas, where that is installed, to ask whether a list is one of its
series: a quarter of a second in every process, for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_NUMBERS = {pa.int64(): np.int64, pa.float64(): np.float64}


def array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values as an array of strings, booleans, 64-bit integers or floats, or of lists of these; None is null.

    Raises ``UnicodeEncodeError`` for text that UTF-8 cannot hold, ``OverflowError`` for a number of more than 64 bits.
    """
    n, none = len(values), values.count(None)
    if none == n:
        return pa.nulls(n, kind)
    present = np.array([value is not None for value in values]) if none else None
    valid = None if present is None else _bits(present)
    if isinstance(kind, pa.ListType):
        parts = [value or () for value in values]
        child = array(list(chain.from_iterable(parts)), kind.value_type)
        return pa.Array.from_buffers(kind, n, [valid, _offsets(parts)], none, children=[child])
    if kind == pa.string():
        words = [value or "" for value in values] if none else values
        data = "".join(words).encode()
        offsets = _offsets(words if len(data) == sum(map(len, words)) else [word.encode() for word in words])
        return pa.Array.from_buffers(kind, n, [valid, offsets, pa.py_buffer(data)], none)
    filled = [value or 0 for value in values] if none else values
    if kind == pa.bool_():
        return pa.Array.from_buffers(kind, n, [valid, _bits(np.array(filled, bool))], none)
    return pa.Array.from_buffers(kind, n, [valid, pa.py_buffer(np.array(filled, _NUMBERS[kind]))], none)


def _bits(flags: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _offsets(parts: Sequence[Sequence[Any]]) -> pa.Buffer:
    """Where each part begins, and the last ends."""
    return pa.py_buffer(np.fromiter(accumulate(map(len, parts), initial=0), np.int32, len(parts) + 1))
