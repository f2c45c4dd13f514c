"""SEG, RTSTRUCT and SR objects among the sources: what they say of their parts, read once and remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConversionError
from ..inventory.instance import Instance
from ..tables import json_bytes, write_private
from .grid import ODD, odd
from .objectshapes import source_of
from .region import METHODS, Method

if TYPE_CHECKING:
    from .coded import Code
    from .reports import Measurement
    from .rtstruct import StructureSet
    from .seg import SegObject

CACHE_FILE = "annotation-objects.json"
VERSION = 1
"""Of the reading: a change of it has every object read anew."""

CLASSES = (
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.5",
    "1.2.840.10008.5.1.4.1.1.66.7",
    "1.2.840.10008.5.1.4.1.1.481.3",
    "1.2.840.10008.5.1.4.1.1.30",
    *(f"1.2.840.10008.5.1.4.1.1.88.{n}" for n in (22, 33, 34)),
)
"""SOP classes: segmentation, surface, label map, structure set, parametric map, structured reports (PS3.4 table
B.5-1)."""

MOST_INSTANCES = 8
"""So many of the instances that a part was drawn on are remembered, evenly chosen: they tell which stack it is."""

MEASURED = (
    *("kind", "tracking_id", "tracking_uid", "finding", "site", "measurement", "derivation", "value", "unit", "answer"),
    *("series_uid", "sop_uid", "segmentation_uid", "segment"),
)
"""What is kept of a measurement, each as text; UIDs are original."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A segment or structure: its number, what the object calls it (private), its code and how it was made.

    ``series`` and ``instances`` are what it was drawn on; ``points`` (LPS mm) those of a structure of points.
    """

    number: int
    said: str
    code: str = ""
    scheme: str = ""
    method: Method = "unknown"
    algorithm: str = ""
    reader: str = ""
    series: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    frame_of_reference: str = ""
    points: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an object says, without its pixels; ``problem`` is a sentence where it cannot be used.

    ``creator`` is who made it (private), ``measurements`` are a report's, as :data:`MEASURED`. ``is_lost`` says that
    it could not be read this time; that is not remembered.
    """

    parts: tuple[Part, ...] = ()
    creator: str = ""
    is_fraction: bool = False
    measurements: tuple[tuple[str, ...], ...] = ()
    problem: str = ""
    is_lost: bool = False

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Facts:
        """The inverse of ``asdict``. Raises ``KeyError`` or ``TypeError`` where it is not one."""
        parts = tuple(_part(part) for part in values["parts"])
        return cls(**{**values, "parts": parts, "measurements": tuple(map(tuple, values["measurements"]))})


def _part(values: Mapping[str, Any]) -> Part:
    lists = {name: tuple(values[name]) for name in ("series", "instances")}
    return Part(**{**values, **lists, "points": tuple((x, y, z) for x, y, z in values["points"])})


class Objects:
    """The annotation objects of a trial; what is known of those that have not changed is kept in the work folder."""

    def __init__(self, work: Path) -> None:
        self._path = work / CACHE_FILE
        self._old = _remembered(self._path)
        self._now: dict[str, Facts] = {}

    def facts(self, instance: Instance) -> Facts:
        """What an object says."""
        key = state_of(instance)
        if key in self._old:
            self._now[key] = self._old[key]
        if key not in self._now:
            found = _read(instance)
            if found.is_lost:
                return found
            self._now[key] = found
        return self._now[key]

    def write(self) -> None:
        """Keep what was read, where it is not what was known."""
        if self._now != self._old:
            content = {"version": VERSION, "objects": {key: asdict(facts) for key, facts in self._now.items()}}
            write_private(self._path, json_bytes(content))


def state_of(instance: Instance) -> str:
    """Changes when the object does; that of a moved one stays the same."""
    return f"{instance.SOPInstanceUID} {instance.size} {instance.mtime_ns}"


def is_annotation(instance: Instance) -> bool:
    """Whether an object is of a kind that is read here, or refused by name."""
    return instance.SOPClassUID in CLASSES


