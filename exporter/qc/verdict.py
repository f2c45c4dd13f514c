"""What the findings on one image come to, and the file that says so beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .check import ERROR, WARNING, Finding

SCHEMA = "trialbids-qc/1"


def verdict(findings: Iterable[Finding]) -> str:
    """``fail`` if a finding is an error, ``warn`` if one is a warning, else ``pass``."""
    severities = {finding.severity for finding in findings}
    if ERROR in severities:
        return "fail"
    return "warn" if WARNING in severities else "pass"


def qc_sidecar(word: str, findings: Iterable[Finding], metrics: Mapping[str, float]) -> dict[str, object]:
    """The content of ``*_qc.json``: no private value stands in a check's message."""
    return {
        "schema": SCHEMA,
        "verdict": word,
        "checks": [{"check": f.check, "severity": f.severity, "message": f.message} for f in findings],
        "metrics": dict(metrics),
    }
