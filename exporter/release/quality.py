"""The quality of every released image in one table, and what shows only when all sessions are seen together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq

from ..arrays import array
from ..qc.check import INFO, Finding
from ..qc.metricnames import METRIC_NAMES
from ..qc.outliers import Measured, outliers
from ..qc.source import Quality, by_stack
from ..qc.verdict import Waived, is_waived
from .image import Image
from .session import Fragment, StackResult

QUALITY_FILE = "curation/qc.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One released image with what the checks and metrics say of it: a row of ``curation/qc.parquet``.

    ``errors``, ``warnings`` and ``infos`` are codes of checks, each once; of the first two none is waived, those that
    are stand in ``waived``. ``outliers`` are the metrics in which it stands apart from its like: images of the same
    sequence at the same ``site``, which is the true one where the release hides it, and of the same scanner.
    """

    image: Image
    stack_id: str
    site: str
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    infos: tuple[str, ...]
    waived: tuple[str, ...]
    metrics: Mapping[str, float]
    outliers: tuple[str, ...] = ()


CODES = ("errors", "warnings", "infos", "waived", "outliers")


def judged_images(fragments: Iterable[Fragment], quality: Quality) -> list[Judged]:
    """Every released image of these sessions, each compared with its like."""
    rows = []
    for fragment in fragments:
        paths = {image.path: image for image in fragment.images}
        for result in fragment.results:
            if result.path in paths:
                rows.append(_judged(paths[result.path], fragment.visit.site, result, quality))
    return _compared(rows)


def with_release(rows: Iterable[Judged], findings: Iterable[Finding], waived: Waived) -> list[Judged]:
    """The images with the codes of what shows only when all sessions are seen together.

    It leaves their verdict alone, which must not change with what other people's sessions hold.
    """
    found = by_stack(findings)
    return [_also(row, found[row.stack_id], waived) if row.stack_id in found else row for row in rows]


def _also(row: Judged, findings: Iterable[Finding], waived: Waived) -> Judged:
    codes = {"error": {*row.errors}, "warning": {*row.warnings}, "info": {*row.infos}, "waived": {*row.waived}}
    for f in findings:
        codes[_word_of(f, waived)].add(f.check)
    errors, warnings, infos, excused = (tuple(sorted(words)) for words in codes.values())
    return replace(row, errors=errors, warnings=warnings, infos=infos, waived=excused)


def _word_of(finding: Finding, waived: Waived) -> str:
    """Under which word a finding is listed; what only informs needs no waiver, and stays where it is."""
    return "waived" if finding.severity != INFO and is_waived(finding, waived) else finding.severity


def measured(rows: Iterable[Judged]) -> list[Measured]:
    """The metrics of these images, as outliers and drifts by site are sought in them."""
    return [Measured(r.image.path, r.image.record["sequence"], r.site, r.image.scanner, r.metrics) for r in rows]


def _compared(rows: Sequence[Judged]) -> list[Judged]:
    apart: dict[str, set[str]] = defaultdict(set)
    for found in outliers(measured(rows)):
        apart[found.image].add(found.metric)
    return [replace(r, outliers=tuple(sorted(apart[r.image.path]))) if r.image.path in apart else r for r in rows]


def _judged(image: Image, site: str, result: StackResult, quality: Quality) -> Judged:
    findings = (*quality.of_stack(result.stack_id), *result.findings)
    codes: dict[str, set[str]] = {"error": set(), "warning": set(), "info": set(), "waived": set()}
    for f in findings:
        codes[_word_of(f, quality.waived)].add(f.check)
    errors, warnings, infos, waived = (tuple(sorted(codes[word])) for word in codes)
    return Judged(
        image=image,
        stack_id=result.stack_id,
        site=site,
        errors=errors,
        warnings=warnings,
        infos=infos,
        waived=waived,
        metrics=result.metrics,
    )


def quality_bytes(rows: Iterable[Judged]) -> bytes:
    """``curation/qc.parquet``: the same images give the same bytes.

    Columns: ``path``, ``participant_id``, ``session_id``, ``site``, ``scanner``, ``sequence``, ``qc_verdict``; lists of
    codes; one number a metric, null where it is not defined.
    """
    ordered = sorted(rows, key=lambda row: row.image.path)
    text, codes = pa.string(), pa.list_(pa.string())
    columns: dict[str, pa.Array] = {}
    for name in ("path", "participant_id", "session_id", "site", "scanner"):
        columns[name] = array([getattr(r.image, name) for r in ordered], text)
    columns["sequence"] = array([r.image.record["sequence"] for r in ordered], text)
    columns["qc_verdict"] = array([r.image.qc_verdict for r in ordered], text)
    for name in CODES:
        columns[name] = array([list(getattr(r, name)) for r in ordered], codes)
    for name in METRIC_NAMES:
        columns[name] = array([r.metrics.get(name) for r in ordered], pa.float64())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd", store_schema=True)
    return sink.getvalue().to_pybytes()
