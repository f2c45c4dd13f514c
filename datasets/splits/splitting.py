"""What :meth:`Cohort.split` and :meth:`Cohort.leave_one_out` do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..cohorts.cohort import Cohort
from ..errors import QueryError
from .bundles import Declared
from .design import Design, stratified
from .splits import Splits
from .table import Table, read_table


def split_cohort(
    cohort: Cohort,
    *,
    k: int | None,
    test: float | None,
    val: float | None,
    nested: int | None,
    leave: str | None,
    stratify: str | Sequence[str] | None,
    groups: str | Declared | None,
    aliases: str | Path | Mapping[str, str] | None,
    seed: int | None,
    previous: str | Path | Splits | None,
) -> Splits:
    """Divide a cohort, new or, with ``previous``, as before. What is None was not asked for."""
    before, design = _earlier(previous)
    column = groups if isinstance(groups, str) else None
    if design is None:
        design = Design(
            k=k,
            test=test,
            val=val,
            nested=nested,
            leave=leave,
            groups=column,
            stratify=stratified(stratify or ()),
            seed=seed or 0,
        )
    else:
        design = design.agreeing(
            k=k, test=test, val=val, nested=nested, leave=leave, groups=column, stratify=stratify, seed=seed
        )
    _check_columns(cohort, design)
    return Splits.make(cohort, design, groups=groups, aliases=aliases, before=before)


def _earlier(previous: str | Path | Splits | None) -> tuple[Table | None, Design | None]:
    """The earlier parts, and how they were made where that is known."""
    if previous is None:
        return None, None
    if isinstance(previous, Splits):
        return previous.table, previous.design
    table, origin = read_table(Path(previous))
    return table, origin.design if origin else None


def _check_columns(cohort: Cohort, design: Design) -> None:
    """Every participant is a level of its own in the columns of ids, so nothing can be made alike by them."""
    ids = {"participant_id", "session_id", "sample_id"} & {*design.stratify}
    if ids:
        raise QueryError(f"split: stratify={sorted(ids)[0]!r} is an id; name a target, the site or a clinical column")
    if not len(cohort):
        raise QueryError("split: the cohort has no sample")
