"""A row of a table as the stacks of its series, so that rows are judged by the code that judges scanners' files."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from typing import Any

from trialbids.mappings.description import b_values_in, plain
from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..inventory.instance import Floats, Instance
from ..stacks.build import IMAGE_MODALITIES_NOT, NO_IMAGE_CLASSES, RT_IMAGE_CLASS
from ..stacks.headers import is_diffusion_weighted, is_echo_planar_series
from ..stacks.joins import join
from ..stacks.numbering import number_acquisition
from ..stacks.stack import Stack
from .columns import OF_SERIES, SEVERAL

CHOSEN = ("ImageOrientationPatient", *sorted(SEVERAL))
"""What the stacks of one row may differ in."""

MOST_STACKS = 12
"""Orientations, echoes, flip angles and phases of one row beyond this many say nothing more."""

MOST_STUDY_STACKS = 1000
"""No study has more: a table whose rows list more of them is not what was scanned."""

DISAGREE = {"plane": "multi", "agent": "with", "part": "mag"}
"""What a row says where its stacks differ; all else is then unknown."""

PHASES_AT_LEAST = 3
"""As in the standard's own dynamic series: fewer temporal positions are repeats."""

LISTED_B_VALUES = re.compile(r"(?<![a-z0-9])b(?:val(?:ue)?s?)? ?(\d{1,4}(?: \d{1,4}){2,})(?![a-z0-9])")
"""Three numbers or more after one b: two may be a b-value and a field of view or a matrix."""

SPELLINGS = {"MRI": "MR", "PET": "PT"}
CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.128": "PT",
    "1.2.840.10008.5.1.4.1.1.130": "PT",
}
"""The image classes of one modality (PS3.4 B.5)."""

OWN = {
    "PT": ("Radiopharmaceutical", "CorrectedImage", "Units"),
    "MR": (
        "MagneticFieldStrength", "RepetitionTime", "EchoTime", "InversionTime", "EchoTrainLength", "ScanningSequence",
        "SequenceVariant", "SequenceName", "MRAcquisitionType", "EchoPulseSequence", "DiffusionBValue",
    ),
    "CT": ("KVP", "ConvolutionKernel"),
}  # fmt: skip
"""Attributes that only images of one modality hold; PET images have a kernel too, so PET is asked first."""


