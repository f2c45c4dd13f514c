"""The index as a file: a SQLite database that is read whole and replaced whole, so that no reader ever waits or locks.

It lies beside the tree, never inside it; where that folder cannot be written, or the tree lies behind an address, in
the folder of local copies. It holds tables and JSON only, and is read only where its tables are exactly ours, so that
reading the index of somebody else runs no code, and no query that never ends. A file that is no index is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from trialbids.mappings.vocabulary import vocabulary

from ..errors import QueryError, ReadError
from ..files.places import Place, cache_folder, replacing
from ..files.regular import read_regular
from .found import Entry

FORMAT = 3
"""Raised with every change of what is read or how it is kept; an index of another format is made anew."""
_OURS = 0x74627831  # "tbx1"
_MAGIC = b"SQLite format 3\0"
_ID = slice(68, 72)
"""Where a SQLite file has its application_id."""
_STEPS = 1000
"""Steps of SQLite between two looks at whether it has done more than reading a file of this size takes."""
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
        """The store of a tree: ``auto``, or the path of a file.

        Raises :class:`QueryError` where something else has that path: it would be overwritten.
        """
        if index == "auto":
            return cls(_places(place))
        path = Path(index).absolute()
        if not _is_free(path):
            raise QueryError(f"Database(index=…): {path} is there and is no index; name another file, or move it away.")
        return cls([path])

    def load(self) -> Stored | None:
        """The newest index that can be read, and is whole, ours and of this format; None where there is none."""
        dated: list[tuple[int, Path]] = []
        for path in self.places:
            with contextlib.suppress(OSError):
                state = path.stat()
                if stat.S_ISREG(state.st_mode):
                    dated.append((state.st_mtime_ns, path))
        for _, path in sorted(dated, reverse=True):
            with contextlib.suppress(*_UNREADABLE):
                content = read_regular(path)
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


_UNREADABLE = (OSError, ReadError, ValueError, TypeError, RecursionError, OverflowError, MemoryError, sqlite3.Error)
"""What reading a file that is no index raises."""


def _is_free(path: Path) -> bool:
    """Whether an index may be written there: nothing is there yet, or an empty file, or an index of ours."""
    try:
        head = read_regular(path, _ID.stop)
    except FileNotFoundError:
        return True
    except (OSError, ReadError):
        return False
    return not head or (head.startswith(_MAGIC) and head[_ID] == _OURS.to_bytes(4, "big"))


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
                (e.scope, e.subject, e.mark, _text(e.sessions), _text(e.visits), _text(e.problems), e.images, e.content)
                for e in map(Entry.packed, stored.entries)
            ),
        )
        base.commit()
        return base.serialize()


def _parse(content: bytes) -> Stored | None:
    """What a file holds; None where it is none of ours. Raises one of ``_UNREADABLE``."""
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.execute("PRAGMA trusted_schema = OFF")
        base.deserialize(content)
        steps, most = count(), 1000 + len(content) // 100
        base.set_progress_handler(lambda: next(steps) > most, _STEPS)
        if base.execute("PRAGMA application_id").fetchone() != (_OURS,) or _schema(base) != _our_schema():
            return None
        rest = _Rest(len(content))
        common = {str(name): str(value) for name, value in rest.of(base.execute("SELECT name, value FROM facts"))}
        if common.pop("version", "") != _version():
            return None
        entries = [_entry(*row) for row in rest.of(base.execute("SELECT * FROM participants"))]
        return Stored(tuple(sorted(entries, key=lambda entry: (entry.scope, entry.subject))), common)


class _Rest:
    """The bytes of a file that no row has taken yet: pages that are listed many times give more than there is."""

    def __init__(self, size: int) -> None:
        self._left = size

    def of(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """The rows. Raises ``ValueError`` where they are larger than the file."""
        for row in rows:
            self._left -= sum(len(cell) for cell in row if isinstance(cell, str | bytes))
            if self._left < 0:
                raise ValueError("its rows are larger than the file")
            yield row


def _schema(base: sqlite3.Connection) -> list[tuple[str, ...]]:
    return base.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name LIMIT 10").fetchall()


@cache
def _our_schema() -> list[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as base:
        base.executescript(_TABLES.format(ours=_OURS))
        return _schema(base)


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
        content=bytes(packed),
    )


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
