"""The form of every check, what it finds, and the one loop that runs them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Generic, Protocol, TypeVar

ERROR, WARNING, INFO = "error", "warning", "info"
FAILED_TO_RUN = "Q99"
Subject = TypeVar("Subject")
Result = TypeVar("Result")
Place = tuple[str, str, int]
"""File, member of an archive ("" for a plain file) and frame (0 for a single-frame object)."""

WILD = "an impossible number"
_WILD = re.compile(r"-?\b(\d{7,}(\.\d+)?|nan|inf)\b")
"""Numbers of more digits than an image has anything of: a header may hold anything, an identifier too."""

NO_TOLERANCES: Mapping[str, float] = MappingProxyType({})


class Named(Protocol):
    """An object with its UID: an instance of the inventory."""

    @property
    def SOPInstanceUID(self) -> str:
        """The object's own name, wherever it lies."""
        ...

    @property
    def key(self) -> Place:
        """Where it lies."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that a check found: a sentence without private values, and what names it from run to run.

    ``key`` tells this finding from others of the same check on the same object (a slice, a volume); it must not
    hold measured values that change in the last digit. ``values`` are what was measured, for a table.
    ``instances`` are the objects concerned where these are not all; they are private.
    ``stacks`` are the ids of the stacks concerned where these are not all of the object's.
    ``about`` is a hash (:func:`about`) of what of the object is concerned where the message only counts it: slices,
    volumes, values. The objects in ``instances`` are added to it by :func:`bound`.
    """

    message: str
    key: str = ""
    values: tuple[tuple[str, float | int | str], ...] = ()
    instances: tuple[Place, ...] = ()
    stacks: tuple[str, ...] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """One row of a table of checks. ``run`` gets the subject and the tolerance, and yields what it found.

    ``level`` is what is blocked where the severity is an error: instance, series, stack, acquisition, session,
    subject or release. ``source`` names where the rule and its figure come from.
    """

    code: str
    level: str
    severity: str
    meaning: str
    run: Callable[[Subject, float], Iterable[Evidence]]
    tolerance: float = 0.0
    unit: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says about one object. ``check`` is the code, ``Q99`` where the check itself failed to run.

    ``subject`` is the private id of the object at this ``level`` (a ``stack_id``, a SeriesInstanceUID, …), ``stacks``
    the ids of all stacks that it concerns.
    """

    check: str
    severity: str
    message: str
    evidence: Evidence = field(default=Evidence(""))
    level: str = "stack"
    subject: str = ""
    stacks: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name of the issue, the same from run to run."""
        return issue_id(self.check, self.subject, self.evidence.key)

    @property
    def digest(self) -> str:
        """Changes with what was found and what it was found on: what a person waived is not what is found now."""
        values = sorted((name, f"{v:.3g}" if isinstance(v, float) else str(v)) for name, v in self.evidence.values)
        what = (self.severity, self.message, values)
        of = self.evidence.about or _by_name(self.evidence.instances)
        return hashlib.sha256(repr((*what, of) if of else what).encode()).hexdigest()[:12]


def run_checks(
    checks: Sequence[Check[Subject]],
    subject: Subject,
    name: str = "",
    stacks: tuple[str, ...] = (),
    tolerances: Mapping[str, float] = NO_TOLERANCES,
) -> tuple[Finding, ...]:
    """Every finding of every check on one object, in the order of the table. A check that cannot run is a Q99.

    Of a code with several severities the graver row stands first: what it said is not said again by a slighter one, and
    what it lets pass (a trial may raise its tolerance) is the slighter one's.
    ``name`` is the object's id and ``stacks`` are those that it concerns. ``tolerances`` hold what the trial or the
    site wants instead of the table's, by :func:`tolerance_key`.
    """
    keys = tolerance_keys(checks) if tolerances else {}
    found: list[Finding] = []
    for position, check in enumerate(checks):
        tolerance = tolerances.get(keys[position], check.tolerance) if tolerances else check.tolerance
        more = _run(check, subject, tolerance, name, stacks)
        found.extend([f for f in more if not _is_said(f, found)] if found else more)
    return tuple(found)


