"""What the findings on one image come to, and the file that says so beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from .check import ERROR, INFO, WARNING, Finding

SCHEMA = "trialbids-qc/2"
PASS, WARN, WAIVED, FAIL = "pass", "warn", "waived", "fail"
ABSURD = 1e9
"""No millimetre, second or count of an image is as great; a header may say anything, somebody's number too."""

NOT_JUDGED = ""
"""The verdict of what is held back before it could be judged."""

Waived = Mapping[str, str]
"""By the id of an issue that a person has waived, the digest of what was found then."""

NOTHING_WAIVED: Waived = MappingProxyType({})


def is_waived(finding: Finding, waived: Waived) -> bool:
    """Whether a person has waived just this: another digest is another finding."""
    return waived.get(finding.id) == finding.digest


def verdict(findings: Iterable[Finding], waived: Waived = NOTHING_WAIVED) -> str:
    """``fail`` if a finding is an error, ``warn`` if one is a warning, ``waived`` if all that are either were waived by
    a person, else ``pass``."""
    grave = [f for f in findings if f.severity != INFO]
    severities = {f.severity for f in grave if not is_waived(f, waived)}
    if ERROR in severities:
        return FAIL
    if WARNING in severities:
        return WARN
    return WAIVED if grave else PASS


def first_error(findings: Iterable[Finding], waived: Waived = NOTHING_WAIVED) -> Finding:
    """The error that decides. Raises ``StopIteration`` where the verdict is not ``fail``."""
    return next(f for f in findings if f.severity == ERROR and not is_waived(f, waived))


def blocking(findings: Iterable[Finding], waived: Waived = NOTHING_WAIVED) -> dict[str, Finding]:
    """By ``stack_id`` the first error that blocks a stack."""
    found: dict[str, Finding] = {}
    for f in findings:
        if f.severity == ERROR and not is_waived(f, waived):
            for stack_id in f.stacks:
                found.setdefault(stack_id, f)
    return found


def qc_sidecar(
    word: str, findings: Iterable[Finding], metrics: Mapping[str, float], waived: Waived = NOTHING_WAIVED
) -> dict[str, object]:
    """The content of ``*_qc.json``: no private value stands in a check's message."""
    return {
        "schema": SCHEMA,
        "verdict": word,
        "checks": [
            {
                "check": f.check,
                "severity": f.severity,
                "state": "waived" if is_waived(f, waived) else "open",
                "level": f.level,
                "message": f.message,
                "values": {n: _shown(v) for n, v in f.evidence.values if not isinstance(v, str) and abs(v) < ABSURD},
            }
            for f in findings
        ],
        "metrics": dict(metrics),
    }


def _shown(value: float) -> float:
    """A number with six digits."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
