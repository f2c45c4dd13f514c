"""The proof of a released tree: every file and every name inspected, and every known identifier searched for."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..deidentify.inspect import Leak, inspect_file
from ..deidentify.layout import is_folder, is_prediction
from ..deidentify.search import Searcher
from ..deidentify.shapes import Rules
from ..engine import Engine
from ..progress import Progress
from ..tables import json_bytes, read_tsv, tsv_bytes, write_private
from .searches import Searches

VERIFIED_FILE, LEAKS_FILE, UNSEARCHED_FILE = "verified.tsv", "leaks.tsv", "unsearched.json"
VERIFIED_COLUMNS = ("path", "size", "mtime_ns", "searched")
LEAK_COLUMNS = ("path", "place", "kind", "form", "value")
BATCH_FILES = 64
BATCH_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """A file as it was when it was inspected; ``searched`` names what was searched for and the rules."""

    size: int
    mtime_ns: int
    searched: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a proof came to. ``leaks`` are private; the counts are not.

    ``n_files`` of the tree are clean or in ``leaks``, of which ``n_read`` were read in this run; ``unsearched`` counts
    identifiers by kind and reason; ``states`` is what the next run may rely on.
    """

    n_files: int
    n_read: int
    n_identifiers: int
    unsearched: Mapping[tuple[str, str], int]
    leaks: tuple[Leak, ...] = field(repr=False)
    states: Mapping[str, State] = field(repr=False)

    def counts(self) -> dict[str, int]:
        """How many leaks of each kind."""
        return leaks_by_kind(self.leaks)


def leaks_by_kind(leaks: Iterable[Leak]) -> dict[str, int]:
    """Leaks by kind: all that may be shown of them in public."""
    return dict(sorted(Counter(leak.kind for leak in leaks).items()))


@dataclass(frozen=True, slots=True)
class Batch:
    """Some files of one subject (or of the tree's top), as a worker inspects them."""

    root: Path
    paths: tuple[str, ...]
    searcher: Searcher = field(repr=False)
    rules: Rules = field(repr=False)
    searched: str = ""


def inspect_batch(batch: Batch) -> tuple[Leak, ...]:
    """Inspect some files. A file that cannot be read is a leak: nobody can say what is in it."""
    found: list[Leak] = []
    for path in batch.paths:
        try:
            found += inspect_file(batch.root, path, batch.searcher, batch.rules)
        except OSError as error:
            found.append(Leak(path, "", "unreadable", value=error.strerror or ""))
    return tuple(found)


def verify(
    root: Path,
    searches: Searches,
    engine: Engine,
    progress: Progress,
    *,
    skip: Mapping[str, State] | None = None,
    unsearched: Mapping[tuple[str, str], int] | None = None,
    made: Collection[str] | None = None,
) -> Verification:
    """Inspect every file, folder and name below ``root``; files that are as ``skip`` says are not read again.

    ``made`` are the files of sessions that exports have made: any other is none of theirs, whatever it looks like, but
    for what a model said of such a session.
    ``unsearched`` are the counts of an earlier proof that searched for the same, where there was one. Raises
    ``OSError`` where the root cannot be listed.
    """
    sizes, leaks = _walk(root)
    if made is not None:
        leaks += [Leak(p, "name", "unlisted-file") for p in _unlisted(sizes, made)]
    states: dict[str, State] = {}
    progress.start("verifying", len(sizes))
    n_read = 0
    for batch, found in engine.map(inspect_batch, _batches(root, sizes, searches, skip or {}, states)):
        leaks += found
        n_read += len(batch.paths)
        dirty = {leak.path for leak in found}
        for path in batch.paths:
            if path not in dirty:
                states[path] = State(*sizes[path], batch.searched)
        progress.advance(len(batch.paths))
    progress.done()
    if unsearched is None:
        unsearched = {(kind, reason): n for kind, reason, n in searches.everybody.unsearched}
    ordered = tuple(sorted(dict.fromkeys(leaks), key=lambda leak: (leak.path, leak.place, leak.kind, leak.form)))
    return Verification(len(sizes), n_read, len(searches.known.everybody), unsearched, ordered, states)


def _unlisted(paths: Iterable[str], made: Collection[str]) -> Iterator[str]:
    """The files of sessions that no export has made; predictions are put beside those that one has."""
    sessions = {session_of(path) for path in made}
    for path in paths:
        session = session_of(path)
        if session[1] and path not in made and not (session in sessions and is_prediction(path)):
            yield path


def verify_also(done: Verification, root: Path, paths: Sequence[str], searches: Searches) -> Verification:
    """The same proof with some files of the whole tree that were written after it."""
    batch = Batch(root, tuple(paths), searches.everybody, searches.rules, searches.searched(""))
    found = inspect_batch(batch)
    dirty = {leak.path for leak in found}
    states = {path: _state(root, path, batch.searched) for path in paths if path not in dirty}
    others = tuple(leak for leak in done.leaks if leak.path not in paths)
    seen = {*done.states, *(leak.path for leak in done.leaks)}
    n_files = done.n_files + sum(path not in seen for path in paths)
    return replace(done, n_files=n_files, leaks=(*others, *found), states={**done.states, **states})


def _state(root: Path, path: str, searched: str) -> State:
    status = (root / path).lstat()
    return State(status.st_size, status.st_mtime_ns, searched)


