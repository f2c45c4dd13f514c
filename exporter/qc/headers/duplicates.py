"""What is there twice (D01 to D05): what stacking set aside or doubts, one scan under two UIDs, derived copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from itertools import chain, combinations

from ...inventory.instance import Instance
from ...stacks import Stacking
from ...stacks.reasons import (
    DUPLICATE,
    NO_VOLUME_INDEX,
    RESENT,
    SENTENCES,
    SERIES_IN_TWO_PATIENTS,
    SERIES_IN_TWO_STUDIES,
    SERIES_INCOMPLETE,
    SOP_UID_REUSED,
)
from ...stacks.stack import SetAside, Stack
from ..check import ERROR, INFO, WARNING, Check, Evidence, Finding, bound
from ..views import Series, Session
from .files import places

COPIES = "D01"
SET_ASIDE = {DUPLICATE: (COPIES, INFO), SOP_UID_REUSED: ("C02", ERROR), RESENT: ("D03", WARNING)}
DOUBTS = {
    SERIES_INCOMPLETE: "F02",
    NO_VOLUME_INDEX: "D05",
    SERIES_IN_TWO_STUDIES: "C01",
    SERIES_IN_TWO_PATIENTS: "C01",
}
"""By the reason, the check of what stacking found."""

OTHER_DOUBT = "C01"


def stacking_findings(stacking: Stacking) -> Iterator[Finding]:
    """C01, C02, D01, D03, D05 and F02 as stacking saw them: one finding a series and reason.

    What is set aside concerns no stack, since it is in none. Of identical copies the places are told in pairs: that of
    the copy, then that of the object that is kept, since either may be the one that lies in the wrong folder.
    """
    originals = _originals(stacking)
    aside: dict[tuple[str, str], list[SetAside]] = defaultdict(list)
    for item in stacking.set_aside:
        aside[item.instance.SeriesInstanceUID, item.reason].append(item)
    for (uid, reason), items in aside.items():
        code, severity = SET_ASIDE[reason]
        kept = originals if reason == DUPLICATE else {}
        objects = [i for item in items for i in (item.instance, *kept.get(_name(item.instance), ()))]
        evidence = Evidence(SENTENCES[reason], reason, (("images", len(items)),), places(objects))
        found = Finding(code, severity, SENTENCES[reason], evidence, "instance", uid)
        yield from bound([found], objects)
    doubted: dict[tuple[str, str], list[str]] = defaultdict(list)
    for stack in stacking.stacks:
        if stack.doubt:
            doubted[stack.first.SeriesInstanceUID, stack.doubt].append(stack.stack_id)
    for (uid, reason), stacks in doubted.items():
        sentence = SENTENCES.get(reason, "the series cannot be trusted")
        evidence = Evidence(sentence, reason, (), (), tuple(stacks))
        level = "stack" if reason == NO_VOLUME_INDEX else "series"
        yield Finding(DOUBTS.get(reason, OTHER_DOUBT), ERROR, sentence, evidence, level, uid, tuple(stacks))


def _originals(stacking: Stacking) -> dict[Hashable, tuple[Instance]]:
    """The object that each identical copy is a copy of, by what they have in common."""
    copied = {_name(item.instance) for item in stacking.set_aside if item.reason == DUPLICATE}
    if not copied:
        return {}
    stacked = (i for stack in stacking.stacks for i in stack.instances)
    doubtful = (item.instance for item in stacking.set_aside if item.reason != DUPLICATE)
    found: dict[Hashable, tuple[Instance]] = {}
    for instance in chain(stacked, doubtful):
        if (name := _name(instance)) in copied:
            found.setdefault(name, (instance,))
    return found


def _name(i: Instance) -> Hashable:
    """What two identical copies have in common."""
    return i.SOPInstanceUID, i.frame, i.PatientID, i.StudyInstanceUID, i.SeriesInstanceUID


def same_scan_again(session: Session, _tolerance: float) -> Iterator[Evidence]:
    """Two series hold the same slices, at the same times, with the same physics and of the same size.

    The pixels are compared elsewhere; here all that the headers say must be equal, the description too.
    """
    alike: dict[Hashable, list[Stack]] = defaultdict(list)
    for h in session.stacks:
        if h.stack.is_image and (h.stack.first.AcquisitionTime or h.stack.first.AcquisitionDateTime):
            alike[_outline(h.stack)].append(h.stack)
    pairs = [pair for stacks in alike.values() for pair in combinations(stacks, 2) if _are_copies(*pair)]
    for one, other in pairs:
        ids = tuple(sorted((one.stack_id, other.stack_id)))
        message = f"two series hold the same {len(one.instances)} images by all that their headers say"
        yield Evidence(message, " ".join(ids), (("images", len(one.instances)),), (), ids)


def _are_copies(one: Stack, other: Stack) -> bool:
    return one.first.SeriesInstanceUID != other.first.SeriesInstanceUID and _slices(one) == _slices(other)


def derived_copy(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """A projection, a reformat or a subtraction: it can be computed from other images."""
    for n, h in enumerate(series.stacks, start=1):
        if steps := [_STEPS[step] for step in h.record.derived if step in _STEPS]:
            yield Evidence(f"a derived copy: {' and '.join(steps)}", f"stack-{n}", (), (), (h.stack.stack_id,))


def _outline(stack: Stack) -> Hashable:
    """What two copies of a scan have in common at first sight."""
    i = stack.first
    return (
        (len(stack.instances), stack.n_volumes, i.Modality, i.SOPClassUID, i.ImageType, i.Rows, i.Columns),
        (i.RepetitionTime, i.FlipAngle, i.InversionTime, i.ConvolutionKernel, i.KVP, i.SliceThickness),
        (i.ComplexImageComponent, i.complex_part, i.DerivationDescription, i.RescaleType, i.SeriesDescription),
    )


def _slices(stack: Stack) -> frozenset[Hashable]:
    """Place, time, echo and weighting of every image, with the size of its pixels."""
    return frozenset(
        (
            (i.ImagePositionPatient, i.ImageOrientationPatient, i.PixelSpacing, i.AcquisitionTime),
            (i.AcquisitionDateTime, i.TemporalPositionIdentifier, i.TriggerTime, i.EchoTime, i.b_value, i.b_direction),
            (i.pixel_length, i.BitsAllocated, i.frame),
        )
        for i in stack.instances
    )


_STEPS = {"sub": "a subtraction", "mip": "a projection", "minip": "a projection", "mpr": "a reformat"}

DUPLICATES_SERIES: tuple[Check[Series], ...] = (Check("D04", "stack", INFO, "derived copy", derived_copy),)
DUPLICATES_SESSION: tuple[Check[Session], ...] = (
    Check("D02", "series", WARNING, "the same scan under another UID", same_scan_again),
)
