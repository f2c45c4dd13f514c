"""One walk over the tree: every image with its sidecars, tables and header facts. No voxel is read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..errors import ReadError
from ..files.names import NIFTI, Name, parse_name
from ..files.nifti import read_header
from ..files.regions import COORDINATES, read_labels, read_regions
from ..files.sidecars import Metadata, Sidecar, shared_sidecars
from ..files.tables import read_tsv
from .image import Image
from .manifest import Facts, Manifest

Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that the index set aside, or of which it could read only a part."""

    path: str
    reason: str


@dataclass(slots=True)
class Scan:
    """What the walk found. ``sessions`` holds every session folder, also one without images."""

    images: list[Image] = field(default_factory=list)
    sessions: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Folder:
    """The entries of one folder, by kind; paths are relative to the root."""

    folders: list[str] = field(default_factory=list)
    images: list[os.DirEntry[str]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    sidecars: list[Sidecar] = field(default_factory=list)


def scan_tree(
    root: Path, manifest: Manifest, sites: Mapping[str, str], *, scope: str = "raw", prefix: str = ""
) -> Scan:
    """Walk ``root/prefix`` (a raw dataset, or the derivative dataset ``derivatives/annotations``)."""
    return _Walk(root, manifest, sites, scope, prefix).run()


class _Walk:
    def __init__(self, root: Path, manifest: Manifest, sites: Mapping[str, str], scope: str, prefix: str) -> None:
        self.root, self.manifest, self.sites, self.scope, self.prefix = root, manifest, sites, scope, prefix
        self.records: dict[str, Record] = {}
        self.found = Scan()
        self.metadata = Metadata(root, self.problem)

    def problem(self, path: str, reason: str) -> None:
        self.found.problems.append(Problem(path, reason))

    def run(self) -> Scan:
        top = self.listing(self.prefix)
        for subject in _named(top.folders, "sub-"):
            below = self.listing(self.join(self.prefix, subject))
            sessions = _named(below.folders, "ses-")
            for session in sessions:
                self.session(subject, session, [top, below])
            if not sessions or set(below.folders) - set(sessions):
                self.session(subject, "", [top], below)
        return self.found

    def session(self, subject: str, session: str, above: list[_Folder], here: _Folder | None = None) -> None:
        """Read one session folder, or the subject's own folder where there are no sessions."""
        folder = self.join(self.prefix, subject, session)
        here = here or self.listing(folder)
        self.found.sessions.append((subject, session))
        scans = f"{'_'.join(filter(None, (subject, session)))}_scans.tsv"
        rows = (
            {row.get("filename", ""): row for row in read_tsv(self.root / folder / scans)}
            if scans in here.files
            else {}
        )
        own = {(key[:3], key[4:]) for key in (subject, session) if key}
        for datatype in sorted(name for name in here.folders if not name.startswith(("ses-", "."))):
            content = self.listing(self.join(folder, datatype))
            levels = [level.sidecars for level in (*above, here)]
            for entry in content.images:
                path = self.join(folder, datatype, entry.name)
                name = parse_name(entry.name)
                if name is None or not own <= name.entities:
                    self.problem(path, "the file name does not follow BIDS")
                    continue
                meta = self.meta(path, name, content, levels)
                cells = rows.get(f"{datatype}/{entry.name}", {})
                facts = self.manifest.facts(path, entry) or self.header_facts(path)
                self.found.images.append(self.image(path, subject, session, datatype, name, facts, meta, cells))
            for path, name in self.annotation_tables(folder, datatype, content):
                meta = self.meta(path, name, content, levels)
                self.found.images.append(self.image(path, subject, session, datatype, name, Facts(), meta, {}))

    def annotation_tables(self, folder: str, datatype: str, content: _Folder) -> Iterator[tuple[str, Name]]:
        """The tables of boxes and points in a folder of annotations."""
        for filename in sorted(content.files) if self.scope != "raw" else ():
            name = parse_name(filename)
            if name is not None and name.extension == ".tsv" and name.suffix in COORDINATES:
                yield self.join(folder, datatype, filename), name

    def meta(self, path: str, name: Name, content: _Folder, above: list[list[Sidecar]]) -> dict[str, Any]:
        folder, _, filename = path.rpartition("/")
        own = filename.removesuffix(name.extension) + ".json"
        levels = [*above, content.sidecars]
        return self.metadata.of(name, levels, f"{folder}/{own}" if own in content.files else None)

    def image(
        self,
        path: str,
        subject: str,
        session: str,
        datatype: str,
        name: Name,
        facts: Facts,
        meta: dict[str, Any],
        cells: Cells,
    ) -> Image:
        entities = dict(name.entities)
        annotated = self.scope != "raw"
        scale = meta.get("ADCScale")
        return Image(
            path=path,
            participant_id=subject,
            session_id=session,
            datatype=datatype,
            suffix=name.suffix,
            entities=tuple(sorted(name.entities)),
            scope=self.scope,
            site=self.sites.get(subject, ""),
            acquisition_id=str(meta.get("AcquisitionID") or _cell(cells, "acquisition_id")),
            qc=_cell(cells, "qc_verdict"),
            record=self.record(path, name, meta, cells),
            units=str(meta.get("Units") or ""),
            adc_scale=float(scale) if isinstance(scale, int | float) else None,
            label=(_text(meta.get("Label")) or entities.get("label", "")) if annotated else "",
            reader=(_text(meta.get("Reader")) or entities.get("desc", "")) if annotated else "",
            sources=tuple(_sources(meta.get("Sources"))) if annotated else (),
            regions=self.regions(path, name) if annotated else (),
            shape=facts.shape,
            affine=facts.affine,
            dtype=facts.dtype,
            slope=facts.slope,
            inter=facts.inter,
            voxels_sha256=facts.voxels_sha256,
        )

    def regions(self, path: str, name: Name) -> tuple[tuple[str, int], ...]:
        """What a label map or a table holds, by name."""
        try:
            if name.suffix == "dseg":
                return read_regions(self.root / (path.removesuffix(name.extension) + ".tsv"))
            if name.suffix in COORDINATES:
                return tuple((label, 0) for label in read_labels(self.root / path))
        except ReadError as error:
            self.problem(path, str(error))
        return ()

    def header_facts(self, path: str) -> Facts:
        try:
            header = read_header(self.root / path)
        except ReadError as error:
            self.problem(path, str(error.__cause__ or error))
            return Facts()
        shape = header.shape if len(header.shape) >= 3 else (*header.shape, 1, 1)[:3]
        return Facts(shape, tuple(header.affine.ravel().tolist()), header.dtype.name, header.slope, header.inter)

    def record(self, path: str, name: Name, meta: dict[str, Any], cells: Cells) -> Record:
        """The harmonised record from the sidecar, else from ``scans.tsv``, else what the BIDS name alone can tell."""
        try:
            if isinstance(harmonised := meta.get("Harmonised"), dict):
                text = repr(harmonised)
                if text not in self.records:
                    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in harmonised.items()}
                    self.records[text] = Record(**values)
                return self.records[text]
            if _cell(cells, "sequence"):
                return Record.from_row(dict(cells))
        except (TypeError, ValueError) as error:
            self.problem(path, f"the harmonised record cannot be read ({error})")
        return self.record_of_name(path, name)

    def record_of_name(self, path: str, name: Name) -> Record:
        words = {word.lower(): word for word in vocabulary()["sequence"].values}
        sequence = words.get(name.suffix.lower(), "unknown") if self.scope == "raw" else "unknown"
        entities = dict(name.entities)
        part = entities.get("part", "mag")
        return Record(
            sequence=sequence,
            agent="with" if "ce" in entities else "unknown",
            part=part if part in vocabulary()["part"].values else "mag",
            echo_index=_index(entities.get("echo")),
            flip_index=_index(entities.get("flip")),
            bvalues=self.bvalues(path, name) if sequence == "DWI" else (),
        )

    def bvalues(self, path: str, name: Name) -> tuple[float, ...]:
        """The b-values (s/mm²) of the ``.bval`` file beside the image, () where there is none."""
        beside = self.root / (path.removesuffix(name.extension) + ".bval")
        try:
            return tuple(float(value) for value in beside.read_text(encoding="utf-8").split())
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            self.problem(path, f"its .bval cannot be read ({error})")
            return ()

    def listing(self, folder: str) -> _Folder:
        found = _Folder()
        try:
            entries = sorted(os.scandir(self.root / folder), key=lambda entry: entry.name)
        except OSError as error:
            self.problem(folder, f"the folder cannot be read ({error.strerror})")
            return found
        for entry in entries:
            if entry.is_dir():
                found.folders.append(entry.name)
            elif entry.name.endswith(NIFTI):
                found.images.append(entry)
            else:
                found.files.add(entry.name)
        stems = {entry.name.partition(".")[0] for entry in found.images}
        found.sidecars = shared_sidecars(folder, found.files, stems)
        return found

    @staticmethod
    def join(*parts: str) -> str:
        return "/".join(part for part in parts if part)


def _named(folders: list[str], start: str) -> list[str]:
    return [name for name in folders if name.startswith(start) and name[len(start) :].isalnum()]


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
