"""UIDs and their pseudonyms: one way by computing, the other by what the inventory of the work folder holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from ..deidentify.pseudonyms import Pseudonyms
from ..inventory import store

UID_COLUMNS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
UID = re.compile(r"[0-9]+(\.[0-9]+)+")
LONGEST = 64


@dataclass(frozen=True, slots=True)
class UidLink:
    """An original UID, its pseudonym, and what it is a UID of: "" where the inventory does not hold it."""

    original: str
    pseudonym: str
    keyword: str


def is_uid(name: str) -> bool:
    """Whether a word is a UID (PS3.5 9.1) rather than a label or an id.

    >>> is_uid("1.2.840.113619.2.5"), is_uid("001")
    (True, False)
    """
    return len(name) <= LONGEST and UID.fullmatch(name) is not None


def find_uid(work: Path, pseudonyms: Pseudonyms, name: str) -> UidLink:
    """What a UID stands for, in either direction.

    One that the inventory holds neither as it is nor as a pseudonym is taken for an original.
    """
    remembered = store.load(work / "inventory")
    if remembered is not None:
        held = {
            keyword: pc.unique(remembered.instances.column(keyword)).to_pylist()  # pyright: ignore[reportAttributeAccessIssue]
            for keyword in UID_COLUMNS
        }
        for keyword, values in held.items():
            if name in values:
                return UidLink(name, pseudonyms.uid(name), keyword)
        for keyword, values in held.items():
            original = next((v for v in values if v and pseudonyms.uid(v) == name), None)
            if original is not None:
                return UidLink(original, name, keyword)
    return UidLink(name, pseudonyms.uid(name), "")
