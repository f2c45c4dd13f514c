"""Which column of a table is which DICOM attribute, and what its cells say."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import UsageError
from ..inventory.hints import hints
from ..inventory.instance import Floats, Instance, Words
from .tablefile import ListingFile

KINDS = {
    str: "text",
    Words: "words",
    float | None: "number",
    Floats: "numbers",
    int | None: "integer",
    tuple[int, ...]: "integers",
}
KEYWORDS = {name: KINDS[hint] for name, hint in hints(Instance).items() if name[0].isupper()}
"""The DICOM keywords that are read, with the kind of their values."""

OF_SERIES = {
    "DiffusionBValue": "numbers",
    "DiffusionGradientOrientation": "numbers",
    "NumberOfSeriesRelatedInstances": "integer",
    "NumberOfSlices": "integer",
}
"""What is known of a series rather than of one instance: its b-values, directions, images and slices."""

SEVERAL = frozenset({"EchoTime", "FlipAngle"})
"""Attributes of one value that a series may have several of, and is told by."""

SYNONYMS = {
    "description": "SeriesDescription",
    "seriesdesc": "SeriesDescription",
    "seriesname": "SeriesDescription",
    "protocol": "ProtocolName",
    "studydesc": "StudyDescription",
    "vendor": "Manufacturer",
    "model": "ManufacturerModelName",
    "modelname": "ManufacturerModelName",
    "fieldstrength": "MagneticFieldStrength",
    "bodypart": "BodyPartExamined",
    "contrastagent": "ContrastBolusAgent",
    "reconstructionkernel": "ConvolutionKernel",
    "tracername": "Radiopharmaceutical",
    "tr": "RepetitionTime",
    "te": "EchoTime",
    "ti": "InversionTime",
    "flip": "FlipAngle",
    "etl": "EchoTrainLength",
    "bvalue": "DiffusionBValue",
    "bvalues": "DiffusionBValue",
    "bval": "DiffusionBValue",
    "bvals": "DiffusionBValue",
    "instancecount": "NumberOfSeriesRelatedInstances",
    "ninstances": "NumberOfSeriesRelatedInstances",
    "nimages": "NumberOfSeriesRelatedInstances",
    "numberofimages": "NumberOfSeriesRelatedInstances",
    "nslices": "NumberOfSlices",
    "patient": "PatientID",
    "studyuid": "StudyInstanceUID",
    "seriesuid": "SeriesInstanceUID",
    # what enhanced objects call an attribute of the classic ones (PS3.3 C.8.13)
    "effectiveechotime": "EchoTime",
    "inversiontimes": "InversionTime",
    "frametype": "ImageType",
    "temporalpositionindex": "TemporalPositionIdentifier",
    "pulsesequencename": "SequenceName",
    "rfechotrainlength": "EchoTrainLength",
    "spoiling": "SpoilingState",
}
"""Other names of a column, in lower case without blanks and underscores."""

TELLS_NOTHING = re.compile(r"UID$|^Patient|^Issuer|^ClinicalTrial|^Institution|^Station|Date$|Time$|Number$|^StudyID$")
MEANS_TIMES = frozenset({"EchoTime", "RepetitionTime", "InversionTime"})
EMPTY = frozenset({"", "n/a", "nan", "null", "<na>", "none", "[]"})
NOT_SAID = EMPTY - {"none"}
"""Empty cells of text: there ``none`` is a word (no contrast agent, say)."""

CAPITALS = frozenset(
    {
        "Modality", "MRAcquisitionType", "AcquisitionContrast", "ComplexImageComponent", "EchoPulseSequence",
        "InversionRecovery", "SpoilingState", "SteadyStatePulseSequence", "SpectrallySelectedSuppression",
        "DiffusionDirectionality", "PhotometricInterpretation", "BodyPartExamined",
    }
)  # fmt: skip
"""Coded attributes: the standard writes them in capitals, tables often do not."""

DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
LARGEST = 1e10
"""No attribute that is read reaches it; beyond, sums of squares of a header's numbers would lose their meaning."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is read: where it stands, what it is called, which attribute it is and the kind of its values."""

    index: int
    name: str
    attribute: str
    kind: str


@dataclass(frozen=True, slots=True)
class BadCell:
    """A cell that is no number although its attribute is; it was taken as empty."""

    line: int
    column: str
    cell: str


