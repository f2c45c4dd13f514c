"""What an index keeps of one participant: plain rows, packed as compressed JSON, and images made of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from trialbids.mappings.record import Record

from ..files.trees import Stamp
from .image import Image

Geometry = tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...], str, float, float]
"""Shape, zooms, affine row by row, dtype, slope and intercept."""

DAMAGE = (zlib.error, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError)
"""What unpacking something that was not packed here raises."""
MOST = 1 << 26
"""Bytes that the rows of one participant may unpack to: those of some 100 000 images."""


class Row(NamedTuple):
    """One image; ``record``, ``fields`` and ``geometry`` are JSON texts, which many images share.

    ``stamp`` is the state of the file when it was read.
    """

    path: str
    session: str
    datatype: str
    suffix: str
    acquisition: str
    qc: str
    units: str
    adc_scale: float | None
    label: str
    reader: str
    sources: tuple[str, ...]
    regions: tuple[tuple[str, int], ...]
    study: str
    voxels: str
    stamp: Stamp
    record: str
    fields: str
    geometry: str


_encode = json.JSONEncoder(separators=(",", ":")).encode
_SHARED = len(Row._fields) - 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One participant in one scope. ``mark`` is that of its survey, empty where it proves nothing.

    ``content`` holds the rows: as they were read just now, or packed as an index keeps them; ``images`` says how many.
    ``visits`` are the rows of its ``sessions.tsv``.
    """

    scope: str
    subject: str
    mark: bytes
    sessions: tuple[str, ...] = ()
    visits: tuple[Mapping[str, str], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    images: int = 0
    content: bytes | tuple[Row, ...] = ()

    def rows(self) -> Sequence[Row]:
        """The images. Raises one of :data:`DAMAGE` where the entry was not packed by :func:`pack`."""
        return unpack(self.content) if isinstance(self.content, bytes) else self.content

    def packed(self) -> Entry:
        """The same with its rows as :func:`pack` writes them, in a fifth of the memory."""
        return self if isinstance(self.content, bytes) else replace(self, content=pack(self.content))


def pack(rows: Iterable[Row]) -> bytes:
    """Rows as compressed JSON, every shared text once."""
    texts: dict[str, int] = {}
    plain: list[list[Any]] = []
    for row in rows:
        shared = [texts.setdefault(text, len(texts)) for text in (row.record, row.fields, row.geometry)]
        plain.append([*row[:_SHARED], *shared])
    return zlib.compress(_encode([list(texts), plain]).encode(), 1)


def unpack(packed: bytes) -> list[Row]:
    """The inverse of :func:`pack`. Raises one of :data:`DAMAGE`."""
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, MOST)
    if not unpacker.eof:
        raise ValueError(f"it is cut, or unpacks to more than {MOST} bytes")
    texts, plain = json.loads(text)
    rows: list[Row] = []
    for values in plain:
        values[10] = tuple(values[10])
        values[11] = tuple((name, index) for name, index in values[11])
        values[14] = tuple(values[14])
        values[_SHARED:] = [texts[number] for number in values[_SHARED:]]
        rows.append(Row._make(values))
    return rows


@dataclass(slots=True)
class Makers:
    """Makes images of rows; what many images share (records, geometries, entities) is made once."""

    records: dict[str, Record] = field(default_factory=dict)
    fields: dict[str, tuple[tuple[str, str | float], ...]] = field(default_factory=dict)
    geometries: dict[str, Geometry] = field(default_factory=dict)
    entities: dict[str, tuple[str, str]] = field(default_factory=dict)

    def image(self, row: Row, scope: str, subject: str, site: str) -> Image:
        """The image of a row. Raises one of :data:`DAMAGE` where its texts are none of ours."""
        if (record := self.records.get(row.record)) is None:
            record = self.records[row.record] = record_of(row.record)
        if (fields := self.fields.get(row.fields)) is None:
            fields = self.fields[row.fields] = tuple((name, value) for name, value in json.loads(row.fields))
        if (geometry := self.geometries.get(row.geometry)) is None:
            geometry = self.geometries[row.geometry] = geometry_of(row.geometry)
        shape, zooms, affine, dtype, slope, inter = geometry
        return Image(
            path=row.path,
            participant_id=subject,
            session_id=row.session,
            datatype=row.datatype,
            suffix=row.suffix,
            entities=self._entities(row.path),
            scope=scope,
            site=site,
            acquisition_id=row.acquisition,
            qc=row.qc,
            record=record,
            units=row.units,
            adc_scale=row.adc_scale,
            label=row.label,
            reader=row.reader,
            sources=row.sources,
            regions=row.regions,
            shape=shape,
            affine=affine,
            zooms=zooms,
            dtype=dtype,
            slope=slope,
            inter=inter,
            voxels_sha256=row.voxels,
            study=row.study,
            fields=fields,
        )

    def _entities(self, path: str) -> tuple[tuple[str, str], ...]:
        pairs: list[tuple[str, str]] = []
        for part in path[path.rfind("/") + 1 :].split("_")[:-1]:
            if (pair := self.entities.get(part)) is None:
                key, _, label = part.partition("-")
                pair = self.entities[part] = (key, label)
            pairs.append(pair)
        pairs.sort()
        return tuple(pairs)


def record_text(record: Record) -> str:
    """A record as JSON."""
    return _encode(record.to_json())


def record_of(text: str) -> Record:
    """The inverse of :func:`record_text`. Raises ``ValueError`` or ``TypeError`` for what is no record."""
    return record_from(json.loads(text))


def record_from(values: Mapping[str, Any]) -> Record:
    """A record of the object that a sidecar holds. Raises ``ValueError`` or ``TypeError``."""
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Record(**plain)


def geometry_text(geometry: Geometry | None) -> str:
    """A geometry as JSON; of a file without one (a table, or a damaged header) an empty one."""
    return _encode(geometry or ((), (), (), "", 1.0, 0.0))


def geometry_of(text: str) -> Geometry:
    """The inverse of :func:`geometry_text`."""
    shape, zooms, affine, dtype, slope, inter = json.loads(text)
    return tuple(shape), tuple(zooms), tuple(affine), dtype, slope, inter
