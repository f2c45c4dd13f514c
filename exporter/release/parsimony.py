"""What of a trial was re-packed into images and what was not needed: counted by category, and listed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trialbids.mappings.fields import AllowList

from ..inventory.instance import Instance
from ..pipeline import Plan
from ..plan.row import PlanRow
from ..select.parsimony import CATEGORIES, FIELD, KEPT, PROJECTION, Category, category_of
from ..select.projection import UNNAMED, is_projection
from ..tables import tsv_bytes, write_atomic

PARSIMONY_FILE = "parsimony.tsv"
COLUMNS = ("category", "what", "series_uid", "files", "bytes", "reason", "sentence", "trial_yaml")

ASIDE = "instances"
"""What stands in the list for instances that are in no stack."""

ADDED = {
    "number": "fields: {{add: [{{keyword: {}}}]}}",
    "words": "fields: {{add: [{{keyword: {}, action: words, words: [the values that may leave]}}]}}",
}
"""The line that adds an attribute to what may leave, by what it is read as."""

Place = tuple[str, str]
"""Where an object lies: the file, and the member inside it or ""."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How many series have objects of a category, how many objects those are, and their bytes."""

    series: int
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Unlisted:
    """An attribute that does not leave: how many objects have it, and what a trial could release it as, or ""."""

    name: str
    objects: int
    kind: str


