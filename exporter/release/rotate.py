"""A new release line: another key, another label for everybody, and a private table from the old to the new."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..deidentify.identifiers import Identifier, Known, read_identifiers, write_identifiers
from ..deidentify.key import (
    KEY_FILE,
    LINKAGE_FILE,
    PIN_FILE,
    Given,
    given_keys,
    new_key_text,
    parse_key,
    pinned,
    read_key,
    write_private,
)
from ..deidentify.pseudonyms import Pseudonyms
from ..errors import UsageError
from ..pipeline import LEDGER_FILE
from ..places import DECIDED, PREPARED, settle, sync
from ..plan.labels import NO_ID, VISIT_WORD, SubjectLabels, keyed_session
from ..plan.ledger import Ledger
from ..tables import tsv_bytes
from .linkage import Link, linkage_bytes, read_linkage, read_unsealed

COLUMNS = ("old_subject", "old_session", "new_subject", "new_session")
LOST = "lost"
"""Stands for the old key in the name of the table where nobody knows it any more."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation came to. ``old`` and ``new`` are fingerprints, ``kept`` is the old key's file if it was ours."""

    old: str
    new: str
    table: Path
    kept: Path | None
    subjects: int
    sessions: int

    def lines(self) -> list[str]:
        """What a person needs to know of it."""
        kept = f"; the old one is kept as {self.kept.name}" if self.kept else ""
        return [
            f"new key {self.new} instead of {self.old}{kept}",
            f"{self.subjects} subjects with {self.sessions} sessions: old and new labels are in {self.table} (private)",
            "the next export makes all anew and needs a new output: write it into trial.yaml; the old tree stays",
        ]


@dataclass(frozen=True, slots=True)
class Keys:
    """The two keys of a rotation. ``text`` is the new one as its file will hold it, "" where it lies elsewhere."""

    old: Pseudonyms | None
    new: Pseudonyms
    text: str


def rotate(work: Path, file: Path | None = None, *, old_key: Path | None = None, lost: bool = False) -> Rotated:
    """Give a work folder a new key; the caller holds the folder.

    ``file`` is ``key`` of trial.yaml. A key that is given from outside the folder must have been exchanged already, and
    ``old_key`` names a file with the one before; ``lost`` says that nobody has that any more. Interrupted at any
    moment, this leaves the old state or the new one (:func:`..places.settle` does the rest). Raises ``UsageError``
    where it is not clear which key is the old one and which the new.
    """
    old_mark = pinned(work)
    keys = _keys(work, file, old_key, lost, old_mark)
    links = read_unsealed(work) if keys.old is None else read_linkage(work, keys.old)
    mark = keys.old.fingerprint if keys.old is not None else old_mark or LOST
    before, after = Ledger.read(work / LEDGER_FILE), Ledger()
    renamed = _renamed(links, before, after, keys)
    name = f"rotation-{mark}-{keys.new.fingerprint}.tsv"
    kept = work / f"{KEY_FILE}.{mark}" if keys.text and keys.old is not None else None

    folder = work / PREPARED
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    write_private(folder / name, _table(links, renamed))
    write_private(folder / LINKAGE_FILE, linkage_bytes(renamed, keys.new))
    after.write(folder / LEDGER_FILE)
    (folder / LEDGER_FILE).chmod(0o600)
    write_identifiers(folder, _relabelled(read_identifiers(work), links, renamed))
    write_private(folder / PIN_FILE, f"{keys.new.fingerprint}\n".encode())
    if keys.text:
        write_private(folder / KEY_FILE, keys.text.encode())
    if kept is not None and keys.old is not None:
        write_private(folder / kept.name, f"{keys.old.key.hex()}\n".encode())
    sync(folder)
    folder.rename(work / DECIDED)
    sync(work)
    settle(work)
    return Rotated(mark, keys.new.fingerprint, work / name, kept, len({k.subject for k in links}), len(links))


