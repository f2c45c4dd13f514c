"""What the headers say of colours (P07): an original of a scanner that measures grey is stored in colour, by a palette
or inverted. Such images are taken for screen captures before a pixel is read, so no check of voxels would see them."""

from __future__ import annotations

from collections.abc import Iterator

from ...inventory.instance import Instance
from ..check import ERROR, Check, Evidence
from ..views import Series

GREY = "MONOCHROME2"
SECTIONAL = frozenset({"MR", "CT", "PT", "NM"})
"""Modalities whose originals are MONOCHROME2 (PS3.3 C.8.3.1, C.8.2.1, C.8.9.4, C.8.4.8)."""
CAPTURES = "1.2.840.10008.5.1.4.1.1.7"
"""What the UIDs of all classes of secondary captures begin with."""
DRAWN = ("SECONDARY", "SCREEN", "CAPTURE", "SAVE", "REPORT", "PROTOCOL", "COLOR", "FUSED", "MAP", "RGB")
"""Parts of words of ImageType with which scanners themselves say that an image shows more than what was measured."""


def odd_colours(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """Originals of a sectional modality have another photometric interpretation than MONOCHROME2."""
    said = {i.PhotometricInterpretation for i in series.instances}
    strange = {word for word in said if word.strip().upper() not in (GREY, "")}
    if not strange:
        return
    odd = [i for i in series.instances if i.PhotometricInterpretation in strange and is_measured(i)]
    if not odd:
        return
    inverted = all(i.PhotometricInterpretation.strip().upper() == "MONOCHROME1" for i in odd)
    what = "show high values dark" if inverted else "are stored in colour or by a palette"
    message = f"{len(odd)} of {len(series.instances)} images of a series of originals {what}"
    key = "inverted" if inverted else "colour"
    yield Evidence(message, key, (("images", len(odd)),), tuple(i.key for i in odd))


def is_measured(instance: Instance) -> bool:
    """Whether the header says that a scanner measured this image: neither derived, nor captured, nor drawn."""
    kind = [word.upper() for word in instance.ImageType]
    return (
        instance.Modality in SECTIONAL
        and bool(instance.Rows)
        and not instance.SOPClassUID.startswith(CAPTURES)
        and not instance.ConversionType
        and kind[:1] != ["DERIVED"]
        and not any(part in word for word in kind for part in DRAWN)
    )


COLOURS: tuple[Check[Series], ...] = (
    Check("P07", "series", ERROR, "an original is not stored in grey", odd_colours, source="PS3.3 C.7.6.3.1.2"),
)
