"""What shows only when all sessions are seen together: equal pixels, splits, and labels and metrics that go with the
site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ..clinical.rows import ClinicalRows
from ..errors import UsageError
from ..pipeline import Plan
from ..qc.check import Finding
from ..qc.ledger.atlas import atlas_of
from ..qc.ledger.issue import Issue
from ..qc.pixels.equal import Sliced, equal_pixels, split_people, unknown_people
from ..qc.trialwide import confounded, drifting
from ..tables import read_lines
from .quality import Judged, measured
from .session import Fragment

MOST_LEVELS = 10
"""A column with more levels is no label that a model learns."""
Splits = Sequence[tuple[str, str]]
"""Subject and split of every line of the trial's table of splits."""

PLACE_MM = 2
"""Decimals to which two images lie at one place."""


def release_findings(
    fragments: Sequence[Fragment], images: Sequence[Judged], clinical: ClinicalRows, splits: Splits
) -> tuple[Finding, ...]:
    """C03, D02, D03, S01 to S04 over all sessions of a release, and what the table of splits says of nobody in it."""
    sites = {f.visit.subject: f.visit.site for f in fragments}
    return (
        *equal_pixels(list(_sliced(fragments)), dict(splits)),
        *split_people(splits),
        *unknown_people(splits, sites),
        *confounded(_labels(clinical), sites),
        *drifting(measured(images)),
    )


def split_issues(plan: Plan, splits: Splits) -> Iterator[Issue]:
    """What the table of splits shows before anything is exported."""
    kept = {p.visit.subject for p in plan.planned if p.row.decision == "keep"}
    atlas = atlas_of(plan.planned, plan.stacking, plan.visits)
    yield from atlas.issues((*split_people(splits), *unknown_people(splits, kept)), "release")


def read_splits(path: Path | None) -> Splits:
    """(subject, split) of every line of a table with the columns ``participant_id`` and ``split``; none without one.

    Raises ``UsageError`` with file, line and what was expected.
    """
    found: list[tuple[str, str]] = []
    if path is None:
        return found
    for line, row in read_lines(path):
        missing = [name for name in ("participant_id", "split") if name not in row]
        if missing:
            raise UsageError(f"{path}: has no column {' and '.join(missing)}; expected participant_id and split")
        subject, split = row["participant_id"].removeprefix("sub-"), row["split"].strip()
        if not subject:
            raise UsageError(f"{path}: line {line}: participant_id is empty; expected a label such as sub-AB12CD")
        if not split:
            raise UsageError(f"{path}: line {line}: split is empty; expected a word such as train")
        found.append((subject, split))
    return found


def _sliced(fragments: Iterable[Fragment]) -> Iterator[Sliced]:
    """Every released image with the digests of its slices."""
    for fragment in fragments:
        images = {image.path: image for image in fragment.images}
        for result in fragment.results:
            image = images.get(result.path)
            if image is not None and result.digests:
                grid = repr((image.shape, tuple(round(a, PLACE_MM) + 0.0 for a in image.affine)))
                visit = fragment.visit
                yield Sliced(result.stack_id, visit.subject, visit.session, result.digests, grid)


def _labels(clinical: ClinicalRows) -> dict[str, Mapping[str, str]]:
    """By released column of participants with a few levels, the level of each subject."""
    found: dict[str, Mapping[str, str]] = {}
    for column in clinical.columns:
        levels = {s: row[column] for s, row in clinical.participants.items() if row.get(column, "n/a") != "n/a"}
        if clinical.described[column].kind in ("level", "integer") and len(set(levels.values())) <= MOST_LEVELS:
            found[column] = levels
    return found
