"""The index of a tree: read once, kept, and brought up to date by comparing the state of files."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ..errors import ReadError
from ..files.sidecars import Sidecar, shared_sidecars
from ..files.trees import Folder, Moved, Stamp, Tree
from .found import DAMAGE, Entry, Makers, Row
from .image import Image
from .manifest import FOLDER, NAME, Manifest
from .store import Store, Stored
from .subject import Shared, SubjectReader
from .survey import Survey, named, same_state, survey, young

ANNOTATIONS = "derivatives/annotations"
SCOPES: Mapping[str, str] = {"raw": "", "annotations": ANNOTATIONS}
"""The datasets of a tree that are always indexed, with the folder of each; others when they are first asked for."""
DERIVATIVES = "derivatives/"
"""How the scope of any other derivative dataset begins."""
TRIES = 3
"""How often a participant is read again that changes while it is read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that the index set aside, or of which it could read only a part."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a refresh found: paths of images, in the order of the tree, and the names of clinical tables."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.tables)

    def __str__(self) -> str:
        counts = f"{len(self.added)} images added, {len(self.changed)} changed, {len(self.removed)} removed"
        return f"{counts}; tables changed: {', '.join(self.tables) or 'none'}"


class Index:
    """The participants of a tree, each read when its files changed; ``store`` is where they are kept, or None.

    Of the derivative datasets of a tree (``derivatives/<name>``) those are kept up to date that were asked for.
    """

    def __init__(self, tree: Tree, store: Store | None = None) -> None:
        self._tree = tree
        self._store = store
        self.state = 0
        """Another number after every change of what is indexed."""
        self._makers = Makers()
        self._entries: dict[tuple[str, str], Entry] = {}
        self._common: dict[str, str] = {}
        self._problems: tuple[Problem, ...] = ()
        self._scopes: tuple[str, ...] = tuple(SCOPES)
        stored = store.load() if store else None
        if stored is not None:
            self._entries = {(entry.scope, entry.subject): entry for entry in stored.entries}
            self._common = stored.common

    def refresh(self) -> Changes:
        """Compare every file that was read with its state now, and read again what changed.

        Raises ``FileNotFoundError`` where the root is gone.
        """
        self._tree.renew()
        round_ = _Round(self._tree, self._entries, self._common, packed=self._store is not None)
        entries = {(scope, entry.subject): entry for scope in self._scopes for entry in round_.scope(scope)}
        gone = [entry for key, entry in self._entries.items() if key not in entries and key[0] in self._scopes]
        round_.removed += [row.path for entry in gone for row in _rows(entry)]
        resting = {key: entry for key, entry in self._entries.items() if key[0] not in self._scopes}
        self._problems = tuple(round_.problems)
        self._keep({**entries, **resting}, round_.common)
        return Changes(tuple(round_.added), tuple(round_.changed), tuple(round_.removed))

    def want(self, scope: str) -> None:
        """Index a derivative dataset, ``derivatives/<name>``, and keep it up to date from now on."""
        if scope in self._scopes:
            return
        self._scopes = (*self._scopes, scope)
        round_ = _Round(self._tree, self._entries, self._common, packed=self._store is not None)
        entries = {(scope, entry.subject): entry for entry in round_.scope(scope)}
        self._problems = (*self._problems, *round_.problems)
        others = {key: entry for key, entry in self._entries.items() if key[0] != scope}
        self._keep({**others, **entries}, {**self._common, scope: round_.common.get(scope, "")})

    def _keep(self, entries: dict[tuple[str, str], Entry], common: dict[str, str]) -> None:
        same = len(entries) == len(self._entries) and all(self._entries.get(key) is entries[key] for key in entries)
        written = not same or common != self._common
        if written and self._store:
            self._store.save(Stored(tuple(entries.values()), common))
        self._entries, self._common = entries, common
        self.state += not same

    def entries(self, scope: str) -> list[Entry]:
        """The participants of one scope, by name."""
        return [entry for (its, _), entry in self._entries.items() if its == scope]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be read."""
        listed = (Problem(*each) for scope in self._scopes for entry in self.entries(scope) for each in entry.problems)
        return (*self._problems, *listed)

    def images(self, scope: str, sites: Mapping[str, str]) -> tuple[Image, ...]:
        """The images of one scope in the order of the tree, with the site of each participant."""
        found: list[Image] = []
        for entry in self.entries(scope):
            site = sites.get(entry.subject, "")
            try:
                found += [self._makers.image(row, scope, entry.subject, site) for row in _own(entry)]
            except DAMAGE:
                anew = _Round(self._tree, {}, {}).subject_anew(scope, entry.subject)
                self._entries[scope, entry.subject] = anew
                found += [self._makers.image(row, scope, entry.subject, site) for row in anew.rows()]
        return tuple(found)


class _Round:
    """One comparison of the tree with what is known of it."""

    def __init__(
        self,
        tree: Tree,
        before: Mapping[tuple[str, str], Entry],
        common: Mapping[str, str],
        *,
        packed: bool = False,
    ) -> None:
        self._packed = packed  # as what is kept in a file: the rows of a large tree take much memory
        self.tree = tree
        self.before = before
        self.common: dict[str, str] = {name: state for name, state in common.items() if name.startswith(DERIVATIVES)}
        self.problems: list[Problem] = []
        self.added: list[str] = []
        self.changed: list[str] = []
        self.removed: list[str] = []
        self._then = common
        self._manifest: Manifest | None = None
        self._listed = self._listed_manifest()
        self.common["manifest"] = _state({NAME: self._listed})
        if not self._renewed and (problem := common.get("manifest problem")):
            self._report_manifest(problem)

    def scope(self, scope: str) -> list[Entry]:
        """The participants of a scope as they are now; none where the tree has no such folder."""
        try:
            top = self.tree.listing(folder_of(scope))
        except (FileNotFoundError, NotADirectoryError):
            if scope == "raw":
                raise
            return []
        except OSError as error:
            self.problems.append(Problem(folder_of(scope), f"the folder cannot be read ({error.strerror})"))
            return []
        shared = self._shared(scope, top)
        current = self.common[scope] == self._then.get(scope) and not self._renewed
        entries = (self._entry(shared, subject, current) for subject in named(top, "sub-"))
        return [entry.packed() if self._packed else entry for entry in entries if entry is not None]

    def subject_anew(self, scope: str, subject: str) -> Entry:
        """One participant, read whatever is known of it; an empty entry where it is gone."""
        shared = self._shared(scope, self.tree.listing(folder_of(scope)))
        return self._entry(shared, subject, current=False) or Entry(scope=scope, subject=subject, mark=b"")

    @property
    def _renewed(self) -> bool:
        return self.common["manifest"] != self._then.get("manifest")

    def _shared(self, scope: str, top: Folder) -> Shared:
        prefix = folder_of(scope)
        sidecars, bvalues = (shared_sidecars(prefix, top.files, (), extension) for extension in (".json", ".bval"))
        self.common[scope] = _state({each.path: top.files[_name(each)] for each in (*sidecars, *bvalues)})
        return Shared(scope, prefix, sidecars, bvalues)

    def _entry(self, shared: Shared, subject: str, current: bool) -> Entry | None:
        """The entry of a participant; None where its folder vanished meanwhile."""
        folder = _folder(shared, subject)
        last = self.before.get((shared.scope, subject))
        try:
            seen = survey(self.tree, folder)
            if last is not None and current and last.mark == seen.mark:
                return last
            before = {row.path: row for row in _rows(last)} if last is not None else {}
            entry = self._read(shared, subject, seen, before, sure=last is not None and last.mark != b"")
        except FileNotFoundError:
            return None
        if last is not None or self.before:
            self._compare(before, _rows(entry))
        return entry

    def _read(self, shared: Shared, subject: str, seen: Survey, before: Mapping[str, Row], *, sure: bool) -> Entry:
        """Read a participant in one state of its files, which are looked at again where they change meanwhile."""
        folder = _folder(shared, subject)
        for _ in range(TRIES):
            reader = SubjectReader(self.tree, shared, self._facts(), before, renewed=self._renewed, sure=sure)
            try:
                return reader.read(subject, seen)
            except Moved:
                seen = survey(self.tree, folder)
        reader = SubjectReader(self.tree, shared, self._facts(), before, renewed=self._renewed, sure=sure)
        entry = reader.read(subject, seen, checked=False)
        words = "it changed while it was read; refresh when nothing writes to the tree"
        return replace(entry, mark=b"", problems=(*entry.problems, (folder, words)))

    def _compare(self, before: Mapping[str, Row], now: Iterable[Row]) -> None:
        rows = {row.path: row for row in now}
        self.added += [path for path in rows if path not in before]
        self.removed += [path for path in before if path not in rows]
        self.changed += [path for path, row in rows.items() if path in before and _differs(before[path], row)]

    def _listed_manifest(self) -> Stamp:
        try:
            return self.tree.listing(FOLDER).files.get(NAME, ())
        except OSError:
            return ()

    def _facts(self) -> Manifest:
        if self._manifest is None:
            self._read_manifest()
        return self._manifest or Manifest()

    def _read_manifest(self) -> None:
        try:
            self._manifest = Manifest.read(self.tree, self._listed)
        except ReadError as error:
            self._manifest = Manifest(self._listed)
            self._report_manifest(str(error))

    def _report_manifest(self, words: str) -> None:
        self.common["manifest problem"] = words
        self.problems.append(Problem(f"{FOLDER}/{NAME}", words))


def folder_of(scope: str) -> str:
    """The folder of a scope, relative to the root; that of a derivative dataset is its name."""
    return SCOPES.get(scope, scope)


def _differs(before: Row, now: Row) -> bool:
    """Whether an image is another than before: in what is said of it, or in the state of its file."""
    return not same_state(before.stamp, now.stamp) or before._replace(stamp=()) != now._replace(stamp=())


def _rows(entry: Entry) -> Sequence[Row]:
    """The rows of an entry, none where it is damaged."""
    try:
        return entry.rows()
    except DAMAGE:
        return []


def _own(entry: Entry) -> Sequence[Row]:
    """The rows of an entry. Raises ``ValueError``, or what else is :data:`DAMAGE`, where one is of no file of its
    participant: an index of somebody else must not lead out of the tree."""
    rows, folder = entry.rows(), f"{folder_of(entry.scope)}/{entry.subject}/".lstrip("/")
    if not all(row.path.startswith(folder) and "/../" not in row.path for row in rows):
        raise ValueError("a path outside of the folder of the participant")
    return rows


def _name(sidecar: Sidecar) -> str:
    return sidecar.path.rpartition("/")[2]


def _folder(shared: Shared, subject: str) -> str:
    return f"{shared.prefix}/{subject}" if shared.prefix else subject


def _state(files: Mapping[str, Stamp]) -> str:
    """A digest of the states of some files; one that never comes again where a file is too young to tell."""
    now = time.time_ns()
    proves = not any(young(stamp, now) for stamp in files.values())
    return hashlib.sha256(repr((sorted(files.items()), proves or now)).encode()).hexdigest()[:32]
