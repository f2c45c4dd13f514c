"""The forms of the public tables of quality: issues, cycles, and how far sites keep the protocol."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from trialbids.mappings.parameters import PARAMETERS

from ..qc.codes import MEANING, STEPS
from ..qc.ledger.cycles import COUNT_COLUMNS
from ..qc.ledger.row import LEVELS, SEVERITIES, STATES
from ..qc.names import PRESENT
from .layout import kind_of
from .shapes import LABEL

Cell = Callable[[str], bool]

_KEYED = r"[A-Z2-7]{10}"
_N = r"-?\d{1,6}(\.\d{1,10})?(e[+-]?\d{1,3})?"
_ONE_RANGE = rf"(any|{_N}( to {_N})?|at (least|most) {_N})"
_RANGE = rf"{_ONE_RANGE}( or {_ONE_RANGE}){{0,20}}"


def _like(pattern: str) -> Cell:
    whole = re.compile(pattern)
    return lambda cell: whole.fullmatch(cell) is not None


def _is_issue(cell: str) -> bool:
    return re.fullmatch(rf"[A-Z]\d\d-{_KEYED}", cell) is not None and cell[:3] in MEANING


def _are_steps(cell: str) -> bool:
    words = cell.split(" ")
    return len(set(words)) == len(words) and set(words) <= {*STEPS}


_COUNT = _like(r"\d{1,9}")
_ISSUES: Mapping[str, Cell] = {
    "issue_id": _is_issue,
    "check": MEANING.__contains__,
    "level": LEVELS.__contains__,
    "severity": SEVERITIES.__contains__,
    "participant_id": _like(rf"sub-{LABEL.pattern}"),
    "session_id": _like(rf"ses-{LABEL.pattern}"),
    "image": lambda cell: kind_of(cell) == "nifti" and cell.startswith("sub-"),
    "state": STATES.__contains__,
    "cycle_first": _COUNT,
    "cycle_last": _COUNT,
    "waived_by": _like(_KEYED),
}
_CYCLES: Mapping[str, Cell] = {"cycle": _COUNT, "steps": _are_steps, **dict.fromkeys(COUNT_COLUMNS, _COUNT)}
_COMPLIANCE: Mapping[str, Cell] = {
    "site": _like(LABEL.pattern),
    "slot": _like(r"[a-z0-9]+([.-][a-z0-9]+)*"),
    "parameter": lambda cell: cell in PARAMETERS or cell in (PRESENT, "bvalues"),
    "n": _COUNT,
    "n_within": _COUNT,
    "share": _like(r"[01]\.\d{3}"),
    "observed": _like(rf"{_N}( to {_N})?"),
    "wanted": _like(rf"required|optional|{_RANGE}"),
    "allowed": _like(_RANGE),
    "unit": lambda cell: cell in ("sessions", "s/mm2") or cell in {p.unit for p in PARAMETERS.values()},
}
CURATED: Mapping[str, Mapping[str, Cell]] = {
    "curation/issues.tsv": _ISSUES,
    "curation/cycles.tsv": _CYCLES,
    "curation/compliance.tsv": _COMPLIANCE,
}
"""The columns of each table and the form of their cells."""

SEARCHED = ("issue_id", "participant_id", "session_id", "image", "waived_by", "site", "slot")
"""Columns with labels: what has their form may be a name all the same."""
