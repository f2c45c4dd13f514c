"""One sample of a cohort as plain values and paths."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from ..errors import CohortError
from .acquisition import QC_ORDER, Source, qc_rank
from .columnar import Columnar
from .query import Q
from .units import Unit

RESERVED = frozenset({"sample_id", "participant_id", "session_id", "site", "present"})
HOW_READ = (".factor", ".volumes", ".union", ".indices", ".rows", ".table", ".dtype", ".onto")
"""Ends of the entries of a key that say how its files are read: spent once they are.

They begin with a dot: what begins with a key and ``_`` is metadata to some of MONAI's transforms (``Spacingd``), which
would write into it.
"""
PER_CHANNEL = (".times", ".bvalues")
"""Ends of the entries that hold one number a channel: times (s) and b-values (s/mm²)."""
TOLD = (".unit", ".qc", ".fields")
"""Ends of the entries that go into the ``meta`` of the image."""
SIDE_KEYS = (*HOW_READ, *PER_CHANNEL, *TOLD)
NAN = float("nan")
NOT_THERE: Mapping[str, Any] = {".times": (), ".bvalues": (), ".volumes": None}
"""What stands for the facts of a dynamic or diffusion image where another sample reads a plain one for the same key."""


def sample_rows(
    units: Sequence[Unit], queries: Mapping[str, Q], masked: bool, fields: Mapping[str, Mapping[str, Any]] | None
) -> Columnar:
    """The images and labels of all units; every row has the same entries.

    ``fields`` holds the sidecar fields of every image by its path, where they are wanted. Raises
    :class:`CohortError` where one key is an image in one sample and a table in another.
    """
    templates = {key: next((u.sources[key] for u in units if key in u.sources), None) for key in queries}
    merged = {key for unit in units for key, source in unit.sources.items() if source.union or source.indices}

    def fill(name: str, position: int) -> Any:
        side = next((side for side in NOT_THERE if name.endswith(side)), None)
        if side is None:
            raise CohortError(
                f"{units[position].title}: {name.rpartition('.')[0]} is a table in some samples and an image in "
                "others; say suffix= in the query"
            )
        return NOT_THERE[side]

    return Columnar.of_rows((_row(unit, queries, templates, masked, merged, fields) for unit in units), fill)


def _row(
    unit: Unit,
    queries: Mapping[str, Q],
    templates: Mapping[str, Source | None],
    masked: bool,
    merged: Container[str],
    fields: Mapping[str, Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """The row of one unit. ``templates`` holds, for every key, what another unit reads: a masked key takes its form.

    ``merged`` names the labels that in any unit are made of several masks or of regions.
    """
    row: dict[str, Any] = {
        "sample_id": unit.sample_id,
        "participant_id": unit.participant_id,
        "session_id": unit.session_id,
        "site": unit.site,
    }
    for key, query in queries.items():
        source, template = unit.sources.get(key), templates[key]
        row |= _entries(key, query, source, template)
        if query.scope == "raw":
            row[f"{key}.qc"] = _verdict(source)
            if fields is not None:
                row[f"{key}.fields"] = fields[source.images[0].path] if source else {}
        if key in merged:
            row[f"{key}.union"] = source is not None and source.union
            row[f"{key}.indices"] = source.indices if source else ()
        if masked and template and not template.images[0].is_table:
            row[f"{key}.dtype"] = _dtype(template)
    if masked:
        row["present"] = tuple(key in unit.sources for key in queries)
    return row


def _entries(key: str, query: Q, source: Source | None, template: Source | None) -> dict[str, Any]:
    shape = source or template
    if shape is None:
        return {key: ""}
    entries: dict[str, Any] = {key: _paths(source) if source else ""}
    if query.scope == "raw":
        entries |= {f"{key}.unit": shape.unit, f"{key}.factor": shape.factor if source else 1.0}
    if shape.images[0].is_table:
        entries |= {f"{key}.table": shape.images[0].suffix, f"{key}.rows": shape.rows}
    if shape.times:
        asked = query.phases.times if query.phases else (NAN,) * len(shape.times)
        entries[f"{key}.times"] = source.times if source else asked
    if shape.bvalues:
        asked = query.bvalues if len(query.bvalues) == len(shape.bvalues) else (NAN,) * len(shape.bvalues)
        entries[f"{key}.bvalues"] = source.bvalues if source else asked
    if shape.volumes is not None:
        entries[f"{key}.volumes"] = source.volumes if source else ()
    return entries


def _verdict(source: Source | None) -> str:
    """The worst verdict among the images of a key, "" where one has none."""
    rank = qc_rank(source.images) if source else len(QC_ORDER)
    return QC_ORDER[rank] if rank < len(QC_ORDER) else ""


def _dtype(shape: Source) -> str:
    """The type of the voxels that another sample reads for the same key; zeros shall have it too."""
    first = shape.images[0]
    if shape.indices:
        return "uint8"
    return first.dtype if (first.slope, first.inter, shape.factor) == (1.0, 0.0, 1.0) else "float32"


def _paths(source: Source) -> str | tuple[str, ...]:
    """One path, or one a channel block where several files are stacked."""
    paths = tuple(image.path for image in source.images)
    one_file = len(set(paths)) == 1 and (source.volumes is not None or len(paths) == 1)
    return next(iter(paths)) if one_file else paths


def paths_of(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """The files of a key in a row: none where it is masked, one, or several."""
    return value if isinstance(value, tuple) else (value,) if value else ()
