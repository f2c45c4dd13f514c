"""Numbers from a Siemens CSA header, the private block of named values in (0029,xx10).

Layout after nibabel's documentation of the format (nipy.org/nibabel/dicom/siemens_csa.html): a name of 64 bytes,
VM, VR, type and number of items, then the items, each with four integers of which one is its length.
"""

from __future__ import annotations

import math
import struct

NAME_BYTES = 64
HEADER_BYTES = 84
MAX_ITEMS = 1000


def csa_values(raw: bytes, name: str) -> tuple[float, ...]:
    """The numbers stored under ``name``; () where there is none or the block is damaged."""
    start = raw.find(name.encode().ljust(len(name) + 1, b"\0"))
    if start < 0 or start + HEADER_BYTES > len(raw):
        return ()
    (n_items,) = struct.unpack_from("<i", raw, start + NAME_BYTES + 12)
    length_at, surplus = (4, 0) if raw[:4] == b"SV10" else (0, _first_n_items(raw))
    position = start + HEADER_BYTES
    found: list[float] = []
    for _ in range(min(max(n_items, 0), MAX_ITEMS)):
        if position + 16 > len(raw):
            return ()
        length = struct.unpack_from("<i", raw, position + length_at)[0] - surplus
        position += 16
        if length < 0 or position + length > len(raw):
            if surplus:
                break  # the older form counts more items than it holds
            return ()
        word = raw[position : position + length].split(b"\0")[0].decode("latin-1").strip()
        position += (length + 3) // 4 * 4
        if word:
            try:
                found.append(float(word))
            except ValueError:
                return ()
    return tuple(found) if all(map(math.isfinite, found)) else ()


def _first_n_items(raw: bytes) -> int:
    """The number of items of the first name: the older form of the block adds it to every length."""
    return struct.unpack_from("<i", raw, 8 + NAME_BYTES + 12)[0] if len(raw) >= 8 + HEADER_BYTES else 0
