"""The rows of the tables of a data card, from the index; people and visits are counted as :mod:`.smallcells` allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, TypeVar

from ..files.names import natural
from ..index.columns import IDS
from ..index.image import Image
from .smallcells import HIDDEN, share, shown, shown_alone

if TYPE_CHECKING:
    from ..database import Database
    from ..index.columns import Clinical

Row = tuple[object, ...]
Key = TypeVar("Key")
UNKNOWN = "n/a"
STAMP = "acq_time"
"""A column of the sessions that is no clinical one."""

AGES = ("age", "age_at_scan")
VALUES: Mapping[type, str] = {int: "whole numbers", float: "numbers", str: "words"}


@dataclass(frozen=True)
class Tables:
    """All tables of the card of one tree; ``least`` is the smallest count of people that is told."""

    db: Database
    least: int

    @cached_property
    def sites(self) -> list[str]:
        """The sites by name, without those of whom it is not told."""
        told = {str(row.get("site")) for row in self.db.participants.values() if row.get("site")}
        return sorted(told, key=natural)

    def sequences(self) -> list[Row]:
        """Sequence, images, sessions, participants, share of all sessions, median voxel."""
        return [
            (
                sequence,
                f"{len(images):,}",
                shown_alone(len(visits := _visits(images)), self.least),
                shown_alone(len({image.participant_id for image in images}), self.least),
                share(len(visits), len(self.db.sessions), self.least),
                _voxel(images),
            )
            for sequence, images in _grouped(self.db.images, lambda image: image.record.sequence).items()
        ]

    def missing(self) -> tuple[list[str], list[Row]]:
        """The sequences, and a row a site: its sessions, and the share of them that have each."""
        groups = _grouped(self.db.images, lambda image: image.record.sequence)
        have = {sequence: _visits(images) for sequence, images in groups.items()}
        visits: dict[str, list[tuple[str, str]]] = {}
        for visit in self.db.sessions:
            visits.setdefault(self._site(visit[0]), []).append(visit)
        names = sorted(visits, key=natural)
        counts = shown([len(visits[name]) for name in names], self.least)
        rows: list[Row] = [
            (
                name,
                count,
                *(share(sum(v in have[s] for v in visits[name]), len(visits[name]), self.least) for s in have),
            )
            for name, count in zip(names, counts, strict=True)
        ]
        return list(have), rows

    def by_site(self) -> list[Row]:
        """Site, participants, share, sessions, images."""
        people = Counter(self._site(participant) for participant in self.db.participants)
        sessions = Counter(self._site(participant) for participant, _ in self.db.sessions)
        images = Counter(self._site(image.participant_id) for image in self.db.images)
        names = sorted(people, key=natural)
        told = zip(
            names,
            shown([people[name] for name in names], self.least),
            shown([sessions[name] for name in names], self.least),
            strict=True,
        )
        return [(n, c, self._share(c, people[n], people.total()), s, f"{images[n]:,}") for n, c, s in told]

    def by_sex(self) -> list[Row]:
        """Sex as the tables write it, participants, share."""
        return self._of_people(str(row.get("sex") or UNKNOWN) for row in self.db.participants.values())

    def by_age(self) -> list[Row]:
        """Decade of age, participants, share."""
        return self._of_people(_decade(age) for age in self._ages())

    @property
    def knows_sex(self) -> bool:
        """Whether anybody's sex is told."""
        return any(row.get("sex") for row in self.db.participants.values())

    @property
    def ages(self) -> list[float]:
        """The ages that are told as numbers, in years, in order."""
        return sorted(float(age) for age in self._ages() if isinstance(age, int | float))

    @property
    def knows_age(self) -> bool:
        """Whether anybody's age is told."""
        return any(age is not None for age in self._ages())

    def _ages(self) -> list[object]:
        rows = self.db.participants.values()
        return [next((row[name] for name in AGES if row.get(name) is not None), None) for row in rows]

    def _of_people(self, values: Iterable[str]) -> list[Row]:
        counts = Counter(values)
        names = sorted(counts, key=lambda name: (name == UNKNOWN, natural(name)))
        told = shown([counts[name] for name in names], self.least)
        return [(n, c, self._share(c, counts[n], counts.total())) for n, c in zip(names, told, strict=True)]

    def _share(self, told: str, count: int, of: int) -> str:
        """The share of a group, which is told only where its count is."""
        return share(count, of, self.least) if told[0].isdigit() else HIDDEN

    def scanners(self) -> list[Row]:
        """Manufacturer, model, field in tesla, participants, images, share of all images."""
        groups = _grouped(self.db.images, _scanner)
        return [
            (
                *scanner,
                shown_alone(len({image.participant_id for image in images}), self.least),
                f"{len(images):,}",
                share(len(images), len(self.db.images), 1),
            )
            for scanner, images in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        ]

    def verdicts(self) -> list[Row]:
        """Verdict, images, share."""
        counts = Counter(image.qc or "none" for image in self.db.images)
        return [
            (word, f"{counts[word]:,}", share(counts[word], counts.total(), 1))
            for word in ("pass", "waived", "warn", "none")
            if counts[word]
        ]

    def annotations(self) -> list[Row]:
        """Label, form, reader, files, participants."""
        groups = _grouped(self.db.annotations, _drawn)
        return [
            (*drawn, f"{len(images):,}", shown_alone(len({image.participant_id for image in images}), self.least))
            for drawn, images in sorted(groups.items())
        ]

    def clinical(self) -> list[tuple[Row, float]]:
        """Table, column, kind of values, rows, share filled; and that share as a number."""
        found: list[tuple[Row, float]] = []
        for table in self.db.tables:
            for column in table.table.columns:
                if column not in IDS and column != STAMP:
                    found.append(self._column(table, column))
        return found

    def _column(self, table: Clinical, column: str) -> tuple[Row, float]:
        values = [row.get(column) for row in table.table.rows.values()]
        given = [value for value in values if value is not None]
        kind = VALUES[type(given[0])] if given else VALUES[str]
        filled = len(given) / len(values) if values else 0.0
        told = share(len(given), len(values), self.least)
        return (table.name, column, kind, shown_alone(len(values), self.least), told), filled

    def _site(self, participant: str) -> str:
        return str(self.db.participants.get(participant, {}).get("site") or UNKNOWN)


