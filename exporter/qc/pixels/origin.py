"""Checks of what the pixels were before: their colours, and text that was allowed."""

from __future__ import annotations

from collections.abc import Iterator

from ..check import Evidence
from .view import Pixels

GREY = frozenset({"MONOCHROME2"})
GREY_EITHER_WAY = frozenset({"MONOCHROME1", "MONOCHROME2"})
SECTIONAL = frozenset({"MR", "CT", "PT", "NM"})
"""Modalities whose originals are MONOCHROME2 (PS3.3 C.8.3.1, C.8.2.1, C.8.9.1, C.8.4.9)."""
PROJECTIONS = frozenset({"CR", "DX", "MG", "RG", "XA", "RF", "PX", "IO"})
"""Modalities whose originals are grey; some of them show bone dark (PS3.3 C.8.11.3)."""


def odd_colours(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """PhotometricInterpretation is not what the modality measures, or differs within the stack."""
    rows = pixels.stack.instances
    met = {i.PhotometricInterpretation.upper() for i in rows if i.PhotometricInterpretation}
    if len(met) > 1:
        yield Evidence(f"{len(met)} photometric interpretations in one stack", "several")
    expected = _expected_colours(pixels)
    odd = tuple(i.key for i in rows if expected and i.PhotometricInterpretation.upper() not in (*expected, ""))
    if odd:
        message = f"{len(odd)} of {len(rows)} images of an original have another photometric interpretation than grey"
        if met & GREY_EITHER_WAY:
            message = f"{len(odd)} of {len(rows)} images of an original show high values dark"
        yield Evidence(message, "odd", (("images", len(odd)),), odd)


def _expected_colours(pixels: Pixels) -> frozenset[str]:
    """Empty where anything goes."""
    modality = pixels.stack.first.Modality
    if not pixels.is_original:
        return frozenset()
    return GREY if modality in SECTIONAL else GREY_EITHER_WAY if modality in PROJECTIONS else frozenset()


def allowed_text(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """Text was detected in the pixels, and a person let it leave. What the header says of text is told before the
    pixels are read (:mod:`..decided`)."""
    if pixels.has_text:
        yield Evidence("text was detected in the pixels, and a person let it leave", "pixels")