def modality_of(values: Mapping[str, Any]) -> str:
    """The modality of a row: as it says, else that of its class, else the one that its attributes belong to, else "".

    A row of words alone has none. Nothing is assumed of it: rules on the words say CT or PET where they name it, and
    rules of MR physics stay silent.
    """
    if said := str(values.get("Modality", "")):
        return SPELLINGS.get(said, said)
    if values.get("SOPClassUID"):
        return CLASSES.get(values["SOPClassUID"], "")
    return next((modality for modality, names in OWN.items() if any(n in values for n in names)), "")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number, what it says by attribute, and its modality ("" where nothing tells it)."""

    number: int
    values: Mapping[str, Any]
    modality: str


@dataclass(frozen=True, slots=True)
class Limit:
    """How many stacks one row may have, and how many of them by orientation, echo time and flip angle."""

    variants: int
    stacks: int


FULL = Limit(MOST_STACKS, MOST_STACKS)
SPARE = Limit(3, 5)
"""The least that still tells a set of echoes or flip angles, a three-plane localizer, and a dynamic scan."""


def study_stacks(rows: Sequence[Row], limit: Limit = FULL) -> tuple[list[tuple[int, list[Stack]]], Limit]:
    """The stacks of the rows of one study, by row number: joined to acquisitions and numbered as read files are.

    Also the limit by which they were made: :data:`SPARE` where there were more than :data:`MOST_STUDY_STACKS`.
    """
    owners: dict[str, int] = {}
    stacks: list[Stack] = []
    for row in rows:
        for stack in row_stacks(row, limit):
            owners[stack.stack_id] = row.number
            stacks.append(stack)
    if len(stacks) > MOST_STUDY_STACKS and limit == FULL:
        return study_stacks(rows, SPARE)
    if len(rows) == 1:
        stacks = number_acquisition(stacks) if len(stacks) > 1 else stacks  # one series is one acquisition
    elif len(stacks) > 1:
        stacks = [stack for acquisition in join(stacks) for stack in number_acquisition(acquisition)]
    done: dict[int, list[Stack]] = {row.number: [] for row in rows}
    for stack in stacks:
        done[owners[stack.stack_id]].append(stack)
    return [(number, sorted(own, key=lambda s: s.stack_id)) for number, own in done.items()], limit


def variants_of(row: Row) -> list[list[Any]]:
    """The orientations, echo times and flip angles that a row lists, in the order of :data:`CHOSEN`."""
    orientations = parts_of(row.values.get("ImageOrientationPatient", ()), 6)
    return [orientations, *(list(dict.fromkeys(row.values.get(name, ()))) for name in sorted(SEVERAL))]


def is_cut(row: Row, limit: Limit) -> bool:
    """Whether a row lists more orientations, echo times and flip angles than become stacks."""
    return math.prod(max(1, len(values)) for values in variants_of(row)) > limit.variants


def row_stacks(row: Row, limit: Limit = FULL) -> list[Stack]:
    """One stack for each orientation, echo, flip angle and phase that a row lists; mostly one in all."""
    values = {name: v for name, v in row.values.items() if name not in OF_SERIES and name not in CHOSEN}
    values |= {"Modality": row.modality, "path": f"row {row.number}"}
    for name in ("StudyInstanceUID", "SeriesInstanceUID"):
        values.setdefault(name, f"row {row.number}")
    listed = (found[: limit.variants] or [None] for found in variants_of(row))
    variants = [
        {name: value for name, value in zip(CHOSEN, chosen, strict=True) if value is not None}
        for chosen in islice(product(*listed), limit.variants)
    ]
    volumes = [volumes_of(row, values | variant) for variant in variants]
    n_phases, n_volumes = times_of(row, volumes[0], len(variants))
    n_images = images_of(row) // (n_phases * max(n_volumes, len(volumes[0])) * len(variants))
    n_slices = max(0, row.values.get("NumberOfSlices", 0)) or n_images
    phases = range(1, n_phases + 1) if n_phases > 1 else (None,)
    return [
        make_stack(f"{row.number}.{k:02d}", instances, phase, n_slices, n_volumes)
        for k, (instances, phase) in enumerate(islice(product(volumes, phases), limit.stacks))
    ]


def parts_of(numbers: Floats, length: int) -> list[Floats]:
    """Vectors written one after the other, each once; nothing where they do not fit."""
    whole = bool(numbers) and len(numbers) % length == 0
    return list(dict.fromkeys(numbers[k : k + length] for k in range(0, len(numbers), length))) if whole else []


def volumes_of(row: Row, values: Mapping[str, Any]) -> list[Instance]:
    """One instance for each b-value or direction of a diffusion scan, else one."""
    b_values: Floats = row.values.get("DiffusionBValue", ())
    if not b_values:
        return [Instance(**values)]
    given: Floats = row.values.get("DiffusionGradientOrientation", ())
    vectors = [given[k : k + 3] for k in range(0, len(given), 3)] if len(given) % 3 == 0 else []
    if len(b_values) == 1:
        b_values *= max(1, len(vectors))
    instances = [
        Instance(
            **values, b_value=b, b_value_source="DiffusionBValue",
            b_direction=vectors[k % len(vectors)] if vectors and b > 0 else (),
        )
        for k, b in enumerate(b_values)
    ]  # fmt: skip
    return instances if any(is_diffusion_weighted(i) for i in instances) else instances[:1]


def images_of(row: Row) -> int:
    """How many images the series has, 0 where that is not told."""
    return max(0, row.values.get("NumberOfSeriesRelatedInstances", 0) or row.values.get("ImagesInAcquisition", 0))


def times_of(row: Row, volumes: Sequence[Instance], n_variants: int) -> tuple[int, int]:
    """How many phases a row holds, each a 3D image of its own, and how many volumes one image has."""
    first, n_images = volumes[0], images_of(row)
    n_slices = row.values.get("NumberOfSlices", 0)
    if not is_image(first) or len(volumes) > 1:
        return 1, len(volumes)
    if "MOSAIC" in first.ImageType and n_images > 1:
        return 1, n_images
    repeats = row.values.get("NumberOfTemporalPositions", 0)
    if not repeats and n_slices > 0:
        repeats = n_images // (n_slices * n_variants)
    if repeats < PHASES_AT_LEAST or first.TemporalPositionIdentifier is not None or 0 < n_images < repeats:
        named = b_values_in(plain(first.SeriesDescription)) if first.b_value is None else ()
        return 1, max(1, len(named))
    still = is_echo_planar_series(first) or is_diffusion_weighted(first)
    return (1, repeats) if still else (min(repeats, MOST_STACKS), 1)


def named_b_values(row: Row) -> tuple[float, ...]:
    """The b-values that a row names in its description alone, ascending; none where it names fewer than two.

    Where images and slices are counted, they must be as many volumes, as with files.
    """
    if "DiffusionBValue" in row.values:
        return ()
    text = plain(row.values.get("SeriesDescription", ""))
    named = set(b_values_in(text))
    for listed in LISTED_B_VALUES.findall(text):
        values = [float(word) for word in listed.split()]
        if all(a < b and b % 10 == 0 for a, b in pairwise(values)):
            named.update(values)
    n_volumes = images_of(row) // max(1, row.values.get("NumberOfSlices", 0) or images_of(row) or 1)
    return tuple(sorted(named)) if len(named) > 1 and n_volumes in (0, 1, len(named)) else ()


def make_stack(name: str, instances: Sequence[Instance], phase: int | None, n_slices: int, n_volumes: int) -> Stack:
    """A stack with one instance a volume where these differ, else one that stands for all."""
    first = instances[0]
    weighted = is_image(first) and any(is_diffusion_weighted(i) for i in instances) and first.b_value is not None
    return Stack(
        stack_id=name,
        acquisition_id=name,
        instances=tuple(instances),
        volume=tuple(range(len(instances))),
        n_slices=n_slices,
        n_volumes=n_volumes if is_image(first) else 0,
        bvalues=tuple(i.b_value or 0.0 for i in instances) if weighted else (),
        directions=tuple(i.b_direction for i in instances) if weighted else (),
        phase_index=phase,
    )


def is_image(first: Instance) -> bool:
    """Whether a row stands for images of the patient; a table cannot say whether there are pixels."""
    return first.Modality not in IMAGE_MODALITIES_NOT and (
        first.SOPClassUID == RT_IMAGE_CLASS or not first.SOPClassUID.startswith(NO_IMAGE_CLASSES)
    )


def merged(records: Sequence[Record]) -> Record:
    """One record for a row: what its stacks agree in. Where they differ it is unknown, and an index falls away.

    Several orientations are ``multi``; an agent that arrives during the scan is on board.
    """
    if len(records) == 1:
        return records[0]
    values: dict[str, Any] = {}
    for name, attribute in vocabulary().items():
        found = list(dict.fromkeys(getattr(r, name) for r in records))
        if len(found) == 1:
            values[name] = found[0]
        elif attribute.kind == "words":
            values[name] = tuple(w for w in attribute.values if all(w in own for own in found))
        elif attribute.kind == "word" and name != "phase_time_source":
            values[name] = DISAGREE.get(name, "unknown")
    return Record(
        **values,
        confidence=min(r.confidence for r in records) if values["sequence"] != "unknown" else 0.0,
        evidence=tuple(sorted({rule for r in records for rule in r.evidence})),
    )
