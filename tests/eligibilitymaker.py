"""Candidates and criteria for the tests of eligibility and of the flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialbids.exporter.select.eligibility import Candidate
from trialbids.exporter.trial.eligibility import Criterion
from trialbids.mappings.record import Record


def candidate(name: str, *, is_kept: bool = True, day: int | None = None, **facts: Any) -> Candidate:
    """A stack by a name such as ``P1/V1/2/T2w-sag``, which is its id: subject, session, series, sequence and plane.

    ``1+2`` stands for two series that were joined.
    """
    subject, session, series, kind = name.split("/")
    sequence, plane = kind.split("-")[:2]
    record = Record(sequence=sequence, plane=plane, confidence=1.0)
    return Candidate(
        stack_id=name,
        subject=subject,
        session=session,
        site=f"S{subject[-1]}",
        series=tuple(f"{subject}.{session}.{uid}" for uid in series.split("+")),
        is_kept=is_kept,
        record=record,
        day=day,
        facts={"sequence": sequence, "plane": plane, **facts},
    )


def include(level: str, text: str, **more: Any) -> Criterion:
    return _criterion(level, include=text, **more)


def exclude(level: str, text: str, **more: Any) -> Criterion:
    return _criterion(level, exclude=text, **more)


def _criterion(level: str, **more: Any) -> Criterion:
    values: Mapping[str, Any] = {"id": "c", "sentence": "a sentence", "level": level, **more}
    return Criterion(**values)
