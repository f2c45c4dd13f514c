"""Opening plain files only: a pipe, a socket or a device under the name of a file would let a reader wait for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import ReadError

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: str | Path) -> tuple[int, os.stat_result]:
    """The handle of a file, which the caller closes, and its state.

    Raises ``OSError`` as :func:`os.open`, and :class:`ReadError` where it is no plain file.
    """
    handle = os.open(path, _FLAGS)
    state = os.fstat(handle)
    if stat.S_ISREG(state.st_mode):
        return handle, state
    os.close(handle)
    raise irregular(path)


def irregular(path: str | Path) -> ReadError:
    """What to raise for something under the name of a file that is none."""
    return ReadError(f"{path}: this is no plain file but a folder, a pipe, a socket or a device; take it away.")


def read_regular(path: str | Path, most: int = -1) -> bytes:
    """The bytes of a plain file, at most ``most`` of them. Raises as :func:`open_regular`."""
    with os.fdopen(open_regular(path)[0], "rb", buffering=0) as file:
        return file.readall() if most < 0 else file.read(most)
