"""Reads one participant: every image with its sidecars, tables and header facts. No voxel is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..errors import ReadError
from ..files.names import Name, parse_name
from ..files.nifti import DAMAGE as DAMAGED_IMAGE
from ..files.nifti import header_of
from ..files.regions import COORDINATES, read_labels, read_regions
from ..files.sidecars import Metadata, Sidecar, shared_sidecars
from ..files.tables import parse_tsv
from ..files.trees import Folder, Stamp, Tree
from .found import Entry, Geometry, Row, geometry_text, pack, record_from, record_text
from .image import FIELDS
from .manifest import Manifest
from .survey import Survey, same_state, sessions_of

Cells = Mapping[str, str]
NO_GEOMETRY = geometry_text(None)


@dataclass(slots=True)
class Shared:
    """What all participants of one scope have in common: the sidecars at its root, and the records made so far."""

    scope: str
    prefix: str
    sidecars: Sequence[Sidecar]
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, str] = field(default_factory=dict)
    fields: dict[tuple[Any, ...], str] = field(default_factory=dict)


class SubjectReader:
    """Reads what one survey of a participant lists; ``before`` are the rows of the last time, by path.

    Header facts come from the last time where the file is as it was, else from the manifest, else from the header.
    ``renewed`` tells that the manifest is another than the last time, ``sure`` that the states of files of that time
    prove that nothing changed since. A file that did change is never looked up in the manifest of before.
    """

    def __init__(
        self,
        tree: Tree,
        shared: Shared,
        manifest: Manifest,
        before: Mapping[str, Row],
        *,
        renewed: bool = True,
        sure: bool = True,
    ) -> None:
        self.tree, self.shared, self.manifest, self.before = tree, shared, manifest, before
        self.renewed, self.sure = renewed, sure
        self.rows: list[Row] = []
        self.problems: list[tuple[str, str]] = []
        self.metadata = Metadata(self._bytes, self.problem, shared.contents)
        self.seen = Survey()
        self.levels: dict[str, list[Sidecar]] = {}

    def problem(self, path: str, reason: str) -> None:
        """Note what could not be read."""
        self.problems.append((path, reason))

    def read(self, subject: str, seen: Survey, *, checked: bool = True) -> Entry:
        """All images of the participant. Raises :class:`Moved` where a file is not as surveyed, if ``checked``."""
        self.seen = seen if checked else Survey()
        self.problems += seen.unreadable.items()
        root = _join(self.shared.prefix, subject)
        top = seen.folders[root]
        sessions = sessions_of(top)
        if self.tree.distant:
            self._prefetch(seen)
        for session in sessions:
            self._session(subject, session, seen, [top])
        whole = not sessions or set(top.folders) - set(sessions)
        if whole:
            self._session(subject, "", seen, [])
        visits = self._table(top, f"{subject}_sessions.tsv") if self.shared.scope == "raw" else []
        return Entry(
            scope=self.shared.scope,
            subject=subject,
            mark=b"" if seen.young else seen.mark,
            sessions=(*sessions, *([""] if whole else [])),
            visits=tuple(visits),
            problems=tuple(self.problems),
            images=len(self.rows),
            packed=pack(self.rows),
        )

    def _bytes(self, path: str) -> bytes:
        """A file in the state in which the survey saw it."""
        return self.tree.read(path, self._state(path))

    def _state(self, path: str) -> Stamp:
        folder, _, name = path.rpartition("/")
        listed = self.seen.folders.get(folder)
        return listed.files.get(name, ()) if listed else ()

    def _prefetch(self, seen: Survey) -> None:
        """Say what is read of a distant tree, so that it comes in few requests."""
        files = [
            (_join(each.path, name), stamp) for each in seen.folders.values() for name, stamp in each.files.items()
        ]
        small = [path for path, _ in files if path.endswith((".json", ".bval", "_scans.tsv", "_sessions.tsv"))]
        images = [
            path for path, stamp in files if path.endswith((".nii", ".nii.gz")) and self._known(path, stamp) is None
        ]
        self.tree.prefetch(small, images)

    def _session(self, subject: str, session: str, seen: Survey, above: list[Folder]) -> None:
        """Read one session folder, or the participant's own folder where there are no sessions."""
        folder = _join(self.shared.prefix, subject, session)
        here = seen.folders[folder]
        scans = self._table(here, f"{'_'.join(filter(None, (subject, session)))}_scans.tsv")
        rows = {row.get("filename", ""): row for row in scans}
        own = {(key[:3], key[4:]) for key in (subject, session) if key}
        levels = [self.shared.sidecars, *(self._shared(each) for each in (*above, here))]
        for datatype in (name for name in here.folders if not name.startswith("ses-")):
            content = seen.folders[_join(folder, datatype)]
            for filename in self._wanted(content):
                path = _join(content.path, filename)
                name = parse_name(filename)
                if name is None or not own <= name.entities:
                    self.problem(path, "the file name does not follow BIDS")
                    continue
                meta = self._meta(content, filename, name, levels)
                cells = rows.get(f"{datatype}/{filename}", {})
                self.rows.append(self._row(path, session, datatype, name, content, meta, cells))

    def _wanted(self, content: Folder) -> Iterator[str]:
        """The images of a folder, then, of annotations, the tables of boxes and points."""
        yield from content.images
        for filename in content.files if self.shared.scope != "raw" else ():
            stem, _, extension = filename.partition(".")
            if extension == "tsv" and stem.rpartition("_")[2] in COORDINATES and parse_name(filename) is not None:
                yield filename

    def _shared(self, folder: Folder) -> list[Sidecar]:
        if folder.path not in self.levels:
            stems = {name.partition(".")[0] for name in folder.images}
            self.levels[folder.path] = shared_sidecars(folder.path, folder.files, stems)
        return self.levels[folder.path]

    def _meta(self, content: Folder, filename: str, name: Name, above: list[Sequence[Sidecar]]) -> dict[str, Any]:
        own = filename.removesuffix(name.extension) + ".json"
        path = _join(content.path, own) if own in content.files else None
        return self.metadata.of(name, [*above, self._shared(content)], path)

    def _table(self, folder: Folder, name: str) -> list[dict[str, str]]:
        if name not in folder.files:
            return []
        path = _join(folder.path, name)
        try:
            return parse_tsv(path, self._bytes(path))
        except (OSError, ReadError) as error:
            self.problem(path, f"the table cannot be read ({error})")
            return []

    def _row(
        self,
        path: str,
        session: str,
        datatype: str,
        name: Name,
        folder: Folder,
        meta: dict[str, Any],
        cells: Cells,
    ) -> Row:
        entities = dict(name.entities)
        annotated = self.shared.scope != "raw"
        scale = meta.get("ADCScale")
        stamp = folder.files[path.rpartition("/")[2]]
        geometry, voxels = (NO_GEOMETRY, "") if name.extension == ".tsv" else self._facts(path, stamp)
        return Row(
            path=path,
            session=session,
            datatype=datatype,
            suffix=name.suffix,
            acquisition=str(meta.get("AcquisitionID") or _cell(cells, "acquisition_id")),
            qc=_cell(cells, "qc_verdict"),
            units=str(meta.get("Units") or ""),
            adc_scale=float(scale) if isinstance(scale, int | float) else None,
            label=(_text(meta.get("Label")) or entities.get("label", "")) if annotated else "",
            reader=(_text(meta.get("Reader")) or entities.get("desc", "")) if annotated else "",
            sources=tuple(_sources(meta.get("Sources"))) if annotated else (),
            regions=self._regions(path, name) if annotated else (),
            study=_text(meta.get("StudyInstanceUID")),
            voxels=voxels,
            stamp=stamp,
            record=self._record(path, name, folder, meta, cells),
            fields=self._fields(meta),
            geometry=geometry,
        )

    def _fields(self, meta: Mapping[str, Any]) -> str:
        values = tuple(map(meta.get, FIELDS))
        known = self.shared.fields
        try:
            if values in known:
                return known[values]
        except TypeError:  # a list or an object, which is left out
            values = tuple(value if isinstance(value, str | int | float) else None for value in values)
        pairs = zip(FIELDS, values, strict=True)
        known[values] = json.dumps([pair for pair in pairs if isinstance(pair[1], str | int | float)])
        return known[values]

    def _known(self, path: str, stamp: Stamp) -> tuple[str, str] | None:
        """Geometry and hash where the header need not be read: of the last time, or of a manifest that fits."""
        last = self.before.get(path)
        same = last is not None and same_state(last.stamp, stamp)
        kept = last if same and self.sure and last is not None and last.geometry != NO_GEOMETRY else None
        if kept is not None and not self.renewed:
            return kept.geometry, kept.voxels
        if last is None or same or self.renewed:
            facts = self.manifest.facts(path, stamp)
            if facts is not None:
                return facts
        return None if kept is None else (kept.geometry, kept.voxels)

    def _facts(self, path: str, stamp: Stamp) -> tuple[str, str]:
        known = self._known(path, stamp)
        if known is not None:
            return known
        try:
            header = header_of(self.tree.head(path, self._state(path)))
        except (*DAMAGED_IMAGE, ReadError) as error:
            self.problem(path, str(error))
            return NO_GEOMETRY, ""
        shape = header.shape if len(header.shape) >= 3 else (*header.shape, 1, 1)[:3]
        affine = tuple(header.affine.ravel().tolist())
        geometry: Geometry = (shape, header.zooms, affine, header.dtype.name, header.slope, header.inter)
        return geometry_text(geometry), ""

    def _regions(self, path: str, name: Name) -> tuple[tuple[str, int], ...]:
        """What a label map or a table holds, by name."""
        table = path.removesuffix(name.extension) + ".tsv"
        if name.suffix != "dseg" and name.suffix not in COORDINATES:
            return ()
        try:
            local = self.tree.local(table)
            if local is None:
                return ()
            return read_regions(local) if name.suffix == "dseg" else tuple((label, 0) for label in read_labels(local))
        except (OSError, ReadError) as error:
            self.problem(path, str(error))
            return ()

    def _record(self, path: str, name: Name, folder: Folder, meta: dict[str, Any], cells: Cells) -> str:
        """The harmonised record from the sidecar, else from ``scans.tsv``, else what the BIDS name alone can tell."""
        try:
            if isinstance(harmonised := meta.get("Harmonised"), dict):
                return self._once(repr(harmonised), lambda: record_from(harmonised))
            if _cell(cells, "sequence"):
                return record_text(Record.from_row(dict(cells)))
        except (TypeError, ValueError) as error:
            self.problem(path, f"the harmonised record cannot be read ({error})")
        bvalues = self._bvalues(folder, path, name) if name.suffix == "dwi" else ()
        key = repr((name.suffix, sorted(pair for pair in name.entities if pair[0] not in ("sub", "ses")), bvalues))
        return self._once(key, lambda: self._record_of_name(name, bvalues))

    def _once(self, key: str, make: Callable[[], Record]) -> str:
        if key not in self.shared.records:
            self.shared.records[key] = record_text(make())
        return self.shared.records[key]

    def _record_of_name(self, name: Name, bvalues: tuple[float, ...]) -> Record:
        words = {word.lower(): word for word in vocabulary()["sequence"].values}
        sequence = words.get(name.suffix.lower(), "unknown") if self.shared.scope == "raw" else "unknown"
        entities = dict(name.entities)
        part = entities.get("part", "mag")
        return Record(
            sequence=sequence,
            agent="with" if "ce" in entities else "unknown",
            part=part if part in vocabulary()["part"].values else "mag",
            echo_index=_index(entities.get("echo")),
            flip_index=_index(entities.get("flip")),
            bvalues=bvalues if sequence == "DWI" else (),
        )

    def _bvalues(self, folder: Folder, path: str, name: Name) -> tuple[float, ...]:
        """The b-values (s/mm²) of the ``.bval`` file beside the image, () where there is none."""
        beside = path.removesuffix(name.extension) + ".bval"
        if beside.rpartition("/")[2] not in folder.files:
            return ()
        try:
            return tuple(float(value) for value in self._bytes(beside).decode().split())
        except (OSError, ReadError, ValueError) as error:
            self.problem(path, f"its .bval cannot be read ({error})")
            return ()


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _cell(cells: Cells, name: str) -> str:
    cell = (cells.get(name) or "").strip()
    return "" if cell == "n/a" else cell


def _text(value: object) -> str:
    """A text of a sidecar; an object under the same key is the description of a column."""
    return value if isinstance(value, str) else ""


def _index(label: str | None) -> int | None:
    return int(label) if label and label.isdigit() and int(label) > 0 else None


def _sources(value: object) -> Iterator[str]:
    """Paths in the raw dataset from BIDS URIs (``bids:raw:sub-…``) or plain relative paths."""
    for uri in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
        yield str(uri).rpartition(":")[2]