@dataclass(frozen=True, slots=True)
class Fields:
    """The attributes that the headers of the sources have.

    ``before`` counts distinct attributes, ``after`` the fields of the allow-list that the re-packed objects have and
    ``listed`` all fields of that list. ``unlisted`` are the attributes that no field of the list is read from, the
    most frequent first.
    """

    before: int
    after: int
    listed: int
    unlisted: tuple[Unlisted, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list: a stack, or the instances of a series that were set aside for one reason."""

    category: Category
    what: str
    series_uid: str
    files: int
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """What became of everything in the sources. Each object is of one category of ``weights``, so they add up."""

    weights: Mapping[str, Weight]
    fields: Fields
    entries: tuple[Entry, ...] = field(default=(), repr=False)


def account(plan: Plan, rows: Sequence[PlanRow], allowed: AllowList) -> Account:
    """Weigh everything that a plan holds, by the decisions of ``rows``."""
    parts = tuple(_parts(plan, rows))
    return Account(_weights(parts), _fields(plan, parts, allowed), tuple(_entries(parts)))


def write_parsimony(work: Path, account: Account) -> None:
    """``parsimony.tsv`` of the work folder: everything that is not needed, with what brings it back."""
    rank = {category.id: n for n, category in enumerate(CATEGORIES)}
    cells = [
        {
            "category": e.category.id,
            "what": e.what,
            "series_uid": e.series_uid,
            "files": str(e.files),
            "bytes": str(e.bytes),
            "reason": e.reason,
            "sentence": e.category.sentence,
            "trial_yaml": e.category.back or f"nothing: {e.category.never}",
        }
        for e in sorted(account.entries, key=lambda e: rank[e.category.id])
    ]
    write_atomic(work / PARSIMONY_FILE, tsv_bytes(COLUMNS, [*cells, *_field_cells(account.fields.unlisted)]))


def _field_cells(unlisted: Sequence[Unlisted]) -> Iterator[dict[str, str]]:
    """A line for each field that can be added to the list, and one for all others together."""
    own = {"category": FIELD.id, "reason": "not-listed", "sentence": FIELD.sentence}
    for field_ in unlisted:
        if field_.kind:
            back = ADDED[field_.kind].format(field_.name)
            yield own | {"what": f"field {field_.name}", "files": str(field_.objects), "trial_yaml": back}
    never = [field_ for field_ in unlisted if not field_.kind]
    if never:
        names = ", ".join(field_.name for field_ in never)
        most = str(max(field_.objects for field_ in never))
        what = f"{len(never)} fields: {names}" if len(never) > 1 else f"field {names}"
        yield own | {"what": what, "files": most, "trial_yaml": f"nothing: {FIELD.never}"}


@dataclass(frozen=True, slots=True)
class _Part:
    """A stack, or an instance that was set aside, with its category."""

    category: Category
    what: str
    series_uid: str
    reason: str
    instances: Sequence[Instance]


def _parts(plan: Plan, rows: Iterable[PlanRow]) -> Iterator[_Part]:
    """Every instance of the inventory, in the order of the plan."""
    planned = {p.row.stack_id: p.harmonised for p in plan.planned}
    for row in rows:
        decision = row.final_decision or row.decision
        h = planned[row.stack_id]
        kind = PROJECTION if row.record.sequence in UNNAMED and is_projection(h) else row.record.sequence
        category = category_of(decision, row.reason, kind)
        reason = f"{decision}: {row.reason}" if row.reason else decision
        yield _Part(category, f"stack {row.stack_id}", row.series_uid, reason, h.stack.instances)
    for aside in plan.stacking.set_aside:
        i, category = aside.instance, category_of("", aside.reason)
        yield _Part(category, ASIDE, i.SeriesInstanceUID, f"set aside: {aside.reason}", (i,))


def _weights(parts: Iterable[_Part]) -> dict[str, Weight]:
    rank = {category.id: n for n, category in enumerate(CATEGORIES)}
    best: dict[Place, tuple[int, int]] = {}
    series: dict[str, set[str]] = defaultdict(set)
    for part in parts:
        own = rank[part.category.id]
        for i in part.instances:
            series[part.category.id].add(i.SeriesInstanceUID)
            place = (i.path, i.member)
            if place not in best or own < best[place][0]:
                best[place] = (own, i.size)
    files = Counter(n for n, _ in best.values())
    sizes: Counter[int] = Counter()
    for n, size in best.values():
        sizes[n] += size
    return {c.id: Weight(len(series[c.id]), files[n], sizes[n]) for n, c in enumerate(CATEGORIES) if c.id in series}


def _fields(plan: Plan, parts: Iterable[_Part], allowed: AllowList) -> Fields:
    from ..inventory.attributes import kind_of, name_of, tags_of  # pydicom, which else nothing here needs

    layouts = plan.inventory.layouts
    met: Counter[int] = Counter()
    for name, n in Counter(i.layout for i in plan.inventory.instances if i.frame <= 1).items():
        for tag in layouts.get(name, ()):
            met[tag] += n
    names = {i.layout for part in parts if part.category is KEPT for i in part.instances}
    kept = frozenset(tag for name in names for tag in layouts.get(name, ()))
    listed = {f.keyword: tags_of(f.keyword) for f in allowed.fields}
    unlisted = Counter({tag: n for tag, n in met.items() if not any(tag in tags for tags in listed.values())})
    return Fields(
        before=len(met),
        after=sum(not kept.isdisjoint(tags) for tags in listed.values()),
        listed=len(listed),
        unlisted=tuple(
            Unlisted(name_of(tag), n, kind_of(tag))
            for tag, n in sorted(unlisted.items(), key=lambda pair: (-pair[1], pair[0]))
        ),
    )


def _entries(parts: Iterable[_Part]) -> Iterator[Entry]:
    """A line for each stack that is not kept, and one for what was set aside of a series for one reason."""
    aside: dict[tuple[str, str], list[_Part]] = defaultdict(list)
    for part in parts:
        if part.what == ASIDE:
            aside[part.series_uid, part.reason].append(part)
        elif part.category is not KEPT:
            yield _entry(part, part.instances)
    for found in aside.values():
        yield _entry(found[0], [i for part in found for i in part.instances])


def _entry(part: _Part, instances: Iterable[Instance]) -> Entry:
    objects = {(i.path, i.member): i.size for i in instances}
    return Entry(part.category, part.what, part.series_uid, len(objects), sum(objects.values()), part.reason)
