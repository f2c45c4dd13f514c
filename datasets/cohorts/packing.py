"""A cohort as the bytes that a worker gets."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping, Sequence
from typing import Any


def packed(rest: tuple[Any, ...], files: Sequence[str], sha256: Mapping[str, str]) -> bytes:
    """Small: the hashes of the cohort's own files as bytes, and all compressed."""
    hashes = [bytes.fromhex(sha256.get(path, "")) for path in files]
    state = (rest, list(files), hashes)
    return zlib.compress(pickle.dumps(state, protocol=pickle.HIGHEST_PROTOCOL), level=3)


def unpacked(state: bytes) -> tuple[tuple[Any, ...], dict[str, str]]:
    """What was packed: the rest, and the hashes by the path of the file."""
    rest, files, hashes = pickle.loads(zlib.decompress(state))
    return rest, {path: digest.hex() for path, digest in zip(files, hashes, strict=True) if digest}
