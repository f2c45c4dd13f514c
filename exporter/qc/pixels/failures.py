"""The code of the check that a stack fails where it could not be converted."""

from __future__ import annotations

from collections.abc import Mapping

from ..check import FAILED_TO_RUN

UNDECODED = "F03"
CODES: Mapping[str, str] = {
    "no-geometry": "G01",
    "unreadable": "F01",
    "undecodable": UNDECODED,
    "incomplete": "G04",
    "too-large": FAILED_TO_RUN,
    "source-lost": "F01",
    "truncated": "F02",
    "corrupt": UNDECODED,
    "unused-bits": "P02",
    "no-pixels": "F02",
    "no-gradients": "B01",
    "deface-failed": FAILED_TO_RUN,
}
"""By the reason of a ``ConversionError``, the check that the stack fails."""

HELD: Mapping[str, str] = {
    "bids-metadata-missing": "F05",
    "text-in-pixels": "P08",
    "face-in-view": "",
    "face-not-excluded": "",
}
"""The same for what is held back by choice, which is no fault of the image."""


def is_fault(reason: str) -> bool:
    """Whether a stack failed a check that could not be converted for this reason."""
    return reason not in HELD


def code_of(reason: str) -> str:
    """The check that a conversion failed; ``F03`` for a reason that is not known here, "" for a face in view.

    >>> code_of("no-geometry"), code_of("undecodable"), code_of("codec-on-fire"), code_of("face-in-view")
    ('G01', 'F03', 'F03', '')
    """
    return CODES.get(reason, HELD.get(reason, UNDECODED))
