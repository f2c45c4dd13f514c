"""The flow of a trial: how many subjects, sessions, series and stacks remain after each step, and what left, and why.

A unit leaves at the step at which its last stack goes, so that at every level and site what remained before a step is
what remains after it and what it removed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SCHEMA = "trialbids-flow/1"
LEVELS = ("stack", "series", "session", "subject")
"""What a criterion can be about, from the smallest unit to the largest."""

UNITS = ("subjects", "sessions", "series", "stacks")
ALL_SITES = "all sites"

MILESTONE, TOOL, CRITERION = "milestone", "tool", "criterion"
"""Kinds of steps: a count, a decision of the tool, a criterion of the trial."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: ``sentence`` says what it is. ``level`` and ``asks`` (include, exclude) are those of a criterion."""

    id: str
    kind: str
    sentence: str
    level: str = ""
    asks: str = ""
    after: str = "plan"


SOURCES = Step("sources", MILESTONE, "In the sources")
NOT_IMAGES = Step("not-images", TOOL, "Not images")
NOT_NEEDED = Step("not-needed", TOOL, "Not needed")
RESENT = Step("resent", TOOL, "Series that were sent again")
SET_ASIDE = Step("set-aside", TOOL, "Set aside for a person to look at")
UNSOUND = Step("failed-headers", TOOL, "Failed a check of quality on the headers")
PLANNED = Step("planned", MILESTONE, "Planned")
FAILED = Step("failed-checks", TOOL, "Failed a check of quality on the voxels", after="conversion")
HELD_BACK = Step("held-back", TOOL, "Held back: a face, text or an identifier", after="conversion")
UNFINISHED = Step("unfinished", TOOL, "Not finished", after="conversion")
RELEASED = Step("released", MILESTONE, "Released", after="conversion")

OWN_STEPS = frozenset(
    step.id
    for step in (
        *(SOURCES, NOT_IMAGES, NOT_NEEDED, RESENT, SET_ASIDE, UNSOUND),
        *(PLANNED, FAILED, HELD_BACK, UNFINISHED, RELEASED),
    )
)
"""The ids of all steps but those of a trial's criteria."""

BEFORE = (SOURCES, NOT_IMAGES, NOT_NEEDED, RESENT, SET_ASIDE, UNSOUND)
"""What comes before the criteria."""


