"""One sample of a cohort as plain values and paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .acquisition import Source
from .query import Q
from .targets import Target
from .units import Unit

RESERVED = frozenset({"sample_id", "participant_id", "session_id", "site", "present"})
SIDE_KEYS = ("_unit", "_factor", "_times", "_bvalues", "_volumes")
NAN = float("nan")


def sample_row(
    unit: Unit,
    queries: Mapping[str, Q],
    templates: Mapping[str, Source | None],
    targets: Mapping[str, Target],
    facts: Mapping[str, Any],
    masked: bool,
) -> dict[str, Any]:
    """The row of one unit. ``templates`` holds, for every key, what another unit reads: a masked key takes its form."""
    row: dict[str, Any] = {
        "sample_id": unit.sample_id,
        "participant_id": unit.participant_id,
        "session_id": unit.session_id,
        "site": unit.site,
    }
    for key, query in queries.items():
        row |= _entries(key, query, unit.sources.get(key), templates[key])
    if masked:
        row["present"] = tuple(key in unit.sources for key in queries)
    for name, target in targets.items():
        row[name] = target.encode(facts[target.column])
    return row


def _entries(key: str, query: Q, source: Source | None, template: Source | None) -> dict[str, Any]:
    shape = source or template
    if shape is None:
        return {key: ""}
    entries: dict[str, Any] = {key: _paths(source) if source else ""}
    if query.scope == "raw":
        entries |= {f"{key}_unit": shape.unit, f"{key}_factor": shape.factor if source else 1.0}
    if shape.times:
        asked = query.phases.times if query.phases else (NAN,) * len(shape.times)
        entries[f"{key}_times"] = source.times if source else asked
    if shape.bvalues:
        asked = query.bvalues if len(query.bvalues) == len(shape.bvalues) else (NAN,) * len(shape.bvalues)
        entries[f"{key}_bvalues"] = source.bvalues if source else asked
    if shape.volumes is not None:
        entries[f"{key}_volumes"] = source.volumes if source else ()
    return entries


def _paths(source: Source) -> str | tuple[str, ...]:
    """One path, or one a channel block where several files are stacked."""
    paths = tuple(image.path for image in source.images)
    one_file = len(set(paths)) == 1 and (source.volumes is not None or len(paths) == 1)
    return next(iter(paths)) if one_file else paths
