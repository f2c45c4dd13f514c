"""An object of a released image that could not be written as DICOM."""

from __future__ import annotations

from dataclasses import dataclass

Place = tuple[str, str]
"""Where an object lies: the file, and the member inside it or ""."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An object that was not written, with the reason's code and a sentence. Private: it names the source."""

    place: Place
    reason: str
    message: str
