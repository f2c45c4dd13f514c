"""Damaged archives: what their readers raise, turned into one refusal with a sentence."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import zstandard
from isal import isal_zlib

from .unreadable import RefusalError

DAMAGE: tuple[type[Exception], ...] = (
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    gzip.BadGzipFile,
    cast(type[Exception], isal_zlib.error),
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
)


@contextmanager
def damage_named(what: str) -> Iterator[None]:
    """Turn whatever a reader raises on damaged bytes into ``RefusalError`` (corrupt); ``what`` begins the sentence.

    An ``OSError`` with a number is the disk's and passes; bz2 raises one without a number for damaged data.
    """
    try:
        yield
    except DAMAGE as error:
        raise _refusal(what, error) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise _refusal(what, error) from None


def _refusal(what: str, error: Exception) -> RefusalError:
    cause = str(error).partition("\n")[0][:120] or type(error).__name__
    return RefusalError("corrupt", f"{what} ({cause}). Copy it again.")