def _grouped(images: Iterable[Image], of: Callable[[Image], Key]) -> dict[Key, list[Image]]:
    """Images by something, the most frequent first."""
    groups: dict[Key, list[Image]] = {}
    for image in images:
        groups.setdefault(of(image), []).append(image)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), str(item[0]))))


def _visits(images: Iterable[Image]) -> set[tuple[str, str]]:
    return {(image.participant_id, image.session_id) for image in images}


def _voxel(images: Sequence[Image]) -> str:
    """The median voxel in mm, the two sides of a slice the smaller first."""
    known = [image.zooms for image in images if len(image.zooms) >= 3]
    if not known:
        return "-"
    return " × ".join(f"{median(zooms[axis] for zooms in known):.2f}" for axis in range(3))


def _scanner(image: Image) -> tuple[str, str, str]:
    fields = image.sidecar_fields
    field = fields.get("MagneticFieldStrength")
    return (
        str(fields.get("Manufacturer") or UNKNOWN),
        str(fields.get("ManufacturersModelName") or UNKNOWN),
        f"{field:.2f}" if isinstance(field, int | float) else "-",
    )


def _drawn(image: Image) -> tuple[str, str, str]:
    names = dict.fromkeys(name for name, _ in image.regions)
    label = image.label or (next(iter(names)) if len(names) == 1 else UNKNOWN)
    return label, image.suffix, image.reader or UNKNOWN


def _decade(age: object) -> str:
    if age is None:
        return UNKNOWN
    if not isinstance(age, int | float):
        return str(age)
    start = int(age) // 10 * 10
    return "90+" if start >= 90 else f"{start}-{start + 9}"
