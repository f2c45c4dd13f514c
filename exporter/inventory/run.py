"""The inventory: every DICOM instance below the sources, each header read once."""

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from ..engine import Engine, Serial
from ..errors import UsageError
from ..progress import Progress
from .batch import Batch, given_up, read_batch, weigh
from .find import Found, Walk, find_files
from .instance import Instance
from .store import Remembered, in_order, load, of_files, save
from .table import from_table, schema
from .unreadable import BROKEN_LINK, LOST_LINK, NO_ACCESS, Unreadable

BATCH_FILES = 128
BATCH_BYTES = 64 * 1024**2
CHECKPOINT_SECONDS = 60.0
"""How much work a killed run can lose, as long as saving it takes little of that."""
CHECKPOINT_SHARE = 0.05
"""How much of its time a run may spend on saving: where all that is known takes longer to write, it is saved less
often."""


@dataclass(frozen=True)
class Inventory:
    """What lies below the sources.

    ``instances`` are ordered by their key, ``unreadable`` by path and member: every file is behind one of the two.
    ``n_files`` and ``n_bytes`` count the files met (an archive is one), ``n_folders`` those that hold files,
    ``n_reused`` the files that an earlier run had read and that have not changed. ``layouts`` holds, by the name that
    the instances bear, the tags that an object has.
    """

    instances: tuple[Instance, ...]
    unreadable: tuple[Unreadable, ...]
    n_files: int
    n_reused: int
    n_bytes: int
    n_folders: int
    layouts: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @property
    def access_denied(self) -> bool:
        """Whether some file or folder could not be opened at all, so that what lies there may be missed for now."""
        return any(item.reason in NO_ACCESS for item in self.unreadable)

    @property
    def broken_series(self) -> frozenset[str]:
        """Series of which at least one object is cut or damaged."""
        return frozenset(item.series_uid for item in self.unreadable if item.series_uid)


class NothingReadable(UsageError):
    """There is no instance below any source; ``unreadable`` says of every file met why it is none."""

    def __init__(self, message: str, unreadable: tuple[Unreadable, ...]) -> None:
        super().__init__(message)
        self.unreadable = unreadable


def scan(
    sources: Sequence[Path],
    store: Path,
    *,
    engine: Engine,
    progress: Progress,
    meanwhile: Callable[[], None] | None = None,
) -> Inventory:
    """Read the headers of all DICOM below ``sources`` (folders, files, archives).

    ``store`` is a private folder for what the next run can reuse; it is made if needed and is itself never searched.
    ``meanwhile`` is as in :meth:`Engine.map`.
    Raises ``UsageError`` where a source does not exist, ``NothingReadable`` where there is no DICOM instance below any.
    """
    _check_sources(sources)
    progress.start("Finding files", None)
    walk = find_files(sources, store, progress.advance)
    progress.done()
    before = load(store)
    state = _Scan(walk, before)
    if state.stale or before is None or len(before.files) != len(state.read):
        _read(state, store, engine, progress, meanwhile)
    instances = sorted(from_table(Instance, state.table()), key=lambda instance: instance.key)
    unreadable = sorted([*walk.unreadable, *state.unreadable], key=lambda item: (item.path, item.member, item.reason))
    if not instances:
        raise NothingReadable(_nothing_found(sources, walk, unreadable), tuple(unreadable))
    return Inventory(
        instances=tuple(instances),
        unreadable=tuple(unreadable),
        n_files=len(walk.files),
        n_reused=state.n_reused,
        n_bytes=sum(found.size for found in walk.files),
        n_folders=len(walk.folders),
        layouts={layout.id: frozenset(layout.tags) for layout in state.layouts.values()},
    )


