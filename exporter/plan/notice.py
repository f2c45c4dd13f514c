"""What the plan has to say about a subject."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a subject that a person should know: a check's code, a severity and a sentence.

    The sentence holds nothing that names anybody.
    """

    check: str
    severity: str
    subject: str
    message: str
