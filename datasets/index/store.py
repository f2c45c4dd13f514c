"""The index as a file: a SQLite database that is read whole and replaced whole, so that no reader ever waits or locks.

It lies beside the tree, never inside it; where that folder cannot be written, or the tree lies behind an address, in
the folder of local copies. It holds tables and JSON only, so that reading the index of somebody else runs no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trialbids.mappings.vocabulary import vocabulary

from ..files.places import Place, cache_folder, replacing
from .found import Entry

FORMAT = 1
"""Raised with every change of what is read or how it is kept; an index of another format is made anew."""
_OURS = 0x74627831  # "tbx1"
_MAGIC = b"SQLite format 3\0"
_TABLES = """
    PRAGMA application_id = {ours};
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE participants (
        scope TEXT NOT NULL, subject TEXT NOT NULL, mark BLOB NOT NULL, sessions TEXT NOT NULL, visits TEXT NOT NULL,
        problems TEXT NOT NULL, images INTEGER NOT NULL, packed BLOB NOT NULL, PRIMARY KEY (scope, subject)
    );
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What an index keeps: an entry a participant and scope, and what all of them depend on, by name."""

    entries: tuple[Entry, ...]
    common: dict[str, str]


class Store:
    """One index, at the first of ``places`` that can be written."""

    def __init__(self, places: Iterable[Path]) -> None:
        self.places = tuple(places)

    @classmethod
    def of(cls, place: Place, index: str | Path) -> Store:
        """The store of a tree: ``auto``, or the path of a file."""
        return cls(_places(place) if index == "auto" else [Path(index).absolute()])

    def load(self) -> Stored | None:
        """The newest index that can be read, and is whole, ours and of this format; None where there is none."""
        dated: list[tuple[int, Path]] = []
        for path in self.places:
            with contextlib.suppress(OSError):
                dated.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(dated, reverse=True):
            with contextlib.suppress(OSError, ValueError, TypeError, sqlite3.Error):
                content = path.read_bytes()
                if content.startswith(_MAGIC):
                    return _parse(content)
        return None

    def save(self, stored: Stored) -> Path | None:
        """Write an index; None where no place can be written (a full disk, a folder without the right to)."""
        content = _compose(stored)
        for path in self.places:
            with contextlib.suppress(OSError), replacing(path) as part:
                part.write_bytes(content)
                return path
        return None


def _places(place: Place) -> list[Path]:
    """Beside the tree, if that is not inside another dataset; then the folder of local copies."""
    key = hashlib.sha256(str(place).encode()).hexdigest()[:16]
    distant = cache_folder() / "indexes" / f"{place.name or 'root'}-{key}.sqlite"
    if not isinstance(place, Path) or any((above / "dataset_description.json").exists() for above in place.parents):
        return [distant]
    return [place.with_name(f".{place.name}.trialbids-index.sqlite"), distant] if place.name else [distant]


@cache
def _version() -> str:
    """What an index was made by: its format, and the vocabulary of the records in it."""
    words = repr([(name, attribute.kind, attribute.values) for name, attribute in vocabulary().items()])
    return f"{FORMAT} {hashlib.sha256(words.encode()).hexdigest()[:16]}"


def _compose(stored: Stored) -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.executescript(_TABLES.format(ours=_OURS))
        base.executemany("INSERT INTO facts VALUES (?, ?)", [("version", _version()), *stored.common.items()])
        base.executemany(
            "INSERT INTO participants VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (e.scope, e.subject, e.mark, _text(e.sessions), _text(e.visits), _text(e.problems), e.images, e.packed)
                for e in stored.entries
            ),
        )
        base.commit()
        return base.serialize()


def _parse(content: bytes) -> Stored | None:
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.deserialize(content)
        if base.execute("PRAGMA application_id").fetchone() != (_OURS,):
            return None
        common = dict(base.execute("SELECT name, value FROM facts"))
        if common.pop("version", "") != _version():
            return None
        rows = base.execute("SELECT * FROM participants ORDER BY scope, subject")
        return Stored(tuple(_entry(*row) for row in rows), common)


def _entry(
    scope: str, subject: str, mark: bytes, sessions: str, visits: str, problems: str, images: int, packed: bytes
) -> Entry:
    return Entry(
        scope=scope,
        subject=subject,
        mark=bytes(mark),
        sessions=tuple(str(session) for session in json.loads(sessions)),
        visits=tuple(dict(visit) for visit in json.loads(visits)) if visits != "[]" else (),
        problems=tuple((str(path), str(reason)) for path, reason in json.loads(problems)) if problems != "[]" else (),
        images=int(images),
        packed=bytes(packed),
    )


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