def _keys(work: Path, file: Path | None, old_key: Path | None, lost: bool, mark: str | None) -> Keys:
    if lost and old_key is not None:
        raise UsageError("--lost says that nobody has the old key, --old-key names it; give one of the two")
    given = given_keys(work, file)
    outside = [k for k in given if not k.own]
    if outside:
        if len(given) > len(outside):
            sentence = "also lies in the work folder; move that file out of it, it is the one for --old-key"
            raise UsageError(f"{work / KEY_FILE}: the key is given by {outside[0].place} and {sentence}")
        return _exchanged(outside, old_key, lost, mark)
    text = new_key_text()
    new = parse_key(text, KEY_FILE)
    old = read_key(old_key) if old_key is not None else given[0].pseudonyms if given else None
    if old is not None and mark is not None and old.fingerprint != mark:
        raise UsageError(f"{old_key or given[0].place}: is not the key that {work} was made with, which is {mark}")
    if old is None and not lost:
        sentence = "put it back from its backup, or say with --lost that nobody has it any more"
        raise UsageError(f"{work / KEY_FILE}: the old key is not there; {sentence}")
    if lost and given and given[0].pseudonyms.fingerprint == mark:
        raise UsageError(f"{given[0].place}: the key is not lost; leave --lost away")
    return Keys(old, new, text)


def _exchanged(outside: Sequence[Given], old_key: Path | None, lost: bool, mark: str | None) -> Keys:
    """The keys where the new one is given from outside the work folder, in which no key is written then."""
    new = outside[0].pseudonyms
    other = next((k for k in outside if k.pseudonyms != new), None)
    if other is not None:
        raise UsageError(f"{outside[0].place} and {other.place} hold two different keys; give the new one in both")
    if new.fingerprint == mark:
        raise UsageError(
            f"{outside[0].place}: still gives the old key; keep that in a file, put a new one in its place "
            "(openssl rand -hex 32), and run this again with --old-key FILE"
        )
    if lost:
        return Keys(None, new, "")
    if old_key is None:
        raise UsageError(f"{outside[0].place}: gives a new key; name the file of the old one with --old-key, or --lost")
    old = read_key(old_key)
    if mark is not None and old.fingerprint != mark:
        raise UsageError(f"{old_key}: is not the old key of this work folder, whose fingerprint is {mark}")
    return Keys(old, new, "")


def _renamed(links: Sequence[Link], before: Ledger, after: Ledger, keys: Keys) -> list[Link]:
    """The rows under the new key; ``after`` gains the labels that must stay as they are now.

    Labels of the trial's own table stay: there the subject's id is the label.
    """
    known, subjects = SubjectLabels(before, keys.new), SubjectLabels(after, keys.new)
    out = []
    for link in links:
        key = known.key_of(link.subject) or f"{link.namespace}\0{link.id}"
        subject = link.subject if _is_own(link) else subjects.keyed(key)
        out.append(replace(link, subject=subject, session=_session(link, key, before, after, keys.new)))
    return out


def _relabelled(known: Known, links: Sequence[Link], renamed: Sequence[Link]) -> Known:
    """The identifiers that are searched for, by the new labels."""
    labels = {old.subject: new.subject for old, new in zip(links, renamed, strict=True)}
    subjects: dict[str, frozenset[Identifier]] = defaultdict(frozenset)
    for subject, found in known.subjects.items():
        subjects[labels.get(subject, subject)] |= found
    return Known(subjects)


def _is_own(link: Link) -> bool:
    return link.namespace != NO_ID and link.subject == link.id


def _session(link: Link, subject_key: str, before: Ledger, after: Ledger, new: Pseudonyms) -> str:
    """A number or a word for a visit stays; a keyed label is made anew."""
    given = before.given("session", subject_key)
    visit = next((key for key, label in given.items() if label == link.session), link.visit)
    if not VISIT_WORD.fullmatch(link.session):
        return keyed_session(visit, new)
    after.give("session", subject_key, visit, link.session)
    return link.session


def _table(links: Sequence[Link], renamed: Sequence[Link]) -> bytes:
    """From every old label to the new one."""
    cells = (zip(COLUMNS, (*old.key, *new.key), strict=True) for old, new in zip(links, renamed, strict=True))
    return tsv_bytes(COLUMNS, map(dict, cells))
