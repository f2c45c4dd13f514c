"""Inventory to stacks: sift, split each series, lay out volumes, join what is one scan, merge its b-values."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from ..inventory.instance import Instance
from .joins import join
from .merge import merge_weightings
from .numbering import number_acquisition
from .reasons import SERIES_INCOMPLETE, SOP_UID_REUSED
from .sift import Digest, doubtful_series, sift
from .splits import split
from .stack import Stack, Stacking
from .volumes import Block, arrange

IMAGE_MODALITIES_NOT = frozenset(
    {"SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "RTRECORD", "SR", "PR", "KO", "DOC", "REG", "FID"}
)
"""Modalities of objects that may hold pixels or none, but never an image of the patient."""

NO_IMAGE_CLASSES = ("1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.481.", "1.2.840.10008.5.1.4.1.1.104.")
"""SOP classes of raw data, segmentation and registration; of radiotherapy objects; of encapsulated documents."""

RT_IMAGE_CLASS = "1.2.840.10008.5.1.4.1.1.481.1"


def stack_instances(instances: Iterable[Instance], digest: Digest, broken: Collection[str] = ()) -> Stacking:
    """Sort every instance into exactly one stack, or set it aside with a reason.

    ``digest`` gives a hash of an object's content and is called only for objects that share a SOPInstanceUID
    or all else that names an image;
    ``broken`` names series of which some object could not be read. The result does not depend on the order of the
    input.
    """
    good, aside = sift(instances, digest)
    doubts = dict.fromkeys(broken, SERIES_INCOMPLETE) | doubtful_series(good)
    reused = {a.instance.SOPInstanceUID for a in aside if a.reason == SOP_UID_REUSED}
    stacks = [
        replace(stack, doubt=doubts.get(uid, stack.doubt), caution=SOP_UID_REUSED if holds(stack, reused) else "")
        for (_, _, uid), series in series_of(good)
        for stack in stacks_of_series(series)
    ]
    by_study: dict[tuple[str, str], list[Stack]] = defaultdict(list)
    for stack in stacks:
        by_study[stack.first.PatientID, stack.first.StudyInstanceUID].append(stack)
    joined = [
        stack
        for study in by_study.values()
        for acquisition in join(study)
        for stack in number_acquisition(merge_weightings(acquisition))
    ]
    aside.sort(key=lambda s: s.instance.key)
    return Stacking(tuple(sorted(joined, key=stack_order)), tuple(aside))


def holds(stack: Stack, uids: Collection[str]) -> bool:
    """Whether an instance of the stack bears one of these SOPInstanceUIDs."""
    return bool(uids) and any(i.SOPInstanceUID in uids for i in stack.instances)


def series_of(instances: Iterable[Instance]) -> list[tuple[tuple[str, str, str], list[Instance]]]:
    """Instances by patient, study and series, in sorted order."""
    series: dict[tuple[str, str, str], list[Instance]] = defaultdict(list)
    for i in instances:
        series[i.PatientID, i.StudyInstanceUID, i.SeriesInstanceUID].append(i)
    for rows in series.values():
        rows.sort(key=lambda i: i.key)
    return sorted(series.items())


def stacks_of_series(series: Sequence[Instance]) -> list[Stack]:
    """The stacks of one series, images first; acquisition and indices are not filled yet."""
    images = [i for i in series if is_image(i)]
    blocks = [(values + b.split, b) for values, like in split(images) for b in arrange(like)] if images else []
    others: dict[str, list[Instance]] = defaultdict(list)
    for i in series:
        if not is_image(i):
            others[i.SOPClassUID].append(i)
    for uid, rows in sorted(others.items()):
        blocks.append(((("no-image", uid),), Block(tuple(rows), (0,) * len(rows), 0, 0)))
    return [make_stack(values, b) for values, b in blocks]


def is_image(instance: Instance) -> bool:
    """Whether the object holds an image of the patient: a matrix of pixels that is no segmentation, dose or report."""
    if instance.Modality in IMAGE_MODALITIES_NOT or not instance.Rows or not instance.pixel_length:
        return False
    return instance.SOPClassUID == RT_IMAGE_CLASS or not instance.SOPClassUID.startswith(NO_IMAGE_CLASSES)


def make_stack(values: tuple[tuple[str, str], ...], b: Block) -> Stack:
    """A stack with its identifier, a hash of the series and of what set it apart within it."""
    first = b.instances[0]
    return Stack(
        stack_id=short_hash(
            "stack", first.PatientID, first.StudyInstanceUID, first.SeriesInstanceUID, *(f"{k}={v}" for k, v in values)
        ),
        acquisition_id="",
        instances=b.instances,
        volume=b.volume,
        n_slices=b.n_slices,
        n_volumes=b.n_volumes,
        split=values,
        bvalues=b.bvalues,
        directions=b.directions,
        phase_index=b.phase,
        doubt=b.doubt,
    )


def short_hash(*words: str) -> str:
    """Twelve hexadecimal digits of SHA-256 over the words."""
    return hashlib.sha256("\x1f".join(words).encode()).hexdigest()[:12]


def stack_order(stack: Stack) -> tuple[object, ...]:
    """Patient, study, series number, series; within it phase, echo, flip angle, then what set it apart."""
    first = stack.first
    return (
        first.PatientID,
        first.StudyInstanceUID,
        -1 if first.SeriesNumber is None else first.SeriesNumber,
        first.SeriesInstanceUID,
        stack.phase_index or 0,
        stack.echo_index or 0,
        stack.flip_index or 0,
        stack.split,
        stack.stack_id,
    )
