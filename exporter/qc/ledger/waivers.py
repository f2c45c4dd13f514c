"""``waivers.tsv``: what people have waived, as a history that only grows. Private: a reason is free text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from ...errors import UsageError
from ...tables import CONTROL, tsv_bytes, write_private
from .row import ISSUE_ID
from .table import header_of, is_day, read_strictly

WAIVERS_FILE = "waivers.tsv"
GIVEN, REVOKED = "waived", "revoked"
CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,15}")
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Waiver:
    """One line: ``by`` whom (a code, such as initials) an issue was waived, why, and ``until`` which day (or "").

    ``digest`` stands for what was found when it was waived; ``state`` is ``waived``, or ``revoked`` where the line
    takes an earlier one back.
    """

    issue_id: str
    check: str
    by: str
    reason: str
    until: str
    made: str
    digest: str
    state: str = GIVEN

    def refusal(self, digest: str, today: date) -> str:
        """Why it does not cover what is found now; "" where it does."""
        if self.state == REVOKED:
            return "its waiver was revoked"
        if self.until and today > date.fromisoformat(self.until):
            return f"its waiver ended on {self.until}"
        return "" if self.digest == digest else "what is found now is not what was waived"


COLUMNS = tuple(field.name for field in fields(Waiver))


def read_waivers(work: Path) -> dict[str, Waiver]:
    """The last word on every issue that was ever waived, by its id.

    Raises ``UsageError`` with the line that is damaged: a waiver is never dropped in silence.
    """
    newest: dict[str, Waiver] = {}
    for line in read_strictly(work / WAIVERS_FILE, COLUMNS):
        if not ISSUE_ID.fullmatch(line.cells["issue_id"]):
            raise line.wrong("issue_id", "a code and ten digits such as G04-0123456789")
        line.word("state", (GIVEN, REVOKED))
        line.day("made")
        line.day("until", is_needed=False)
        waiver = Waiver(**{name: line.cells[name] for name in COLUMNS})
        newest[waiver.issue_id] = waiver
    return newest


def add_waivers(work: Path, waivers: Iterable[Waiver]) -> None:
    """Add lines to the history; what stands there already stays byte for byte."""
    path = work / WAIVERS_FILE
    columns = header_of(path) or COLUMNS
    before = path.read_bytes() if path.exists() else ("\t".join(columns) + "\n").encode()
    if not before.endswith(b"\n"):
        before += b"\n"
    _, _, lines = tsv_bytes(columns, map(asdict, waivers)).partition(b"\n")
    write_private(path, before + lines)


def waived_ids(work: Path, today: date) -> dict[str, str]:
    """By the id of every issue that is waived today the digest of what was found then.

    A finding that has another digest is not waived. Raises ``UsageError`` where ``waivers.tsv`` is damaged.
    """
    newest = read_waivers(work)
    return {name: waiver.digest for name, waiver in newest.items() if not waiver.refusal(waiver.digest, today)}


def check_words(ids: Sequence[str], by: str, reason: str | None, until: str | None, today: date) -> None:
    """Refuse a waiver that says too little. Raises ``UsageError`` with what was expected."""
    for name in ids:
        if ids.count(name) > 1:
            raise UsageError(f"{name}: is given twice; give every issue once")
    if not CODE.fullmatch(by):
        expected = "expected a code of letters, digits, - and _, such as initials, 16 at most"
        raise UsageError(f"--by {by!r}: is no code of a person; {expected}")
    if reason is not None:
        if not reason.strip():
            raise UsageError("--reason: is empty; say in one line why this need not be repaired")
        if CONTROL.search(reason) or len(reason) > LONGEST_REASON:
            raise UsageError(f"--reason: expected one line of {LONGEST_REASON} characters at most")
    if until is not None:
        if not is_day(until):
            raise UsageError(f"--until {until}: expected a day such as 2026-01-31")
        if date.fromisoformat(until) < today:
            raise UsageError(f"--until {until}: this day is past; give today or a later day, or leave it out")
