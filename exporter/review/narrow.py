"""The widest condition that tells some stacks from others: their description, narrowed by more of the header."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trialbids.mappings.conditions import FACT_NAMES, Place, read_condition
from trialbids.mappings.facts import Facts

from ..harmonise.panel import Sheet

NARROWING = (
    "vendor", "plane", "body_part", "acquisition_type", "text", "sequence_name", "before_injection", "after_injection",
    "te", "tr", "ti", "flip", "n_slices", "n_volumes", "thickness",
)  # fmt: skip
"""What may join the description in a condition, in this order, where the description alone holds for too much."""


def telling_condition(
    description: str, members: Sequence[Facts], against: Sequence[Facts]
) -> tuple[dict[str, Any], int]:
    """A condition that holds for all members, and for how many of the others it still holds.

    A stack without a description is told by everything else that its header says.
    """
    when: dict[str, Any] = {"description": description}
    wrong = _matching(when, against)
    for field in NARROWING:
        if field not in FACT_NAMES or (not wrong and description):
            continue
        test = _test([getattr(m, field) for m in members])
        if test is None:
            continue
        fewer = _matching({field: test}, wrong)
        if len(fewer) < len(wrong) or not description:
            when[field], wrong = test, fewer
    return when, len(wrong)


def _test(values: Sequence[Any]) -> Any:
    """A test that all these values of a field pass; None where there is none."""
    numbers = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
    if all(isinstance(v, bool) for v in numbers):
        return numbers[0] if len(set(numbers)) == 1 else None
    if all(isinstance(v, int | float) for v in numbers):
        return {"min": min(numbers), "max": max(numbers)} if numbers and all(v != () for v in values) else None
    if all(isinstance(v, str) for v in values):
        words = sorted(set(values))
        return words[0] if len(words) == 1 else words
    return None


def _matching(when: Mapping[str, Any], facts: Sequence[Facts]) -> list[Facts]:
    holds = read_condition(dict(when), Place("learned", 0))
    return [f for f in facts if holds(Sheet(f))]
