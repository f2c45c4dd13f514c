"""Which images an acquisition of a foreign protocol means: its name and figures, read as those of a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from typing import Any

from trialbids.mappings.description import plain
from trialbids.mappings.lexicon import read_concepts
from trialbids.mappings.rules import Rules, load_rules

from ...harmonise import harmonise
from ...inventory.instance import Instance
from ...stacks import stack_instances

MR = "1.2.840.10008.5.1.4.1.1.4"
NUMBERS = (
    "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "MagneticFieldStrength", "SliceThickness",
)  # fmt: skip
TEXTS = ("MRAcquisitionType", "SequenceName")
WORDS = ("ScanningSequence", "SequenceVariant", "ScanOptions", "ImageType")
TWO_SLICES = ((0.0, 0.0, 0.0), (0.0, 0.0, 5.0))
LONGEST = 200


def guess_match(
    name: str, acquisition: Mapping[str, Any], fields: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Attributes of the record that the acquisition's images have, empty where the kind of image is not told.

    The acquisition is harmonised as a series of this description with these header values would be.
    """
    described = " ".join(plain(name.replace("_", " ")).split())
    values = _header(fields)
    rows = [
        Instance(
            path=f"/{n}", Modality="MR", SOPClassUID=MR, pixel_length=1, SOPInstanceUID=str(n),
            SeriesInstanceUID="1", StudyInstanceUID="1", InstanceNumber=n + 1,
            ImagePositionPatient=place, ImageOrientationPatient=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
            Rows=256, Columns=256, PixelSpacing=(1.0, 1.0), SeriesDescription=described,
            ProtocolName=str(acquisition.get("description") or "")[:LONGEST], **values,
        )
        for n, place in enumerate(TWO_SLICES)
    ]  # fmt: skip
    found = harmonise(stack_instances(rows, lambda i: i.SOPInstanceUID).stacks, _rules())
    record = found[0].record if found else None
    if record is None or record.sequence in ("unknown", "other"):
        return {}
    match: dict[str, tuple[str, ...]] = {"sequence": (record.sequence,)}
    if record.sequence in ("DWI", "trace"):
        match["sequence"] = ("DWI", "trace")
    planes = [c for c in read_concepts(described) if c in ("ax", "sag", "cor")]
    if len(planes) == 1:
        match["plane"] = (planes[0],)
    if values.get("MRAcquisitionType") in ("2D", "3D"):
        match["dim"] = (values["MRAcquisitionType"].lower(),)
    return match


@cache
def _rules() -> Rules:
    return load_rules()


def _header(fields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values that the constraints state, as header values of one image."""
    values: dict[str, Any] = {}
    for one in fields:
        keyword, value = one["field"].replace(" ", ""), one.get("value")
        if value is None and one.get("min") is not None and one.get("max") is not None:
            value = (one["min"] + one["max"]) / 2
        first = value[0] if isinstance(value, list) and value else value
        if keyword in NUMBERS and isinstance(first, int | float) and not isinstance(first, bool) and isfinite(first):
            values.setdefault(keyword, float(first))
        elif keyword in TEXTS and isinstance(first, str):
            values.setdefault(keyword, first.strip().upper() if keyword == "MRAcquisitionType" else first)
        elif keyword in WORDS and isinstance(value, str | list):
            words = value if isinstance(value, list) else value.replace("\\", "_").split("_")
            values.setdefault(keyword, tuple(str(w) for w in words))
    return values
