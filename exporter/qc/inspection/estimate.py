"""What the inspected images say of all: the residual error with its exact bound, by stratum and overall."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..names import ASPECTS, CONFIDENCE
from ..names import INSPECTION_SCHEMA as SCHEMA
from .bounds import Counted, at_most, interval, weighted_at_most, weighted_share
from .draw import Draw, Stratum
from .store import Taken, judged_states, read_draws, read_taken
from .verdicts import RIGHT, UNSURE, WRONG


@dataclass(frozen=True, slots=True)
class Share:
    """How many of ``n`` are wrong. ``at_most`` is the one-sided bound at 95 %, ``low`` to ``high`` the interval.

    Where a reader was unsure the bounds count the image as wrong, ``rate`` does not.
    """

    n: int
    wrong: int
    unsure: int
    rate: float | None
    at_most: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Part:
    """A stratum: ``images`` in the tree as it was drawn from, of which ``known`` were judged in an earlier state of the
    tree, ``known_wrong`` of these not found right; ``share`` is that of the random sample of the rest."""

    site: str
    sequence: str
    images: int
    known: int
    known_wrong: int
    share: Share

    @property
    def is_covered(self) -> bool:
        """Can anything be said of it?"""
        return self.share.n > 0 or self.known == self.images


@dataclass(frozen=True, slots=True)
class Inspection:
    """The result for a release: counts, closed words and shares alone.

    ``sample`` is the share of the images looked at, ``rate`` and ``at_most`` are weighted by the size of the strata to
    all ``covered`` images, those of strata of which any was judged. ``unread`` were drawn and are not judged yet.
    """

    inspections: int
    images: int
    covered: int
    unread: int
    sample: Share
    rate: float | None
    at_most: float
    aspects: Mapping[str, Share]
    strata: tuple[Part, ...]

    def to_json(self) -> dict[str, Any]:
        """The content of ``curation/inspection.json``: shares have six decimals."""
        strata = [_rounded(asdict(part)) for part in self.strata]
        aspects = {name: _rounded(asdict(share)) for name, share in self.aspects.items()}
        own = _rounded(asdict(self)) | {"aspects": aspects, "strata": strata}
        return {"schema": SCHEMA, "confidence": CONFIDENCE, **own}


def inspection_of(work: Path) -> Inspection | None:
    """The result of all inspections of a work folder; None while nothing was judged.

    Raises ``UsageError`` where what was kept of them cannot be read.
    """
    draws = read_draws(work)
    return estimate(draws, read_taken(work, draws))


def estimate(draws: Mapping[int, Draw], taken: Taken) -> Inspection | None:
    """The residual error of the tree from which was last drawn and judged; None while nothing was judged.

    An earlier sample of a stratum counts with the last one where the stratum is the same, but for what was judged wrong
    and taken out: both are then one random sample. What was found wrong is counted, also where it has left.
    """
    read = [number for number in sorted(draws) if any(v.outcome for v in taken.get(number, {}).values())]
    if not read:
        return None
    used = [draws[number] for number in read]
    outcomes = judged_states({d.number: d for d in used}, taken)
    aspects = _aspect_words(used, taken)
    samples = {key: _sample(key, used, outcomes) for key in sorted(used[-1].strata)}
    parts = tuple(_part(key, sample, outcomes) for key, sample in samples.items())
    judged = {state for sample in samples.values() for state in sample.drawn if state in outcomes}
    unread = sum(state not in outcomes for sample in samples.values() for state in sample.drawn)
    return Inspection(
        inspections=len(used),
        images=sum(part.images for part in parts),
        covered=sum(part.images for part in parts if part.is_covered),
        unread=unread,
        sample=_share([outcomes[state] for state in judged]),
        rate=_weighted_rate(parts),
        at_most=_weighted_bound(parts),
        aspects={name: _share([aspects[name, s] for s in judged if aspects.get((name, s))]) for name in ASPECTS},
        strata=parts,
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """A stratum: the states of all its images, those known from before, and those drawn at random from the rest."""

    states: frozenset[str]
    known: frozenset[str]
    drawn: frozenset[str]


def _sample(key: Stratum, draws: list[Draw], outcomes: Mapping[str, str]) -> _Sample:
    """The stratum as the last draw met it, with the earlier draws from the same images."""
    now = draws[-1].strata[key]
    states, drawn = now, frozenset[str]()
    older: set[str] = set()
    same = True
    for draw in reversed(draws):
        mine = {image.state for image in draw.images if image.stratum == key}
        before = draw.strata.get(key, frozenset())
        same = same and _is_same(before, now, outcomes)
        if same:
            states, drawn = states | before, drawn | mine
        else:
            older |= mine
    known = frozenset(s for s in older - drawn if s in states and s in outcomes)
    return _Sample(states, known, drawn)


def _is_same(before: Collection[str], now: frozenset[str], outcomes: Mapping[str, str]) -> bool:
    """Have only such images left a stratum as were judged wrong, and none come?"""
    return now.issubset(before) and all(outcomes.get(state) == WRONG for state in set(before) - now)


def _part(key: Stratum, sample: _Sample, outcomes: Mapping[str, str]) -> Part:
    words = [outcomes[state] for state in sample.drawn if state in outcomes]
    not_right = sum(outcomes[state] != RIGHT for state in sample.known)
    part = Part(*key, len(sample.states), len(sample.known), not_right, _share(words))
    if not words:
        return part
    # What was seen to be right is right: in a small stratum that says more than the bound.
    bound = weighted_at_most([_counted(part, part.share.wrong + part.share.unsure)])
    return replace(part, share=replace(part.share, at_most=bound, high=max(bound, min(part.share.high, _most(part)))))


def _most(part: Part) -> float:
    """The share of wrong ones if all are wrong that nobody saw to be right."""
    right = part.share.n - part.share.wrong - part.share.unsure
    return 1 - right / (part.images - part.known)


def _aspect_words(draws: list[Draw], taken: Taken) -> dict[tuple[str, str], str]:
    """The latest word on every aspect of every state."""
    return {
        (name, image.state): word
        for draw in draws
        for image in draw.images
        if image.path in taken.get(draw.number, {})
        for name, word in taken[draw.number][image.path].words.items()
        if word
    }


def _share(words: Collection[str]) -> Share:
    """The share of a simple random sample."""
    counts = Counter(words)
    n, wrong, unsure = len(words), counts[WRONG], counts[UNSURE]
    low, _ = interval(wrong, n)
    high = interval(wrong + unsure, n)[1]
    return Share(n, wrong, unsure, wrong / n if n else None, at_most(wrong + unsure, n), low, high)


def _weighted_rate(parts: tuple[Part, ...]) -> float | None:
    covered = [part for part in parts if part.is_covered]
    strata = [_counted(part, part.share.wrong) for part in covered if part.share.n]
    wrong = sum(part.known_wrong for part in covered) + (weighted_share(strata) * _size(strata) if strata else 0)
    return wrong / sum(part.images for part in covered) if covered else None


def _weighted_bound(parts: tuple[Part, ...]) -> float:
    covered = [part for part in parts if part.is_covered]
    strata = [_counted(part, part.share.wrong + part.share.unsure) for part in covered if part.share.n]
    wrong = sum(part.known_wrong for part in covered) + (weighted_at_most(strata) * _size(strata) if strata else 0)
    return wrong / sum(part.images for part in covered) if covered else 1.0


def _size(strata: list[Counted]) -> int:
    return sum(stratum.size for stratum in strata)


def _counted(part: Part, wrong: int) -> Counted:
    return Counted(part.images - part.known, part.share.n - wrong, wrong)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {name: _rounded(v) for name, v in value.items()}
    return value


def sentences(found: Inspection) -> Iterator[str]:
    """The result in words, for a README or a report: plain sentences of words and numbers."""
    n, wrong = found.sample.n, found.sample.wrong
    said = "none of them was" if wrong == 0 else "1 of them was" if wrong == 1 else f"{wrong:,} of them were"
    how = "" if n == found.images else ", drawn at random by site and sequence"
    yield f"A person looked at {drawn_of(n, found.images)} images{how}; {said} wrong."
    yield f"With 95 % confidence at most {percent(found.sample.at_most)} of images as they were drawn are wrong."
    yield f"Weighted by the size of the strata it is at most {percent(found.at_most)} of {found.covered:,} images."
    if found.sample.unsure:
        yield f"The reader was unsure of {found.sample.unsure:,}; the bounds count them as wrong."
    if found.unread:
        yield f"{found.unread:,} images of the sample were not judged yet."


def rounded(share: float) -> str:
    """A share for the eye that is no bound.

    >>> rounded(4 / 35)
    '11.4 %'
    """
    return f"{share * 100:.1f} %"


def drawn_of(n: int, images: int) -> str:
    """How many of how many.

    >>> drawn_of(12, 35), drawn_of(35, 35)
    ('12 of 35', 'all 35')
    """
    return f"all {images:,}" if n == images else f"{n:,} of {images:,}"


def percent(share: float) -> str:
    """A share for the eye, rounded up: a bound is not made smaller by how it is shown.

    >>> percent(0.0487), percent(1.0)
    ('4.9 %', '100.0 %')
    """
    return f"{math.ceil(share * 1000 - 1e-9) / 10:.1f} %"
