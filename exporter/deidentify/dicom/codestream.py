"""What a rewritten compressed image is, and the sentences for one that cannot be rewritten."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ConversionError


@dataclass(frozen=True, slots=True)
class Codestream:
    """One compressed frame. ``precision`` is the most bits that a sample has."""

    data: bytes
    rows: int
    columns: int
    components: int
    precision: int


def corrupt() -> ConversionError:
    """It breaks the rules of its format."""
    return ConversionError("corrupt", "A compressed image cannot be followed. Ask for the file again.")


def truncated() -> ConversionError:
    """It ends before its end."""
    return ConversionError("truncated", "The compressed pixel data end too early. Ask for the file again.")


def unknown() -> ConversionError:
    """It has parts of which it is not known whether they hold anything beside the image."""
    sentence = "A compressed image has parts that are not known to be needed. Ask for an uncompressed copy."
    return ConversionError("no-dicom-output", sentence)