def _walk(root: Path) -> tuple[dict[str, tuple[int, int]], list[Leak]]:
    """Size and time of every file below the root, and the folders that may not be there.

    The names of the others are searched with those of the files in them.
    """
    sizes: dict[str, tuple[int, int]] = {}
    leaks: list[Leak] = []

    def refuse(error: OSError) -> None:
        raise error

    for folder, names, entries in os.walk(root, onerror=refuse):
        above = os.path.relpath(folder, root)
        if not names and not entries and above != ".":
            leaks.append(Leak(above, "name", "empty-folder"))  # its name alone would tell, and no export leaves one
        for name in sorted(names):
            path = name if above == "." else f"{above}/{name}"
            if (root / path).is_symlink():
                leaks.append(Leak(path, "", "not-a-file"))
            elif not is_folder(path):
                leaks.append(Leak(path, "name", "unknown-folder"))
        for name in sorted(entries):
            path = name if above == "." else f"{above}/{name}"
            status = (root / path).lstat()
            sizes[path] = status.st_size, status.st_mtime_ns
    return sizes, leaks


def _batches(
    root: Path,
    sizes: Mapping[str, tuple[int, int]],
    searches: Searches,
    skip: Mapping[str, State],
    states: dict[str, State],
) -> Iterator[Batch]:
    """The files to read, subject by subject; what is as it was goes straight into ``states``."""
    by_subject: dict[str, list[str]] = {}
    for path in sizes:
        by_subject.setdefault(subject_of(path), []).append(path)
    for subject, paths in sorted(by_subject.items()):
        searched = searches.searched(subject)
        stale = []
        for path in sorted(paths):
            if skip.get(path) == State(*sizes[path], searched):
                states[path] = skip[path]
            else:
                stale.append(path)
        for part in _parts(stale, sizes):
            searcher = searches.of_subject(subject) if subject else searches.everybody
            yield Batch(root, part, searcher, searches.rules, searched)


def _parts(paths: Sequence[str], sizes: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    part: list[str] = []
    weight = 0
    for path in paths:
        if part and (len(part) >= BATCH_FILES or weight + sizes[path][0] > BATCH_BYTES):
            yield tuple(part)
            part, weight = [], 0
        part.append(path)
        weight += sizes[path][0]
    if part:
        yield tuple(part)


def subject_of(path: str) -> str:
    """The label of the subject in whose folder a file lies, "" for those of the whole tree."""
    folder = next((part for part in path.split("/")[:-1] if part.startswith("sub-")), "")
    return folder.removeprefix("sub-")


def session_of(path: str) -> tuple[str, str]:
    """The labels of the subject and the session in whose folders a file lies, "" where it lies in none."""
    folder = next((part for part in path.split("/")[:-1] if part.startswith("ses-")), "")
    return subject_of(path), folder.removeprefix("ses-")


def read_states(work: Path) -> dict[str, State]:
    """What earlier runs have inspected and found clean; nothing where the record is absent or damaged."""
    try:
        rows = read_tsv(work / VERIFIED_FILE)
        return {r["path"]: State(int(r["size"]), int(r["mtime_ns"]), r["searched"]) for r in rows}
    except (OSError, ValueError, KeyError):
        return {}


def write_verification(work: Path, done: Verification, stopped: Iterable[Leak] = ()) -> None:
    """The private record (mode 0600): what is clean, and every leak with its place.

    ``stopped`` are the leaks of sessions that never entered the tree.
    """
    clean = [
        {"path": path, "size": str(s.size), "mtime_ns": str(s.mtime_ns), "searched": s.searched}
        for path, s in sorted(done.states.items())
    ]
    write_leaks(work, (*stopped, *done.leaks))
    write_private(work / VERIFIED_FILE, tsv_bytes(VERIFIED_COLUMNS, clean))


def read_leaks(work: Path) -> tuple[Leak, ...]:
    """What the last export or proof found; nothing where the list is absent or damaged, as the next proof writes it."""
    try:
        return tuple(Leak(**row) for row in read_tsv(work / LEAKS_FILE))
    except (OSError, ValueError, TypeError):
        return ()


def read_unsearched(work: Path, searches: Searches) -> dict[tuple[str, str], int] | None:
    """How many identifiers an earlier proof could not search for; None where it searched for others."""
    try:
        known = json.loads((work / UNSEARCHED_FILE).read_bytes())
        found = {(kind, reason): int(n) for kind, reason, n in known["unsearched"]}
        return found if known["searched"] == searches.counted else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_unsearched(work: Path, searches: Searches, done: Verification) -> None:
    """Remember the counts: to make them anew takes every form of every identifier."""
    counts = [[kind, reason, n] for (kind, reason), n in sorted(done.unsearched.items())]
    write_private(work / UNSEARCHED_FILE, json_bytes({"searched": searches.counted, "unsearched": counts}))


def write_leaks(work: Path, leaks: Iterable[Leak]) -> None:
    """``leaks.tsv`` in the private work folder: path, place, kind, form and value."""
    rows = [{name: getattr(leak, name) for name in LEAK_COLUMNS} for leak in leaks]
    write_private(work / LEAKS_FILE, tsv_bytes(LEAK_COLUMNS, rows))
