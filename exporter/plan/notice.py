"""What the plan has to say about a subject, and the private list of all that it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..tables import tsv_bytes, write_atomic

PLAN_ISSUES_FILE = "plan-issues.tsv"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a subject that a person should know: a check's code, a severity and a sentence.

    The sentence holds nothing that names anybody.
    """

    check: str
    severity: str
    subject: str
    message: str


def write_notices(path: Path, notices: Iterable[Notice]) -> None:
    """``plan-issues.tsv``: what is known before a pixel is read; written anew with every plan."""
    write_atomic(path, tsv_bytes(("check", "severity", "subject", "message"), map(asdict, notices)))
