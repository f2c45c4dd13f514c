"""The form of every check, and the one loop that runs them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

ERROR, WARNING, INFO = "error", "warning", "info"
Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing a check found: a sentence without private values, and what names it from run to run.

    ``key`` tells this finding from others of the same check on the same object (a slice, a volume); it must not
    hold measured values that change in the last digit.
    """

    message: str
    key: str = ""
    values: tuple[tuple[str, float | int | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One row of a table of checks. ``run`` gets the subject and the tolerance, and yields what it found."""

    code: str
    level: str
    severity: str
    meaning: str
    run: Callable[[Subject, float], Iterable[Evidence]]
    tolerance: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says about one object. ``check`` is the code, ``Q99`` where the check itself failed to run."""

    check: str
    severity: str
    message: str
    evidence: Evidence = field(default=Evidence(""))


def run_checks(checks: Sequence[Check[Subject]], subject: Subject) -> tuple[Finding, ...]:
    """Every finding of every check, in the order of the table. A check that cannot run is a Q99, not a crash."""
    return tuple(finding for check in checks for finding in _run(check, subject))


def _run(check: Check[Subject], subject: Subject) -> Iterator[Finding]:
    try:
        found = list(check.run(subject, check.tolerance))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        message = f"{check.code} ({check.meaning}) could not be run: {type(error).__name__}"
        yield Finding("Q99", WARNING, message, Evidence(message, key=check.code))
        return
    for evidence in found:
        yield Finding(check.code, check.severity, evidence.message, evidence)


def issue_id(check: str, subject: str, key: str = "") -> str:
    """A short name of an issue that stays from run to run: check, object (a stack or series id) and evidence key.

    >>> issue_id("G04", "s1", "7") == issue_id("G04", "s1", "7") != issue_id("G04", "s1", "8")
    True
    """
    digest = hashlib.sha256("\x1f".join((check, subject, key)).encode()).hexdigest()
    return f"{check}-{digest[:10]}"
