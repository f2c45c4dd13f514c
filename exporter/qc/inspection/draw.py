"""The draw: how many of each stratum, and which. The same seed and tree give the same sample."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from ..jsonfile import Closed
from ..names import ASPECTS
from .population import Released

Stratum = tuple[str, str]
"""Site and sequence."""

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image of a sample, as it was: what a verdict on it rests on stands in ``bases``, by aspect.

    ``stack_id`` is "" where the plan knows of no stack that the image was made from.
    """

    path: str
    site: str
    sequence: str
    state: str
    stack_id: str
    bases: Mapping[str, str]

    @property
    def stratum(self) -> Stratum:
        """The stratum it was drawn in."""
        return self.site, self.sequence


@dataclass(frozen=True, slots=True)
class Draw:
    """One sample: its number and seed, the states of all images by stratum when it was drawn, and what was drawn."""

    number: int
    seed: int
    strata: Mapping[Stratum, frozenset[str]]
    images: tuple[Drawn, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the work folder."""
        return {
            "number": self.number,
            "seed": self.seed,
            "strata": [
                {"site": s, "sequence": q, "states": sorted(states)} for (s, q), states in sorted(self.strata.items())
            ],
            "images": [
                {"path": d.path, "site": d.site, "sequence": d.sequence, "state": d.state, "stack_id": d.stack_id}
                | {"bases": dict(d.bases)}
                for d in self.images
            ],
        }

    @classmethod
    def from_json(cls, values: DrawShape) -> Draw:
        """The inverse of :meth:`to_json`."""
        strata = {(s.site, s.sequence): frozenset(s.states) for s in values.strata}
        return cls(values.number, values.seed, strata, tuple(Drawn(**dict(d)) for d in values.images))


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


class _StratumShape(Closed):
    site: str
    sequence: str
    states: list[Digest]


class _ImageShape(Closed):
    path: str
    site: str
    sequence: str
    state: Digest
    stack_id: str
    bases: dict[str, Digest]

    @field_validator("bases")
    @classmethod
    def _one_each(cls, value: dict[str, str]) -> dict[str, str]:
        if set(value) != {*ASPECTS}:
            raise ValueError(f"expected {', '.join(ASPECTS)}")
        return value


class DrawShape(Closed):
    """What :meth:`Draw.to_json` writes, and nothing else: every image once, in a group that holds its state."""

    number: int
    seed: int
    strata: list[_StratumShape]
    images: list[_ImageShape]

    @field_validator("images")
    @classmethod
    def _of_the_strata(cls, value: list[_ImageShape], info: ValidationInfo) -> list[_ImageShape]:
        strata = {(s.site, s.sequence): set(s.states) for s in info.data.get("strata", ())}
        paths: set[str] = set()
        for n, image in enumerate(value, start=1):
            if image.path in paths:
                raise ValueError(f"image {n} of the list stands in it twice")
            if image.state not in strata.get((image.site, image.sequence), ()):
                raise ValueError(f"image {n} of the list is of no group under strata, by site, sequence and state")
            paths.add(image.path)
        return value


def allocate(sizes: Mapping[Key, int], n: int) -> dict[Key, int]:
    """How many of each stratum: in proportion to its size, and at least one of each where ``n`` allows.

    The sum is ``n``, or all there is. Remainders go to the largest fractions, then in the order of the strata.

    >>> allocate({"a": 90, "b": 9, "c": 1}, 10), allocate({"a": 90, "b": 9, "c": 1}, 2)
    ({'a': 8, 'b': 1, 'c': 1}, {'a': 2, 'b': 0, 'c': 0})
    """
    n = min(n, sum(sizes.values()))
    least = {key: int(n >= len(sizes) and size > 0) for key, size in sizes.items()}
    if n == 0:
        return least
    share = {key: n * size / sum(sizes.values()) for key, size in sizes.items()}
    given = {key: max(least[key], int(share[key])) for key in sizes}
    while sum(given.values()) > n:
        given[max((k for k in given if given[k] > least[k]), key=lambda k: given[k] - share[k])] -= 1
    while sum(given.values()) < n:
        given[max((k for k in given if given[k] < sizes[k]), key=lambda k: share[k] - given[k])] += 1
    return given


def per_stratum(sizes: Mapping[Key, int], k: int) -> dict[Key, int]:
    """The same number of each stratum, or all of it where it holds fewer."""
    return {key: min(k, size) for key, size in sizes.items()}


def strata_of(images: Sequence[Released]) -> dict[Stratum, list[Released]]:
    """The images by site and sequence, in their order."""
    strata: dict[Stratum, list[Released]] = defaultdict(list)
    for image in images:
        strata[image.site, image.sequence].append(image)
    return dict(sorted(strata.items()))


def choose(
    strata: Mapping[Stratum, Sequence[Released]], counts: Mapping[Stratum, int], seed: int
) -> tuple[Released, ...]:
    """So many of each stratum, in an order that is random too: whoever stops halfway has seen a sample as well.

    Each image has a digest of seed and state, and the lowest are drawn: no order of files and no version of Python
    changes the sample.
    """
    chosen = [
        image
        for key, images in strata.items()
        for image in sorted(images, key=lambda i: _lot(seed, "draw", i.state))[: counts[key]]
    ]
    return tuple(sorted(chosen, key=lambda i: _lot(seed, "order", i.state)))


def left_to_draw(images: Sequence[Released], known: Collection[str]) -> list[Released]:
    """The images whose present state nobody has judged."""
    return [image for image in images if image.state not in known]


def _lot(seed: int, what: str, state: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{what}\x1f{state}".encode()).digest()