@dataclass(frozen=True, slots=True)
class Item:
    """One stack, or a series without one (``stack`` is then ""), and the id of the step at which it leaves.

    ``step`` is "" for what stays to the end. ``untold`` says that a criterion could not be told for it.
    """

    subject: str
    session: str
    site: str
    series: tuple[str, ...]
    stack: str = ""
    step: str = ""
    reason: str = ""
    untold: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each unit."""

    subjects: int = 0
    sessions: int = 0
    series: int = 0
    stacks: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What remains after a step, what it removed, and of how many removed units it could not be told."""

    remaining: Counts = Counts()
    removed: Counts = Counts()
    untold: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why things left at a step of the tool: a code of the plan, what it means, and how many left for it."""

    reason: str
    sentence: str
    series: int
    stacks: int


@dataclass(frozen=True, slots=True)
class Line:
    """One step with its counts, in total and by site."""

    step: Step
    total: Tally
    sites: Mapping[str, Tally] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Flow:
    """The steps in their order. ``without_images`` are the subjects of the clinical tables who have no images."""

    lines: tuple[Line, ...]
    without_images: int = 0

    def without_sites(self) -> Flow:
        """The same, that tells of no site."""
        return replace(self, lines=tuple(replace(line, sites={}) for line in self.lines))

    def to_json(self) -> dict[str, Any]:
        """Plain values: ids, sentences and counts, and labels of sites."""
        return {
            "schema": SCHEMA,
            "clinical_without_images": self.without_images,
            "steps": [
                asdict(line.step)
                | asdict(line.total)
                | {
                    "sites": {site: asdict(tally) for site, tally in line.sites.items()},
                    "reasons": [asdict(reason) for reason in line.reasons],
                }
                for line in self.lines
            ],
        }

    def to_rows(self) -> Iterator[dict[str, str]]:
        """One row a step and site, the total first; see :data:`COLUMNS`."""
        for line in self.lines:
            for site, tally in ((ALL_SITES, line.total), *line.sites.items()):
                groups = (("remaining", tally.remaining), ("removed", tally.removed), ("untold", tally.untold))
                numbers = {f"{name}_{unit}": str(getattr(n, unit)) for name, n in groups for unit in UNITS}
                own = {"step": line.step.id, "kind": line.step.kind, "level": line.step.level, "asks": line.step.asks}
                yield own | {"site": site, **numbers, "sentence": line.step.sentence}


COLUMNS = (
    *("step", "kind", "level", "asks", "site"),
    *(f"{name}_{unit}" for name in ("remaining", "removed", "untold") for unit in UNITS),
    "sentence",
)
"""The columns of ``flow.tsv``."""


Unit = tuple[str, tuple[str, ...], str]
"""One unit where it is counted: its level, what names it, and its site or :data:`ALL_SITES`."""


def count_flow(
    items: Iterable[Item], steps: Sequence[Step], sentences: Mapping[str, str], without_images: int = 0
) -> Flow:
    """Count what remains after each of ``steps``; every item's step is one of them. ``sentences`` explain reasons.

    Totals are of distinct units: those of the sites can add up to more, since a person may be seen at several.
    """
    place = {step.id: number for number, step in enumerate(steps)}
    stays = len(steps)
    every = list(items)
    last: dict[Unit, int] = defaultdict(int)
    for item in every:
        for unit in _units(item):
            last[unit] = max(last[unit], place.get(item.step, stays))
    untold = {unit for item in every if item.untold for unit in _units(item) if last[unit] == place.get(item.step, -1)}
    gone = Counter((level, site, number) for (level, _, site), number in last.items())
    doubt = Counter((level, site, last[level, name, site]) for level, name, site in untold)
    sites = sorted({item.site for item in every})
    by_site = {site: _tallies(gone, doubt, site, stays) for site in sites}
    total = _tallies(gone, doubt, ALL_SITES, stays)
    criteria = {step.id for step in steps if step.kind == CRITERION}
    reasons = _reasons((item for item in every if item.step not in criteria), sentences)
    return Flow(
        tuple(
            Line(step, total[n], {site: by_site[site][n] for site in sites}, reasons.get(step.id, ()))
            for n, step in enumerate(steps)
        ),
        without_images,
    )


def _units(item: Item) -> Iterator[Unit]:
    """Every unit that an item is part of, at its site and in total: a person at two sites counts at each, and once."""
    for site in (item.site, ALL_SITES):
        yield "subjects", (item.subject,), site
        yield "sessions", (item.subject, item.session), site
        for uid in item.series:
            yield "series", (item.subject, item.session, uid), site
        if item.stack:
            yield "stacks", (item.subject, item.session, item.stack), site


def _tallies(
    gone: Mapping[tuple[str, str, int], int], doubt: Mapping[tuple[str, str, int], int], site: str, stays: int
) -> list[Tally]:
    """The tally of every step at one site, or at all."""

    def at(counter: Mapping[tuple[str, str, int], int], number: int) -> dict[str, int]:
        return {unit: counter.get((unit, site, number), 0) for unit in UNITS}

    left = at(gone, stays)
    tallies: list[Tally] = []
    for number in reversed(range(stays)):
        removed = at(gone, number)
        tallies.append(Tally(Counts(**left), Counts(**removed), Counts(**at(doubt, number))))
        left = {unit: left[unit] + removed[unit] for unit in UNITS}
    return tallies[::-1]


def _reasons(items: Iterable[Item], sentences: Mapping[str, str]) -> dict[str, tuple[Reason, ...]]:
    """By step, the reasons with how much left for each, the most frequent first."""
    stacks: dict[tuple[str, str], int] = Counter()
    series: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    for item in items:
        if item.reason:
            stacks[item.step, item.reason] += bool(item.stack)
            series[item.step, item.reason] |= {(item.subject, item.session, uid) for uid in item.series}
    found: dict[str, list[Reason]] = defaultdict(list)
    for (step, reason), uids in series.items():
        found[step].append(Reason(reason, sentences.get(reason, ""), len(uids), stacks[step, reason]))
    return {step: tuple(sorted(those, key=lambda r: (-r.stacks, -r.series, r.reason))) for step, those in found.items()}
