"""Reads one participant: every image with its sidecars, tables and header facts. No voxel is read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from trialbids.mappings.record import Record

from ..errors import ReadError
from ..files.names import Name, VisitNames, parse_name
from ..files.nifti import DAMAGE as DAMAGED_IMAGE
from ..files.nifti import header_of
from ..files.regions import COORDINATES, read_labels, read_regions
from ..files.sidecars import Metadata, Sidecar, shared_sidecars
from ..files.tables import parse_tsv, united
from ..files.trees import Folder, Stamp, Tree
from .found import Entry, Geometry, Row, geometry_text, record_from, record_text
from .image import FIELDS
from .manifest import Manifest
from .named import named_record
from .survey import Survey, plain_bytes, same_state, sessions_of

Cells = Mapping[str, str]
NO_GEOMETRY = geometry_text(None)
ADC_SCALES = (1e-12, 1e6)
"""The least and the greatest factor to mm²/s: of values in nm²/s and in m²/s."""


@dataclass(slots=True)
class Shared:
    """What all participants of one scope have in common: the sidecars at its root, and the records made so far."""

    scope: str
    prefix: str
    sidecars: Sequence[Sidecar]
    bvalues: Sequence[Sidecar] = ()
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[bytes, str] = field(default_factory=dict)
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
        self.levels: dict[tuple[str, str], list[Sidecar]] = {}

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
        visits = self._table(top, f"{subject}_sessions.tsv", "session_id") if self.shared.scope == "raw" else []
        return Entry(
            scope=self.shared.scope,
            subject=subject,
            mark=b"" if seen.young else seen.mark,
            sessions=(*sessions, *([""] if whole else [])),
            visits=tuple(visits),
            problems=tuple(self.problems),
            images=len(self.rows),
            content=tuple(self.rows),
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
        scans = self._table(here, f"{'_'.join(filter(None, (subject, session)))}_scans.tsv", "filename")
        rows = {row.get("filename", ""): row for row in scans}
        names = VisitNames((key[:3], key[4:]) for key in (subject, session) if key)
        for datatype in (name for name in here.folders if not name.startswith("ses-")):
            content = seen.folders[_join(folder, datatype)]
            levels = (*above, here, content)
            sidecars = [self.shared.sidecars, *(self._shared(each) for each in levels)]
            sidecars = [level for level in sidecars if level]
            for filename in self._wanted(content):
                path = f"{content.path}/{filename}"
                name = names.parse(filename)
                if name is None:
                    self.problem(path, "the file name does not follow BIDS")
                    continue
                meta = self._meta(content, filename, name, sidecars)
                cells = rows.get(f"{datatype}/{filename}", {})
                self.rows.append(self._row(path, session, datatype, name, levels, meta, cells))

    def _wanted(self, content: Folder) -> Iterator[str]:
        """The images of a folder, then, of annotations, the tables of boxes and points."""
        yield from content.images
        for filename in content.files if self.shared.scope != "raw" else ():
            stem, _, extension = filename.partition(".")
            if extension == "tsv" and stem.rpartition("_")[2] in COORDINATES and parse_name(filename) is not None:
                yield filename

    def _shared(self, folder: Folder, extension: str = ".json") -> list[Sidecar]:
        key = (folder.path, extension)
        if key not in self.levels:
            stems = {name.partition(".")[0] for name in folder.images}
            self.levels[key] = shared_sidecars(folder.path, folder.files, stems, extension)
        return self.levels[key]

    def _meta(self, content: Folder, filename: str, name: Name, shared: list[Sequence[Sidecar]]) -> dict[str, Any]:
        own = filename.removesuffix(name.extension) + ".json"
        return self.metadata.of(name, shared, f"{content.path}/{own}" if own in content.files else None)

    def _table(self, folder: Folder, name: str, key: str) -> list[dict[str, str]]:
        """The rows of a table, one for each value of the column ``key``."""
        if name not in folder.files:
            return []
        path = _join(folder.path, name)
        remark = partial(self.problem, path)
        try:
            return united(parse_tsv(path, self._bytes(path), key, remark), key, remark)
        except (OSError, ReadError) as error:
            self.problem(path, f"the table cannot be read ({error})")
            return []

    def _row(
        self,
        path: str,
        session: str,
        datatype: str,
        name: Name,
        levels: Sequence[Folder],
        meta: dict[str, Any],
        cells: Cells,
    ) -> Row:
        annotated = self.shared.scope != "raw"
        entities = dict(name.entities) if annotated else {}
        stamp = levels[-1].files[path.rpartition("/")[2]]
        geometry, voxels = (NO_GEOMETRY, "") if name.extension == ".tsv" else self._facts(path, stamp)
        return Row(
            path=path,
            session=session,
            datatype=datatype,
            suffix=name.suffix,
            acquisition=str(meta.get("AcquisitionID") or _cell(cells, "acquisition_id")),
            qc=_cell(cells, "qc_verdict"),
            units=str(meta.get("Units") or ""),
            adc_scale=self._adc_scale(path, meta),
            label=(_text(meta.get("Label")) or entities.get("label", "")) if annotated else "",
            reader=(_text(meta.get("Reader")) or entities.get("desc", "")) if annotated else "",
            sources=tuple(_sources(meta.get("Sources"))) if annotated else (),
            regions=self._regions(path, name) if annotated else (),
            study=_text(meta.get("StudyInstanceUID")),
            voxels=voxels,
            stamp=stamp,
            record=self._record(path, name, levels, meta, cells),
            fields=self._fields(path, meta),
            geometry=geometry,
        )

    def _adc_scale(self, path: str, meta: Mapping[str, Any]) -> float | None:
        """The factor to mm²/s; None where there is none, or one that no unit of diffusion has."""
        scale = meta.get("ADCScale")
        if scale is None:
            return None
        if _is_number(scale) and ADC_SCALES[0] <= scale <= ADC_SCALES[1]:
            return float(scale)
        least, most = ADC_SCALES
        self.problem(path, f"ADCScale is {_short(scale)}, no factor from {least:g} to {most:g}; it counts as absent")
        return None

    def _fields(self, path: str, meta: Mapping[str, Any]) -> str:
        values = tuple(map(meta.get, FIELDS))
        known = self.shared.fields
        try:
            if values in known:
                return known[values]
        except TypeError:  # a list or an object, which is left out
            values = tuple(value if isinstance(value, str | int | float) else None for value in values)
        pairs = [pair for pair in zip(FIELDS, values, strict=True) if isinstance(pair[1], str | int | float)]
        sound = [(name, value) for name, value in pairs if isinstance(value, str) or _is_number(value)]
        text = json.dumps(sound)
        if len(sound) < len(pairs):
            words = ", ".join(f"{name} is {_short(value)}" for name, value in pairs if (name, value) not in sound)
            self.problem(path, f"{words}; what is no number counts as absent")
        else:
            known[values] = text
        return text

    def _known(self, path: str, stamp: Stamp) -> tuple[str, str] | None:
        """Geometry and hash where the header need not be read: of the last time, or of a manifest that fits."""
        last = self.before.get(path)
        same = last is not None and same_state(last.stamp, stamp)
        kept = last if same and self.sure and last is not None and last.geometry != NO_GEOMETRY else None
        if kept is not None and not self.renewed:
            return kept.geometry, kept.voxels
        if self._may_be_listed(path, stamp):
            facts = self.manifest.facts(path, stamp, believed=same and last is not None and last.voxels != "")
            if facts is not None:
                return facts
        return None if kept is None else (kept.geometry, kept.voxels)

    def _may_be_listed(self, path: str, stamp: Stamp) -> bool:
        """Whether the manifest may speak of the file: not of one that changed since, if the manifest did not."""
        last = self.before.get(path)
        return last is None or self.renewed or same_state(last.stamp, stamp)

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
        text = geometry_text(geometry)
        return text, self.manifest.agreed(path, stamp, text) if self._may_be_listed(path, stamp) else ""

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

    def _record(self, path: str, name: Name, levels: Sequence[Folder], meta: dict[str, Any], cells: Cells) -> str:
        """The harmonised record from the sidecar, else from ``scans.tsv``, else what the BIDS name alone can tell."""
        try:
            if isinstance(harmonised := meta.get("Harmonised"), dict):
                return self._once(harmonised, lambda: record_from(harmonised))
            if _cell(cells, "sequence"):
                return record_text(Record.from_row(dict(cells)))
        except (TypeError, ValueError) as error:
            self.problem(path, f"the harmonised record cannot be read ({error})")
        bvalues = self._bvalues(path, name, levels) if name.suffix == "dwi" else ()
        key = (name.suffix, sorted(pair for pair in name.entities if pair[0] not in ("sub", "ses")), bvalues)
        return self._once(key, lambda: named_record(name, bvalues, raw=self.shared.scope == "raw"))

    def _once(self, facts: object, make: Callable[[], Record]) -> str:
        """The record of some plain values, made when they are first met."""
        key = plain_bytes(facts)
        if key not in self.shared.records:
            self.shared.records[key] = record_text(make())
        return self.shared.records[key]

    def _bvalues(self, path: str, name: Name, levels: Sequence[Folder]) -> tuple[float, ...]:
        """The b-values (s/mm²) of the ``.bval`` beside the image, else of the nearest that it inherits, else ()."""
        nearest = path.removesuffix(name.extension) + ".bval"
        if nearest.rpartition("/")[2] not in levels[-1].files:
            shared = (self.shared.bvalues, *(self._shared(each, ".bval") for each in levels))
            inherited = [each.path for level in shared for each in level if each.applies(name)]
            if not inherited:
                return ()
            nearest = inherited[-1]
        try:
            values = tuple(float(value) for value in self._bytes(nearest).decode().split())
            if not all(map(_is_number, values)):
                raise ValueError("a b-value is not finite")
            return values
        except (OSError, ReadError, ValueError) as error:
            self.problem(path, f"{nearest} cannot be read ({error})")
            return ()


def _join(*parts: str) -> str:
    return "/".join(part for part in parts if part)


def _is_number(value: object) -> bool:
    """Whether it is a number of 64 bits: not true or false, NaN, infinite, or an integer beyond all floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _short(value: object) -> str:
    return repr(value)[:40]


def _cell(cells: Cells, name: str) -> str:
    cell = (cells.get(name) or "").strip()
    return "" if cell == "n/a" else cell


def _text(value: object) -> str:
    """A text of a sidecar; an object under the same key is the description of a column."""
    return value if isinstance(value, str) else ""


def _sources(value: object) -> Iterator[str]:
    """Paths in the raw dataset from BIDS URIs (``bids:raw:sub-…``) or plain relative paths."""
    for uri in [value] if isinstance(value, str) else value if isinstance(value, list) else []:
        yield str(uri).rpartition(":")[2]
