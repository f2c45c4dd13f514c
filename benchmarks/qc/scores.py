"""From findings to figures: sensitivity by check, false alarms on clean data, and exact intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .cases import Case, Written
from .fault import STRENGTHS
from .grounds import Stack, objects_seen, trials_of
from .program import Finding, Judged

RANK = {"info": 0, "warning": 1, "error": 2}
FLOORS = {"error": 0.95, "warning": 0.85}
CEILINGS = {"error": 0.01, "warning": 0.05}


@dataclass(frozen=True)
class Share:
    """So many of so many, with the exact (Clopper-Pearson) 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing is 0."""
        return self.hits / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        """The lower end of the interval (Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404)."""
        from scipy.stats import beta

        return float(beta.ppf(0.025, self.hits, self.n - self.hits + 1)) if self.hits else 0.0

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        from scipy.stats import beta

        return float(beta.ppf(0.975, self.hits + 1, self.n - self.hits)) if self.hits < self.n else 1.0

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.1f}–{100 * self.high:.1f})" if self.n else "–"


@dataclass(frozen=True)
class Outcome:
    """One faulty case: whether the check found it, and what the two baselines and the other checks said."""

    case: Case
    found: bool
    codes: tuple[str, ...]
    gap: bool
    dcm2niix: bool | None


@dataclass(frozen=True)
class Row:
    """The figures of one check and severity."""

    check: str
    severity: str
    sensitivity: Share
    by_strength: Mapping[str, Share]
    by_vendor: Mapping[str, Share]
    false_alarms: Share
    gap: Share
    dcm2niix: Share

    @property
    def good(self) -> bool:
        """Whether it is as sensitive as it has to be (where faults were injected), and quiet enough on clean data."""
        sensitive = not self.sensitivity.n or self.sensitivity.value >= FLOORS[self.severity]
        return sensitive and self.false_alarms.value <= CEILINGS[self.severity]


def outcomes(written: Iterable[Written], judged: Judged, converted: Mapping[str, bool]) -> list[Outcome]:
    """Each faulty case with what was said of it."""
    said = findings_by_case(judged.findings)
    result: list[Outcome] = []
    for w in written:
        if (fault := w.case.what) is not None:
            own = said.get(w.case.id, ())
            found = any(f.check == fault.check and RANK[f.severity] >= RANK[fault.severity] for f in own)
            found = found or w.case.id in judged.mended
            codes = tuple(sorted({f"{f.check}:{f.severity[0].upper()}" for f in own}))
            result.append(Outcome(w.case, found, codes, w.gap, converted.get(w.case.id)))
    return result


def findings_by_case(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """The findings of each case."""
    said: dict[str, list[Finding]] = {}
    for finding in findings:
        said.setdefault(finding.case, []).append(finding)
    return said


@dataclass(frozen=True)
class Alarms:
    """What was said of the clean sessions of one trial: by check and severity the number of objects, and the stacks
    that were there."""

    trial: str
    raised: Mapping[tuple[str, str], int]
    stacks: tuple[Stack, ...]


def alarms(trial: str, written: Iterable[Written], judged: Judged) -> Alarms:
    """The false alarms of one trial. An alarm that names no stack counts for its series, or else for its session."""
    clean = {w.case.id for w in written if w.case.what is None}
    objects: dict[tuple[str, str], set[str]] = {}
    for f in judged.findings:
        if f.case in clean:
            objects.setdefault((f.check, f.severity), set()).add(f.stack or f.series or f.case)
    raised = {code: len(named) for code, named in objects.items()}
    return Alarms(trial, raised, tuple(stack for case in sorted(clean) for stack in judged.stacks.get(case, ())))


def false_alarms(check: str, severity: str, told: Sequence[Alarms]) -> Share:
    """On how many objects of the clean data a check was raised, of those that it has looked at.

    An alarm where the check was thought to see nothing counts too: that object is one of those it has looked at.
    """
    where = trials_of(check, [alarms.trial for alarms in told])
    hits = n = 0
    for alarms in told:
        raised = alarms.raised.get((check, severity), 0)
        hits += raised
        n += max(raised, objects_seen(check, alarms.stacks) if alarms.trial in where else 0)
    return Share(hits, n)


def rows(done: Sequence[Outcome], told: Sequence[Alarms]) -> list[Row]:
    """One row a check and severity, of all that was injected or raised on clean data."""
    codes = {(o.case.what.check, o.case.what.severity) for o in done if o.case.what}
    codes |= {code for alarms in told for code in alarms.raised if code[1] != "info"}
    return [_row(check, severity, done, told) for check, severity in sorted(codes)]


def _row(check: str, severity: str, done: Sequence[Outcome], told: Sequence[Alarms]) -> Row:
    own = [o for o in done if o.case.what and (o.case.what.check, o.case.what.severity) == (check, severity)]
    compared = [o for o in own if o.dcm2niix is not None]
    return Row(
        check,
        severity,
        _share(own),
        {s: _share([o for o in own if o.case.strength == s]) for s in STRENGTHS},
        {v: _share([o for o in own if o.case.vendor == v]) for v in sorted({o.case.vendor for o in own})},
        false_alarms(check, severity, told),
        Share(sum(o.gap for o in own), len(own)),
        Share(sum(bool(o.dcm2niix) for o in compared), len(compared)),
    )


def _share(own: Sequence[Outcome]) -> Share:
    return Share(sum(o.found for o in own), len(own))