def find_columns(listing: ListingFile) -> tuple[Column, ...]:
    """The columns that are read: DICOM keywords in any case, then spelled with blanks or underscores, then synonyms.

    An attribute is read from one column, the one nearest to its keyword. Raises ``UsageError`` where none tells what an
    image is.
    """
    known = KEYWORDS | OF_SERIES
    lower = {name.lower(): name for name in known}
    found: dict[str, Column] = {}
    names = [name.strip() for name in listing.columns]
    for spell in (str.lower, squeezed):
        for index, name in enumerate(names):
            attribute = lower.get(spell(name))
            if attribute and attribute not in found:
                found[attribute] = Column(index, name, attribute, known[attribute])
    for index, name in enumerate(names):
        attribute = SYNONYMS.get(squeezed(name))
        if attribute and attribute not in found:
            found[attribute] = Column(index, name, attribute, known[attribute])
    if not any(tells(attribute) for attribute in found):
        raise UsageError(
            f"{listing.path}: line 1: no column tells what an image is; at least one must be a DICOM keyword such as "
            f"SeriesDescription, ProtocolName, Modality, ImageType, ScanningSequence, RepetitionTime or EchoTime, "
            f"found {', '.join(names)[:200]}"
        )
    return tuple(sorted(found.values(), key=lambda c: c.index))


def tells(attribute: str) -> bool:
    """Whether an attribute says anything of the kind of image."""
    return attribute in MEANS_TIMES or not TELLS_NOTHING.search(attribute)


def squeezed(name: str) -> str:
    """A column's name without case, blanks, underscores and hyphens."""
    return re.sub(r"[\s_.-]+", "", name.lower())


@lru_cache(maxsize=65536)
def read_cell(column: Column, cell: str, decimal_comma: bool) -> Any:
    """What a cell says, None where it is empty. Several values are parted by backslashes, or as a list is written.

    Raises ``ValueError`` where it should be a number and is none.

    >>> read_cell(Column(0, "ImageType", "ImageType", "words"), "['ORIGINAL', 'PRIMARY']", False)
    ('ORIGINAL', 'PRIMARY')
    """
    bare = cell.strip()
    if column.kind == "text":
        return read_text(column.attribute, bare)
    if bare.lower() in EMPTY:
        return None
    if column.kind == "words":
        return tuple(word.upper() for word in pieces(bare)) or None
    if decimal_comma and column.kind == "number" and DECIMAL_COMMA.fullmatch(bare):
        bare = bare.replace(",", ".")
    values = tuple(number(piece) for piece in pieces(bare, blanks=True) if piece)
    if column.attribute == "DiffusionBValue" and any(v < 0 for v in values):
        raise ValueError(cell)
    if column.kind in ("integer", "integers"):
        values = tuple(whole(v) for v in values)
    if not values:
        return None
    return values if column.kind in ("numbers", "integers") or column.attribute in SEVERAL else values[0]


def read_text(attribute: str, text: str) -> str | None:
    """A cell of text; a clock time whose leading zero a spreadsheet has eaten gets it back."""
    if text.lower() in NOT_SAID:
        return None
    if attribute.endswith("Time") and re.fullmatch(r"\d{5}(\.\d*)?", text):
        return f"0{text}"
    return text.upper() if attribute in CAPITALS else text


def pieces(cell: str, blanks: bool = False) -> list[str]:
    """The values of a cell: parted by backslashes, else by commas, semicolons or bars (``blanks``: also by blanks)."""
    if cell[:1] in "[({" and cell[-1:] in "])}":
        cell = cell[1:-1]
    parts = cell.split("\\") if "\\" in cell else re.split(r"[,;|\s]+" if blanks else r"[,;|]", cell)
    return [part.strip().strip("'\"").strip() for part in parts]


def number(text: str) -> float:
    """A finite number as DICOM writes it; Python's own spellings (``1_000``, ``inf``) are none."""
    if "_" in text:
        raise ValueError(text)
    value = float(text)
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise ValueError(text)
    return value


def whole(value: float) -> int:
    """A number without a fraction."""
    if value != int(value):
        raise ValueError(value)
    return int(value)


def read_row(
    columns: Sequence[Column], cells: Sequence[str], line: int, decimal_comma: bool
) -> tuple[dict[str, Any], list[BadCell]]:
    """What one row says by attribute, and its cells that could not be read; ``cells`` are those of the columns."""
    values: dict[str, Any] = {}
    bad: list[BadCell] = []
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        try:
            value = read_cell(column, cell, decimal_comma)
        except ValueError:
            bad.append(BadCell(line, column.name, cell))
            continue
        if value is not None:
            values[column.attribute] = value
    return values, bad
