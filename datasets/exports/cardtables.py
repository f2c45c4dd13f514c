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
from .smallcells import (
    HIDDEN,
    are_single,
    closed,
    closed_cells,
    is_lacked_by_few,
    most,
    percent,
    share,
    shown,
    shown_alone,
)

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
        groups = list(self._sequences.items())
        few = [n for n, (_, images) in enumerate(groups) if self._few_lack(images)]
        told = self._told([_people(images) for _, images in groups], few)
        return [
            self._sequence(sequence, images, people, is_closed=is_closed, few_lack=n in few)
            for n, ((sequence, images), (people, is_closed)) in enumerate(zip(groups, told, strict=True))
        ]

    def _sequence(self, sequence: str, images: Sequence[Image], people: str, *, is_closed: bool, few_lack: bool) -> Row:
        visits, of = len(_visits(images)), len(self.db.sessions)
        if few_lack and _people(images) >= self.least:
            bounds = most(visits, of, self.least), most(_people(images), len(self.db.participants), self.least)
            told = share(visits, of, self.least) if is_lacked_by_few(visits, of, self.least) else HIDDEN
            return (sequence, HIDDEN, *bounds, told, _voxel(images))
        if is_closed:
            return (sequence, HIDDEN, HIDDEN, people, HIDDEN, _voxel(images))
        return (sequence, f"{len(images):,}", f"{visits:,}", people, share(visits, of, self.least), _voxel(images))

    def _few_lack(self, images: Sequence[Image]) -> bool:
        """Whether it would tell of few participants or visits that they have no such image."""
        pairs = (len(_visits(images)), len(self.db.sessions)), (_people(images), len(self.db.participants))
        return any(is_lacked_by_few(count, of, self.least) for count, of in pairs)

    def missing(self) -> tuple[list[str], list[Row]]:
        """The sequences, and a row a site: its sessions, and the share of them that have each."""
        if not (sites := self._by_site):
            return [], []
        have = {sequence: _visits(images) for sequence, images in self._sequences.items()}
        visits = [{visit for visit in self.db.sessions if visit[0] in people} for people in sites.values()]
        shut = [
            n for n, (_, is_closed) in enumerate(self._told([len(people) for people in sites.values()])) if is_closed
        ]
        counts = [[len(here & those) for those in have.values()] for here in visits]
        hidden = closed_cells(counts, [len(here) for here in visits], shut, self.least)
        rows: list[Row] = [
            (
                site,
                HIDDEN if n in shut else f"{len(visits[n]):,}",
                *(
                    HIDDEN if (n, m) in hidden else share(count, len(visits[n]), self.least)
                    for m, count in enumerate(counts[n])
                ),
            )
            for n, site in enumerate(sites)
        ]
        return list(have), rows

    def by_site(self) -> list[Row]:
        """Site, participants, share, sessions, images."""
        sessions = Counter(self._site(participant) for participant, _ in self.db.sessions)
        images = Counter(self._site(image.participant_id) for image in self.db.images)
        counts = {site: len(people) for site, people in self._by_site.items()}
        told = zip(counts, self._told(list(counts.values())), strict=True)
        return [
            (site, people, HIDDEN, HIDDEN, HIDDEN)
            if is_closed
            else (
                site,
                people,
                percent(counts[site] / sum(counts.values())),
                f"{sessions[site]:,}",
                f"{images[site]:,}",
            )
            for site, (people, is_closed) in told
        ]

    @property
    def largest_site(self) -> str:
        """The share of the participants that one site gives, where it is more than half and may be told; else ""."""
        shares = [str(row[2]) for row in self.by_site() if row[0] != UNKNOWN and row[2] != HIDDEN]
        return next((share for share in shares if share[0].isdigit() and int(share[:-2]) > 50), "")

    @property
    def knows_groups(self) -> bool:
        """Whether the number of sites may be told: not where each has one participant."""
        return bool(self.sites) and bool(self._by_site)

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
        told = self._told([counts[name] for name in names])
        return [
            (name, people, HIDDEN if is_closed else percent(counts[name] / counts.total()))
            for name, (people, is_closed) in zip(names, told, strict=False)
        ]

    def _told(self, people: Sequence[int], shut: Sequence[int] = ()) -> list[tuple[str, bool]]:
        """For each group of a table what is told of its people, and whether its row is closed; none for groups of one.

        Rows in ``shut`` are closed for another reason.

        A closed row has no other cell: images, visits and shares would tell how many people there are.
        """
        if are_single(people, self.least):
            return []
        hidden = closed(people, self.least, shut)
        return [(told, n in hidden) for n, told in enumerate(shown(people, self.least, shut))]

    def scanners(self) -> list[Row]:
        """Manufacturer, model, field in tesla, participants, images, share of all images."""
        groups = sorted(_grouped(self.db.images, _scanner).items(), key=lambda item: (-len(item[1]), item[0]))
        told = self._told([_people(images) for _, images in groups])
        return [
            (*scanner, people, HIDDEN, HIDDEN)
            if is_closed
            else (*scanner, people, f"{len(images):,}", percent(len(images) / len(self.db.images)))
            for (scanner, images), (people, is_closed) in zip(groups, told, strict=False)
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
        groups = sorted(_grouped(self.db.annotations, _drawn).items())
        told = self._told([_people(images) for _, images in groups])
        return [
            (*drawn, HIDDEN if is_closed else f"{len(images):,}", people)
            for (drawn, images), (people, is_closed) in zip(groups, told, strict=False)
        ]

    @property
    def drawn(self) -> str:
        """The number of files of annotations, which is not told where it would tell of whom they are."""
        of_many = any(str(row[-1]).lstrip(">=").isdigit() and row[-1] != ">0" for row in self.annotations())
        return f"{len(self.db.annotations):,}" if of_many else HIDDEN

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
        told = HIDDEN if column in self._guarded else share(len(given), len(values), self.least)
        return (table.name, column, kind, shown_alone(len(values), self.least), told), filled

    @cached_property
    def _guarded(self) -> frozenset[str]:
        """The columns whose groups have a table with closed rows: how many are unknown would open them."""
        tables = {("site",): self.by_site(), ("sex",): self.by_sex(), AGES: self.by_age()}
        return frozenset(
            column
            for columns, rows in tables.items()
            for column in columns
            if not rows or any(HIDDEN in row for row in rows)
        )

    @cached_property
    def _sequences(self) -> dict[str, list[Image]]:
        """The images by sequence; none where each sequence is of one participant."""
        groups = _grouped(self.db.images, lambda image: image.record.sequence)
        return {} if are_single([_people(images) for images in groups.values()], self.least) else groups

    @cached_property
    def _by_site(self) -> dict[str, set[str]]:
        """The participants of each site; no site where each has one."""
        groups: dict[str, set[str]] = {}
        for participant in (*self.db.participants, *(participant for participant, _ in self.db.sessions)):
            groups.setdefault(self._site(participant), set()).add(participant)
        if are_single([len(people) for people in groups.values()], self.least):
            return {}
        return {site: groups[site] for site in sorted(groups, key=natural)}

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


def _people(images: Iterable[Image]) -> int:
    return len({image.participant_id for image in images})


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
