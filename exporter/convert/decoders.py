"""Which decoders may touch compressed pixels: those that refuse damaged data with an exception.

pydicom by itself tries every plugin that happens to be installed; GDCM, where it is there, ends the whole process on a
damaged JPEG 2000 codestream.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

PLUGINS = ("pylibjpeg", "pyjpegls", "pydicom")
"""In the order in which they are tried."""
NATIVE = ("",)
"""Pixels that are not compressed need no plugin."""


def plugins_for(syntax: str) -> tuple[str, ...]:
    """The decoders of a transfer syntax that are installed, ``("",)`` for pixels that are not compressed.

    >>> plugins_for("1.2.840.10008.1.2.1"), plugins_for("1.2.840.10008.1.2.4.103")
    (('',), ())
    """
    if not UID(syntax).is_transfer_syntax or not UID(syntax).is_encapsulated:
        return NATIVE
    with suppress(NotImplementedError):
        available = get_decoder(UID(syntax)).available_plugins
        return tuple(plugin for plugin in PLUGINS if plugin in available)
    return ()


def decoded(dataset: Dataset, index: int | None = None, raw: bool = False) -> NDArray[np.generic]:
    """The pixels of an object, or its frame number ``index`` (from 0), by the first decoder that reads them; ``raw``
    as for pydicom's ``pixel_array``.

    Raises what the last decoder raises (pydicom turns most of it into ``RuntimeError``), and ``NotImplementedError``
    where there is no decoder.
    """
    *others, last = plugins_for(dataset.file_meta.TransferSyntaxUID) or _none(dataset.file_meta.TransferSyntaxUID)
    for plugin in others:
        with suppress(RuntimeError, ValueError):
            return pixel_array(dataset, index=index, raw=raw, decoding_plugin=plugin)
    return pixel_array(dataset, index=index, raw=raw, decoding_plugin=last)


def iter_decoded(syntax: str, value: bytes, **described: Any) -> Iterator[NDArray[np.generic]]:
    """Every frame of the value of a pixel data element, as it is stored; ``described`` are pydicom's names for what
    the header says of it. Raises as :func:`decoded`."""
    plugin = (plugins_for(syntax) or _none(syntax))[0]
    for pixels, _ in get_decoder(UID(syntax)).iter_array(value, raw=True, decoding_plugin=plugin, **described):
        yield pixels


def _none(syntax: str) -> tuple[str, ...]:
    raise NotImplementedError(f"no decoder for {UID(syntax).name} is installed")