def _is_said(finding: Finding, before: Iterable[Finding]) -> bool:
    """Whether the same is among the findings before, at another severity."""
    same = (f for f in before if (f.check, f.evidence.key) == (finding.check, finding.evidence.key))
    return any(f.severity != finding.severity for f in same)


def tolerance_keys(checks: Sequence[Check[Subject]]) -> dict[int, str]:
    """What a trial calls the tolerance of each row: its code, with the severity where a table has several of a code."""
    codes = [check.code for check in checks]
    return {n: c.code if codes.count(c.code) == 1 else f"{c.code}:{c.severity}" for n, c in enumerate(checks)}


def _run(
    check: Check[Subject], subject: Subject, tolerance: float, name: str, stacks: tuple[str, ...]
) -> Iterator[Finding]:
    try:
        found = list(check.run(subject, tolerance))
    except Exception as error:  # noqa: BLE001 - no check ever stops a run: one that fails is itself an issue
        message = f"{check.code} ({check.meaning}) could not be run: {type(error).__name__}"
        yield Finding(FAILED_TO_RUN, WARNING, message, Evidence(message, key=check.code), check.level, name, stacks)
        return
    for evidence in found:
        concerned = evidence.stacks or stacks
        message = _WILD.sub(WILD, evidence.message)
        yield Finding(check.code, check.severity, message, evidence, check.level, name, concerned)


def measured(
    measure: Callable[[], Result], otherwise: Result, what: str, stack_id: str
) -> tuple[Result, tuple[Finding, ...]]:
    """What is measured of a stack, or ``otherwise`` and a Q99 where that fails: an image leaves without figures too.

    ``what`` is a closed word, in the plural.
    """
    try:
        return measure(), ()
    except Exception as error:  # noqa: BLE001 - as for checks: what cannot be measured is an issue, and stops nothing
        message = f"{what} could not be measured: {type(error).__name__}"
        finding = Finding(FAILED_TO_RUN, WARNING, message, Evidence(message, what), "stack", stack_id, (stack_id,))
        return otherwise, (finding,)


def about(parts: Iterable[object]) -> str:
    """A hash of what a finding is about, in whatever order it is named; "" where nothing is.

    >>> about([(0, 3), (0, 5)]) == about([(0, 5), (0, 3)]) != about([(0, 3), (0, 9)])
    True
    """
    named = sorted(map(repr, parts))
    return hashlib.sha256("\x1f".join(named).encode()).hexdigest()[:12] if named else ""


def bound(findings: Iterable[Finding], objects: Iterable[Named]) -> Iterator[Finding]:
    """The findings, those on single objects bound to these by their UIDs, which no moved folder changes.

    An object that is not among ``objects`` is known by the name of its file.
    """
    uids: dict[Place, str] = {}
    for finding in findings:
        evidence = finding.evidence
        if not evidence.instances:
            yield finding
            continue
        uids = uids or {o.key: o.SOPInstanceUID for o in objects}
        of = [(uids.get(place) or _file_name(place), place[2]) for place in evidence.instances]
        yield replace(finding, evidence=replace(evidence, about=about([*of, evidence.about])))


def _by_name(places: Iterable[Place]) -> str:
    """What is known of objects that nobody has bound: the names of their files."""
    return about((_file_name(place), place[2]) for place in places)


def _file_name(place: Place) -> str:
    return f"{PurePosixPath(place[0]).name}/{place[1]}"


def issue_id(check: str, subject: str, key: str = "") -> str:
    """A short name of an issue that stays from run to run: check, object (a stack or series id) and evidence key.

    >>> issue_id("G04", "s1", "7") == issue_id("G04", "s1", "7") != issue_id("G04", "s1", "8")
    True
    """
    digest = hashlib.sha256("\x1f".join((check, subject, key)).encode()).hexdigest()
    return f"{check}-{digest[:10]}"
