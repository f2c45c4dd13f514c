"""The proof of a released tree: every file and every name inspected, and every known identifier searched for."""

from __future__ import annotations

import ast
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from ..deidentify.identifiers import Exempt, Known, searcher_for, words_of
from ..deidentify.inspect import Leak, inspect_file
from ..deidentify.key import write_private
from ..deidentify.layout import is_folder
from ..deidentify.search import Searcher
from ..deidentify.shapes import Rules
from ..engine import Engine
from ..progress import Progress
from ..tables import read_tsv, tsv_bytes

VERIFIED_FILE, LEAKS_FILE = "verified.tsv", "leaks.tsv"
VERIFIED_COLUMNS = ("path", "size", "mtime_ns", "searched")
LEAK_COLUMNS = ("path", "place", "kind", "form", "value")
BATCH_FILES = 64
BATCH_BYTES = 64 * 1024 * 1024

WRITERS = (
    *("release/dataset.py", "release/page.py", "release/caveats.py", "release/certificate.py", "release/certify.py"),
    *("release/summary.py", "qc/check.py", "qc/geometry.py", "qc/layout.py", "qc/metrics.py", "qc/verdict.py"),
    *("stacks/reasons.py", "select/decide.py", "deidentify/options.py"),
)
"""The modules whose texts stand in a tree: a name that is made of their words alone cannot be told from them."""


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
        """How many leaks of each kind: what may be shown publicly."""
        return dict(sorted(Counter(leak.kind for leak in self.leaks).items()))


class Searches:
    """The searchers of a trial: for a subject's own files, and for those that speak of everybody."""

    def __init__(self, known: Known, exempt: Exempt | None = None) -> None:
        self.known, self.exempt = known, exempt or Exempt()
        self._shared = known.shared

    def of_subject(self, subject: str) -> Searcher:
        """The subject's own identifiers, and in texts those of all staff and places."""
        return searcher_for(self.known.of_subject(subject), self._shared, self.exempt)

    def of_everybody(self) -> Searcher:
        """All identifiers of the trial."""
        return searcher_for(self.known.everybody, exempt=self.exempt)


def searches_of(known: Known, given: Iterable[str] = (), *, keep_dates: bool = False, device: bool = False) -> Searches:
    """The searches of a trial that gave the labels ``given`` (subjects, sessions, sites, its name, clinical levels)."""
    kinds = {kind for kind, is_kept in (("date", keep_dates), ("device", device)) if is_kept}
    return Searches(known, Exempt(words_of(given) | own_words(), frozenset(kinds)))


@cache
def own_words() -> frozenset[str]:
    """The words of all texts that trialbids can write into a tree, read from its own source."""
    package = files("trialbids.exporter")
    trees = (ast.parse(package.joinpath(name).read_text(encoding="utf-8")) for name in WRITERS)
    texts = (node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    spoken = (word for text in texts if isinstance(text, str) for word in text.split())
    return words_of(word for word in spoken if not any(c.isdigit() for c in word))


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
    rules: Rules | None = None,
    skip: Mapping[str, State] | None = None,
) -> Verification:
    """Inspect every file, folder and name below ``root``; files that are as ``skip`` says are not read again.

    Raises ``OSError`` where the root cannot be listed.
    """
    rules, skip = rules or Rules(), skip or {}
    everybody = searches.of_everybody()
    sizes, leaks = _walk(root, everybody)
    states: dict[str, State] = {}
    unsearched: Counter[tuple[str, str]] = Counter({(k, r): n for k, r, n in everybody.unsearched})
    progress.start("verifying", len(sizes))
    n_read = 0
    for batch, found in engine.map(inspect_batch, _batches(root, sizes, searches, everybody, rules, skip, states)):
        leaks += found
        n_read += len(batch.paths)
        dirty = {leak.path for leak in found}
        for path in batch.paths:
            if path not in dirty:
                states[path] = State(*sizes[path], batch.searched)
        progress.advance(len(batch.paths))
    progress.done()
    ordered = tuple(sorted(dict.fromkeys(leaks), key=lambda leak: (leak.path, leak.place, leak.kind, leak.form)))
    return Verification(len(sizes), n_read, len(searches.known.everybody), dict(unsearched), ordered, states)


def _walk(root: Path, searcher: Searcher) -> tuple[dict[str, tuple[int, int]], list[Leak]]:
    """Size and time of every file below the root, and the names of folders that may not be there."""
    sizes: dict[str, tuple[int, int]] = {}
    leaks: list[Leak] = []

    def refuse(error: OSError) -> None:
        raise error

    for folder, names, entries in os.walk(root, onerror=refuse):
        above = os.path.relpath(folder, root)
        for name in sorted(names):
            path = name if above == "." else f"{above}/{name}"
            leaks += [Leak(path, "name", hit.kind, hit.form) for hit in searcher.in_text(name)]
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
    everybody: Searcher,
    rules: Rules,
    skip: Mapping[str, State],
    states: dict[str, State],
) -> Iterator[Batch]:
    """The files to read, subject by subject; what is as it was goes straight into ``states``."""
    by_subject: dict[str, list[str]] = {}
    for path in sizes:
        by_subject.setdefault(_subject_of(path), []).append(path)
    for subject, paths in sorted(by_subject.items()):
        searcher = searches.of_subject(subject) if subject else everybody
        searched = searched_for(searcher, rules)
        stale = []
        for path in sorted(paths):
            if skip.get(path) == State(*sizes[path], searched):
                states[path] = skip[path]
            else:
                stale.append(path)
        for part in _parts(stale, sizes):
            yield Batch(root, part, searcher, rules, searched)


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


def _subject_of(path: str) -> str:
    """The label of the subject in whose folder a file lies, "" for those of the whole tree."""
    folder = next((part for part in path.split("/")[:-1] if part.startswith("sub-")), "")
    return folder.removeprefix("sub-")


def searched_for(searcher: Searcher, rules: Rules) -> str:
    """Names what is searched for and by which rules and program, without giving it away."""
    accepted = sorted((k, sorted(v)) for k, v in rules.accepted.items())
    keys = sorted(rules.allowed.keys)
    parts = (sorted(searcher.words), sorted(searcher.uids), searcher.literals, accepted, keys, rules.keep_dates)
    return hashlib.sha256(repr((version("trialbids"), parts)).encode("utf-8", "backslashreplace")).hexdigest()


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


def write_leaks(work: Path, leaks: Iterable[Leak]) -> None:
    """``leaks.tsv`` in the private work folder: path, place, kind, form and value."""
    rows = [{name: getattr(leak, name) for name in LEAK_COLUMNS} for leak in leaks]
    write_private(work / LEAKS_FILE, tsv_bytes(LEAK_COLUMNS, rows))
