"""What an export was made of, in words that a later reader can check."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..splits.splits import Split
    from .parts import Parts


def provenance(cohort: Cohort, splits: Sequence[Split] | None, parts: Parts) -> dict[str, Any]:
    """The version, the cohort's fingerprint and classes, the folds by name and how they were made, with the seed."""
    told: dict[str, Any] = {"trialbids": version("trialbids"), "cohort": cohort.fingerprint}
    if cohort.classes:
        told["classes"] = {name: list(values) for name, values in cohort.classes.items()}
    if splits is not None:
        design = getattr(splits, "design", None)
        told["splits"] = {"folds": list(parts.names), "design": design.to_json() if design else None}
    return told