class _Scan:
    """The state of a scan: what is known of the files met, and which are still to be read (``stale``)."""

    def __init__(self, walk: Walk, before: Remembered | None) -> None:
        if before:
            walk.unreadable = _lost_named(walk.unreadable, before)
        known = set(before.files) if before else set()
        self.read = [found for found in walk.files if found in known]
        self.stale = [found for found in walk.files if found not in known]
        self.n_reused = len(self.read)
        self.retry: list[Unreadable] = []
        kept = {found.path for found in self.read}
        self.listed = [item for item in before.unreadable if item.path in kept] if before else []
        self._lost = [item for item in walk.unreadable if item.reason == LOST_LINK]
        self.layouts = {layout.id: layout for layout in before.layouts} if before else {}
        self._tables = [pa.Table.from_batches([], schema=schema(Instance))]
        if before:
            all_kept = len(self.read) == len(before.files)
            self._tables.append(before.instances if all_kept else of_files(before.instances, sorted(kept)))

    @property
    def unreadable(self) -> list[Unreadable]:
        return self.listed + self.retry

    def add(self, files: Sequence[Found], batch: Batch) -> None:
        """Take the result of one batch in. Files to be tried again are listed, but not remembered."""
        self._tables.append(batch.table)
        self.layouts |= {layout.id: layout for layout in batch.layouts}
        self.read += [found for found in files if found.path not in batch.retry]
        for item in batch.unreadable:
            (self.retry if item.path in batch.retry else self.listed).append(item)

    def table(self) -> pa.Table:
        """All instances so far."""
        return pa.concat_tables(self._tables)

    def remembered(self) -> Remembered:
        """What the next run may rely on."""
        table = self.table()
        if refused := {item.path for item in self.retry}:
            known = [found.path for found in self.read if found.path not in refused]
            table = of_files(table, known)
        files = sorted(self.read, key=lambda found: found.path)
        listed = sorted([*self.listed, *self._lost], key=lambda item: (item.path, item.member))
        return Remembered(in_order(table), tuple(files), tuple(listed), tuple(self.layouts.values()))


def _lost_named(listed: Sequence[Unreadable], before: Remembered) -> list[Unreadable]:
    """What could not be listed, where a broken link that led to files in an earlier run is more than a stray one."""
    paths = [found.path for found in before.files]  # in order
    lost = {item.path for item in before.unreadable if item.reason == LOST_LINK}
    message = "The link led to files in an earlier run and leads nowhere now. Put them back, or remove the link."

    def led_to_files(path: str) -> bool:
        at, below = bisect_left(paths, path), bisect_left(paths, f"{path}/")
        return paths[at : at + 1] == [path] or any(p.startswith(f"{path}/") for p in paths[below : below + 1])

    return [
        replace(item, reason=LOST_LINK, message=message)
        if item.reason == BROKEN_LINK and (item.path in lost or led_to_files(item.path))
        else item
        for item in listed
    ]


def _read(state: _Scan, store: Path, engine: Engine, progress: Progress, meanwhile: Callable[[], None] | None) -> None:
    """Read what is stale, saving now and then, and at the end whatever that is."""
    batches = list(_batches(state.stale))
    used = engine if len(batches) > 1 else Serial()
    progress.start("Reading headers", len(state.stale))
    save_next = time.monotonic() + CHECKPOINT_SECONDS
    try:
        for files, batch in _read_all(used, batches, meanwhile):
            state.add(files, batch)
            progress.advance(len(files))
            if (began := time.monotonic()) > save_next:
                save(store, state.remembered())
                ended = time.monotonic()
                save_next = ended + max(CHECKPOINT_SECONDS, (ended - began) / CHECKPOINT_SHARE)
    finally:
        save(store, state.remembered())
    progress.done()


def _read_all(
    engine: Engine, batches: Sequence[tuple[Found, ...]], meanwhile: Callable[[], None] | None
) -> Iterator[tuple[tuple[Found, ...], Batch]]:
    """Every batch with what it gave. The files of a batch that ended its process are read again, each by itself."""
    again: list[tuple[Found]] = []
    for files, batch in engine.map(read_batch, batches, lost=_nothing, meanwhile=meanwhile):
        if batch is None:
            again += [(found,) for found in files]
        else:
            yield files, batch
    for files, batch in engine.map(read_batch, again, lost=_nothing):
        yield files, batch or given_up(files)


def _nothing(_files: Sequence[Found]) -> None:
    return None


def _batches(files: Sequence[Found]) -> Iterator[tuple[Found, ...]]:
    """The files in units of work of a similar weight."""
    batch: list[Found] = []
    weight = 0
    for found in files:
        if batch and (len(batch) >= BATCH_FILES or weight + weigh(found) > BATCH_BYTES):
            yield tuple(batch)
            batch, weight = [], 0
        batch.append(found)
        weight += weigh(found)
    if batch:
        yield tuple(batch)


def _check_sources(sources: Sequence[Path]) -> None:
    if not sources:
        raise UsageError("No source is given: name a folder, an archive or a file that holds DICOM.")
    for source in sources:
        if not os.path.lexists(source):
            raise UsageError(f"The source {source} does not exist. Check the path.")


def _nothing_found(sources: Sequence[Path], walk: Walk, unreadable: Sequence[Unreadable]) -> str:
    """Why there is nothing to work on, in one sentence."""
    where = ", ".join(str(source) for source in sources)
    if not walk.files and not unreadable:
        return f"There is no file below {where}: name a folder, an archive or a file that holds DICOM."
    counts = Counter(item.reason for item in unreadable)
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
    return (
        f"There is no readable DICOM image below {where}: {len(walk.files)} files were met ({reasons or 'all empty'})."
    )
