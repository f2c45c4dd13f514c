"""``waivers.tsv``: what people have waived, as a history that only grows. Private: a reason is free text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

from ...errors import UsageError
from ...tables import CONTROL, tsv_bytes, write_private
from .row import ISSUE_ID
from .table import Line, header_of, is_day, read_strictly

WAIVERS_FILE = "waivers.tsv"
GIVEN, REVOKED = "waived", "revoked"
CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,15}")
DIGEST = re.compile(r"[0-9a-f]{12}")
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
    for line, waiver in _lines(work):
        before = newest.get(waiver.issue_id)
        if before is not None and waiver.made < before.made:
            raise line.wrong("made", f"{before.made} or later, as an earlier line says of {waiver.issue_id}")
        if before is None and waiver.state == REVOKED:
            raise line.wrong("state", f"{GIVEN}, as no earlier line waives {waiver.issue_id}")
        newest[waiver.issue_id] = waiver
    return newest


def _lines(work: Path) -> Iterator[tuple[Line, Waiver]]:
    """Every line with what it says. Raises ``UsageError`` where a cell is not what it must be."""
    for line in read_strictly(work / WAIVERS_FILE, COLUMNS):
        identifier = line.like("issue_id", ISSUE_ID, "a code and ten digits such as G04-0123456789")
        if not identifier.startswith(f"{line.cells['check']}-"):
            raise line.wrong("check", f"that of the issue, {identifier[:3]}")
        state = line.word("state", (GIVEN, REVOKED))
        made, until = line.day("made"), line.day("until", is_needed=False)
        if state == GIVEN and until and until < made:
            raise line.wrong("until", f"{made}, the day on which it was made, or later")
        line.like("by", CODE, "a code of letters, digits, - and _, such as initials, 16 at most")
        line.like("digest", DIGEST, "twelve hexadecimal digits, as trialbids qc waive writes them")
        if state == GIVEN and not line.cells["reason"].strip():
            raise line.wrong("reason", "a sentence that says why this need not be repaired")
        yield line, Waiver(**{name: line.cells[name] for name in COLUMNS})


def strange_waivers(work: Path, known: Collection[str]) -> tuple[str, ...]:
    """A sentence for every line that waives what is no issue, or what an earlier line waives for another reason.

    Neither stops a run: such a line does nothing, or takes the place of the earlier one.
    """
    path, found = work / WAIVERS_FILE, list[str]()
    standing: dict[str, tuple[int, Waiver]] = {}
    for line, waiver in _lines(work):
        where, name = f"{path}: line {line.number}", waiver.issue_id
        if name not in known:
            found.append(f"{where}: {name} is no issue of issues.tsv, so this line does nothing")
            continue
        if waiver.state == REVOKED:
            standing.pop(name, None)
            continue
        number, before = standing.get(name, (0, waiver))
        if before.reason != waiver.reason:
            found.append(f"{where}: {name} is waived in line {number} for another reason; this line holds")
        standing[name] = (line.number, waiver)
    return tuple(found)


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