def _remembered(path: Path) -> dict[str, Facts]:
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            return {}
        return {key: Facts.from_json(values) for key, values in content["objects"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _read(instance: Instance) -> Facts:
    """What an object says. Whatever stops the reading is its problem."""
    from .coded import REPORT, RTSTRUCT, AnnotationError, kind_of  # pydicom: only where there are objects
    from .reports import read_report
    from .rtstruct import read_rtstruct
    from .seg import read_seg

    try:
        source = source_of(instance)
        match kind_of(instance.SOPClassUID):
            case kind if kind == REPORT:
                return _of_report(read_report(source))
            case kind if kind == RTSTRUCT:
                return _of_structures(read_rtstruct(source))
            case _:
                return _of_seg(read_seg(source))  # names what it is where it is another object
    except AnnotationError as error:
        return Facts(problem=str(error), is_lost=error.reason == "unreadable")
    except ConversionError:
        return Facts(problem="the object is no longer where it was", is_lost=True)
    except ODD as error:
        return Facts(problem=odd(error), is_lost=True)


def _of_seg(seg: SegObject) -> Facts:
    shared = {
        "series": seg.referenced_series_uids,
        "instances": _some(seg.referenced_sop_uids),
        "frame_of_reference": seg.frame_of_reference,
    }
    parts = tuple(
        Part(
            number=s.number,
            said=s.label,
            **_coded(s.property),
            method=s.algorithm or "unknown",
            algorithm=s.algorithm_name,
            **shared,
        )
        for s in seg.segments
    )
    return Facts(parts=parts, creator=seg.creator, is_fraction=seg.kind == "fractional")


def _of_structures(structures: StructureSet) -> Facts:
    parts = tuple(
        Part(
            number=s.number,
            said=s.name,
            **_coded(s.code),
            method=_method(s.algorithm),
            reader=s.interpreter,
            series=tuple(filter(None, [s.referenced_series_uid])),
            instances=_some(s.referenced_sop_uids),
            frame_of_reference=s.frame_of_reference,
            points=tuple((float(x), float(y), float(z)) for x, y, z in s.points),
        )
        for s in structures.structures
    )
    return Facts(parts=parts, creator=structures.creator)


def _method(word: str) -> Method:
    for method in METHODS:
        if word == method:
            return method
    return "unknown"


def _of_report(measurements: Sequence[Measurement]) -> Facts:
    observer = next((m.source.observer for m in measurements), "")
    return Facts(creator=observer, measurements=tuple(_measured(m) for m in measurements))


def _measured(m: Measurement) -> tuple[str, ...]:
    cells = {
        "kind": m.kind,
        "tracking_id": m.tracking_id,
        "tracking_uid": m.tracking_uid,
        "finding": _meaning(m.finding),
        "site": "; ".join(map(_meaning, m.sites)),
        "measurement": _meaning(m.name),
        "derivation": _meaning(m.derivation),
        "value": "" if m.value is None else f"{m.value:.10g}",
        "unit": m.unit.value if m.unit else "",
        "answer": _meaning(m.answer),
        "series_uid": ";".join(m.referenced_series_uids),
        "sop_uid": ";".join(_some(m.referenced_sop_uids)),
        "segmentation_uid": m.segment[0] if m.segment else "",
        "segment": str(m.segment[1]) if m.segment else "",
    }
    return tuple(cells[name] for name in MEASURED)


def _meaning(code: Code | None) -> str:
    return f"{code.meaning} ({code.scheme} {code.value})" if code else ""


def _coded(code: Code | None) -> dict[str, str]:
    """Value and scheme of a code; SNOMED's former codes (SRT) as those of today, where pydicom knows them."""
    if code is None:
        return {}
    from pydicom.sr._snomed_dict import mapping

    today = mapping["SRT"].get(code.value) if code.scheme == "SRT" else None
    return {"code": today or code.value, "scheme": "SCT" if today else code.scheme}


def _some(uids: Sequence[str]) -> tuple[str, ...]:
    """A few of them, the first and the last among them."""
    if len(uids) <= MOST_INSTANCES:
        return tuple(uids)
    last = len(uids) - 1
    return tuple(uids[n * last // (MOST_INSTANCES - 1)] for n in range(MOST_INSTANCES))
