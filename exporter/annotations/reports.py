"""Measurements of DICOM structured reports that follow TID 1500 (PS3.16), read with pydicom: never released.

The report holds groups: TID 1410 (planar), TID 1411 (volumetric) and TID 1501 (of the image as a whole). highdicom's
reader is not used: it wants every item as the standard has it, and old reports code their concepts in SRT.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydicom import Dataset

from .coded import REPORT, AnnotationError, Code, code, instances, items, number, numbers, opened, quiet, text

TEMPLATE = "1500"
CONTENT = "ContentSequence"
DEEPEST = 32
"""Levels of a report that are walked; TID 1500 has eight, and a damaged file may have thousands."""

Named = frozenset[tuple[str, str]]
"""A concept by value and scheme, in each coding that writers use (PS3.16 annex D, and SRT's former codes)."""

MEASUREMENT_REPORT: Named = frozenset({("126000", "DCM")})
GROUP: Named = frozenset({("125007", "DCM")})
QUALITATIVE: Named = frozenset({("C0034375", "UMLS")})
TRACKING_ID: Named = frozenset({("112039", "DCM")})
TRACKING_UID: Named = frozenset({("112040", "DCM")})
FINDING: Named = frozenset({("121071", "DCM")})
CATEGORY: Named = frozenset({("276214006", "SCT"), ("R-0027A", "SRT")})
SITE: Named = frozenset({("363698007", "SCT"), ("G-C0E3", "SRT")})
DERIVATION: Named = frozenset({("121401", "DCM")})
SEGMENT: Named = frozenset({("121191", "DCM"), ("121214", "DCM")})
SERIES: Named = frozenset({("121232", "DCM")})
OBSERVER: Named = frozenset({("121008", "DCM")})
DESCRIBING = TRACKING_ID | TRACKING_UID | FINDING | CATEGORY | SITE
"""Concepts of a group that say what was measured, not what came out."""

RESULTS = frozenset({"NUM", "CODE"})
REGIONS = frozenset({"SCOORD", "SCOORD3D"})

Kind = Literal["planar", "volumetric", "other"]
TEMPLATES: Mapping[str, Kind] = {"1410": "planar", "1411": "volumetric", "1501": "other"}


@dataclass(frozen=True, slots=True)
class ReportSource:
    """The report that a measurement stands in; observer and patient id are private."""

    series_uid: str
    sop_uid: str
    study_uid: str
    patient_id: str
    observer: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured or judged property of a finding.

    ``name`` says what (volume, diameter); a number has ``value`` and ``unit`` (UCUM), a judgement has ``answer``, as
    coded words. ``derivation`` tells mean from maximum. The ``segment`` (object UID, number) is the region measured,
    where there is one.
    """

    source: ReportSource
    kind: Kind
    tracking_id: str
    tracking_uid: str
    finding: Code | None
    sites: tuple[Code, ...]
    name: Code
    derivation: Code | None
    value: float | None
    unit: Code | None
    answer: Code | None
    referenced_series_uids: tuple[str, ...]
    referenced_sop_uids: tuple[str, ...]
    segment: tuple[str, int] | None


@quiet()
def read_report(source: Path | Dataset) -> tuple[Measurement, ...]:
    """Read the measurements of a report, in its order; none where its groups hold none.

    Raises ``AnnotationError``: ``unreadable``, ``other-object`` (a parametric map is named), ``other-template`` where
    the report is not one of measurements as TID 1500 has them.
    """
    dataset = opened(source, REPORT)
    templates = {text(item, "TemplateIdentifier") for item in items(dataset, "ContentTemplateSequence")}
    if TEMPLATE not in templates and not any(_named([dataset], MEASUREMENT_REPORT)):
        named = f"TID {min(templates)}" if templates and all(t.isdecimal() for t in templates) else "another template"
        raise AnnotationError("other-template", f"the report follows {named}, not TID 1500 (imaging measurements)")
    content = tuple(_below(dataset))
    report = ReportSource(
        series_uid=text(dataset, "SeriesInstanceUID"),
        sop_uid=text(dataset, "SOPInstanceUID"),
        study_uid=text(dataset, "StudyInstanceUID"),
        patient_id=text(dataset, "PatientID"),
        observer=next((text(item, "PersonName") for item in _named(content, OBSERVER)), ""),
    )
    series_of = dict(_evidence(dataset))
    groups = [_group(item, report, series_of) for item in _named(content, GROUP | QUALITATIVE)]
    return tuple(measurement for group in groups for measurement in group)


def _group(container: Dataset, source: ReportSource, series_of: Mapping[str, str]) -> Iterator[Measurement]:
    """The numbers and judgements of one group, each with what the group says of all of them."""
    content, below = items(container, CONTENT), tuple(_below(container))
    images = tuple(dict.fromkeys(uid for item in below for uid in instances(item, "ReferencedSOPSequence")))
    segment = _segment(below)
    drawn_on = [uid for uid in images if segment is None or uid != segment[0]]
    series = [text(item, "UID") for item in _named(below, SERIES)] + [series_of.get(uid, "") for uid in drawn_on]
    for item in content:
        kind = text(item, "ValueType")
        name = code(item, "ConceptNameCodeSequence")
        if name is None or kind not in RESULTS or _is(name, DESCRIBING):
            continue
        value, unit = _measured(item)
        own = (*content, *items(item, CONTENT))
        yield Measurement(
            source=source,
            kind=_kind(container, below, segment),
            tracking_id=next((text(i, "TextValue") for i in _named(content, TRACKING_ID)), ""),
            tracking_uid=next((text(i, "UID") for i in _named(content, TRACKING_UID)), ""),
            finding=next(_codes(content, FINDING), None),
            sites=tuple(dict.fromkeys(_codes(own, SITE))),
            name=name,
            derivation=next(_codes(items(item, CONTENT), DERIVATION), None),
            value=value,
            unit=unit,
            answer=code(item, "ConceptCodeSequence"),
            referenced_series_uids=tuple(dict.fromkeys(filter(None, series))),
            referenced_sop_uids=tuple(drawn_on),
            segment=segment,
        )


def _measured(item: Dataset) -> tuple[float | None, Code | None]:
    """Number and unit; both None where the item holds none, as where the writer could not measure."""
    for measured in items(item, "MeasuredValueSequence"):
        found = numbers(measured, "FloatingPointValue") or numbers(measured, "NumericValue")
        value = found[0] if found and math.isfinite(found[0]) else None
        return value, code(measured, "MeasurementUnitsCodeSequence")
    return None, None


def _kind(container: Dataset, below: Sequence[Dataset], segment: tuple[str, int] | None) -> Kind:
    """What the group's template says or, where it names none, what was drawn: one region, several or a segment."""
    for template in items(container, "ContentTemplateSequence"):
        if stated := TEMPLATES.get(text(template, "TemplateIdentifier")):
            return stated
    regions = sum(text(item, "ValueType") in REGIONS for item in below)
    if regions == 1 and segment is None:
        return "planar"
    return "volumetric" if regions or segment else "other"


def _segment(below: Sequence[Dataset]) -> tuple[str, int] | None:
    for item in _named(below, SEGMENT):
        for referenced in items(item, "ReferencedSOPSequence"):
            named = number(referenced, "ReferencedSegmentNumber")
            if named is not None:
                return text(referenced, "ReferencedSOPInstanceUID"), named
    return None


def _evidence(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """Pairs (instance, its series) of everything that the report was made from."""
    for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence"):
        for study in items(dataset, keyword):
            for series in items(study, "ReferencedSeriesSequence"):
                for uid in instances(series, "ReferencedSOPSequence"):
                    yield uid, text(series, "SeriesInstanceUID")


def _named(content: Sequence[Dataset], concept: Named) -> Iterator[Dataset]:
    """The items whose concept name is this one."""
    for item in content:
        name = code(item, "ConceptNameCodeSequence")
        if name is not None and _is(name, concept):
            yield item


def _codes(content: Sequence[Dataset], concept: Named) -> Iterator[Code]:
    for item in _named(content, concept):
        if found := code(item, "ConceptCodeSequence"):
            yield found


def _is(name: Code, concept: Named) -> bool:
    return (name.value, name.scheme) in concept


def _below(item: Dataset, depth: int = 0) -> Iterator[Dataset]:
    """All content items below one, parents before their children."""
    for child in items(item, CONTENT) if depth < DEEPEST else ():
        yield child
        yield from _below(child, depth + 1)
