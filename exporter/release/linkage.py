"""``linkage.tsv``: who each label is, sealed row by row under the key. It never leaves the work folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from ..deidentify.key import LINKAGE_FILE, pin, pinned
from ..deidentify.pseudonyms import Pseudonyms
from ..errors import UsageError
from ..plan.visits import Visits
from ..tables import plain, read_tsv, tsv_bytes, write_private

SEAL_DIGITS = 16
AND = "\\"
"""Between several PatientIDs of one session: what DICOM itself puts there, so that no id holds it (PS3.5 6.2)."""


@dataclass(frozen=True, slots=True)
class Link:
    """One session: its labels, and whom and when they stand for.

    ``namespace`` and ``id`` are what the subject's label was made from, ``visit`` what the session's was;
    ``patient_ids`` is every PatientID of its images.
    """

    subject: str
    session: str
    namespace: str
    id: str
    visit: str
    date: str
    patient_ids: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The labels."""
        return self.subject, self.session

    def seal(self, pseudonyms: Pseudonyms) -> str:
        """Says that this row was written under this key, as it stands."""
        cells = "\0".join(f"{len(cell)}:{cell}" for cell in astuple(self))
        return pseudonyms.digest("linkage", "", cells).hex()[:SEAL_DIGITS]


CELLS = tuple(f.name for f in fields(Link))
COLUMNS = (*CELLS, "seal")


def links_of(visits: Visits) -> list[Link]:
    """The rows of these visits."""
    found = []
    for v in visits.all:
        namespace, _, identity = v.subject_key.partition("\0")
        ids = AND.join(visits.patient_ids.get((v.subject, v.session), ()))
        cells = (v.subject, v.session, namespace, identity, v.session_key, v.date, ids)
        found.append(Link(*map(as_written, cells)))
    return found


def as_written(cell: str) -> str:
    """A cell as it comes back from the table: the seal is of this."""
    return plain(cell.encode("utf-8", "backslashreplace").decode("utf-8"))


def read_linkage(work: Path, pseudonyms: Pseudonyms) -> tuple[Link, ...]:
    """The linkage of a work folder, none where there is no table yet.

    Raises ``UsageError`` where it was written under another key, or a row is not as it was written.
    """
    path = work / LINKAGE_FILE
    rows = _rows(path)
    links = tuple(_link(row) for row in rows)
    broken = [
        n for n, (row, link) in enumerate(zip(rows, links, strict=True), 2) if row["seal"] != link.seal(pseudonyms)
    ]
    if broken and len(broken) == len(rows) and len(rows) > 1:
        raise UsageError(f"{path}: was written under another key; put back the table and the key that belong together")
    if broken:
        raise UsageError(
            f"{path}: line {broken[0]}: was changed, or was written under another key; put back a copy of the table"
        )
    return links


def read_unsealed(work: Path) -> tuple[Link, ...]:
    """The linkage where the key is lost and no seal can be checked. Raises ``UsageError`` where it is no such table."""
    return tuple(_link(row) for row in _rows(work / LINKAGE_FILE))


def _link(row: Mapping[str, str]) -> Link:
    return Link(*(row[name] for name in CELLS))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        rows = read_tsv(path)
    except (UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path}: the linkage table is damaged; put back a copy of it") from error
    if rows and tuple(rows[0]) != COLUMNS:
        raise UsageError(
            f"{path}: is not the linkage table of this version; move it out of the work folder, the next run writes it"
        )
    return rows


def write_linkage(work: Path, visits: Visits, pseudonyms: Pseudonyms) -> None:
    """Bring the linkage up to date: what these visits say, and what earlier runs said of sessions they do not hold.

    Raises ``UsageError`` as :func:`read_linkage` does.
    """
    links = {link.key: link for link in read_linkage(work, pseudonyms)}
    links |= {link.key: link for link in links_of(visits)}
    write_private(work / LINKAGE_FILE, linkage_bytes(links.values(), pseudonyms))
    if pinned(work) is None:
        pin(work, pseudonyms)


def linkage_bytes(links: Iterable[Link], pseudonyms: Pseudonyms) -> bytes:
    """The table as it is written."""
    rows = [
        {**dict(zip(CELLS, astuple(link), strict=True)), "seal": link.seal(pseudonyms)}
        for link in sorted(links, key=lambda link: link.key)
    ]
    return tsv_bytes(COLUMNS, rows)


LABELS = re.compile(r"(?:.*/)?sub-(?P<subject>[0-9A-Za-z]+)(?:[_/]ses-(?P<session>[0-9A-Za-z]+))?(?:[_/.].*)?")
"""A subject, a session of it, or the path or name of any file of theirs."""


def find_links(links: Sequence[Link], name: str) -> tuple[Link, ...]:
    """Every row that a person can mean by a label, with or without its prefix, a file of the tree, or an id.

    An id is looked for as it is written; where there is none such, whatever its letters' case.
    """
    wanted = " ".join(name.split())
    found = LABELS.fullmatch(wanted)
    if found:
        subject, session = found["subject"].casefold(), (found["session"] or "").casefold()
        rows = [k for k in links if k.subject.casefold() == subject and session in ("", k.session.casefold())]
        if rows:
            return tuple(rows)
    if wanted.startswith("ses-"):
        rows = [k for k in links if k.session.casefold() == wanted[4:].casefold()]
        if rows:
            return tuple(rows)
    for fold in (str, str.casefold):
        rows = [
            k for k in links if fold(wanted) in {fold(word) for word in (k.subject, k.id, *k.patient_ids.split(AND))}
        ]
        if rows:
            return tuple(rows)
    return ()
