"""Which part every bundle goes to, so that all parts look alike: iterative stratification.

After Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (ECML PKDD 2011,
doi:10.1007/978-3-642-23808-6_10): the level with the fewest examples left is dealt out first, each example to the part
that still lacks most of it. Three things differ, because what is dealt out are bundles of participants:

- a bundle has a size, and larger ones of a level go first;
- every part has a whole number of places, and a bundle goes where it fits, so that sizes are right in the end;
- where two parts lack a level alike, the other levels of the bundle decide before the places left do.

Chance is a hash of the seed and of names, so that neither the order of rows nor the platform has a say.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import SplitError

Level = tuple[str, str]
"""A column and one of its values, in words."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Participants that stay together: their number, and how many of them (in shares) have each level."""

    name: str
    size: int
    levels: Mapping[Level, float] = field(default_factory=dict)


def assign(
    bundles: Sequence[Bundle], shares: Mapping[str, float], *, seed: str, placed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The part of every bundle by its name.

    ``shares`` gives the parts and what they shall hold of all participants, adding up to 1. ``placed`` are bundles
    whose part is given: they stay, and what is new fills the parts up to their shares of all. Where nothing is placed,
    no part is further from its share than the largest bundle has participants. Raises :class:`SplitError` where a
    part would be empty.
    """
    for name, part in (placed or {}).items():
        if part not in shares:
            raise SplitError(
                f"The earlier split has {name} in {part!r}, and only {', '.join(shares)} are asked for; ask for "
                "the same parts as then."
            )
    return _Dealer(bundles, shares, seed, placed or {}).deal()


def chance(*words: str) -> bytes:
    """A number that looks random but is the same everywhere for the same words."""
    return hashlib.blake2b("\0".join(words).encode(), digest_size=8).digest()


class _Dealer:
    """The parts while they fill: what each still lacks, in participants and of every level."""

    def __init__(
        self, bundles: Sequence[Bundle], shares: Mapping[str, float], seed: str, placed: Mapping[str, str]
    ) -> None:
        self.seed = seed
        self.parts = list(shares)
        self.bundles = {b.name: b for b in sorted(bundles, key=lambda b: (-b.size, chance(seed, b.name), b.name))}
        self.lacks = quotas(sum(b.size for b in bundles), shares, seed)
        self.count = dict.fromkeys(self.parts, 0)
        totals: dict[Level, float] = {}
        for bundle in self.bundles.values():
            for level, share in bundle.levels.items():
                totals[level] = totals.get(level, 0.0) + share
        self.lacks_level = {level: {p: n * shares[p] for p in self.parts} for level, n in totals.items()}
        self.totals = totals
        self.parts_of: dict[str, str] = {}
        self.waiting: dict[str, Bundle] = {}
        for name, bundle in self.bundles.items():
            if name in placed:
                self.put(bundle, placed[name])
            else:
                self.waiting[name] = bundle

    def deal(self) -> dict[str, str]:
        """Deal out who waits. Raises :class:`SplitError` where they are too few to have somebody in every part."""
        empty = [part for part, n in self.count.items() if not n]
        if len(empty) > len(self.waiting) and any(self.count.values()):
            raise SplitError(
                f"Of the earlier split nobody is left in {', '.join(empty)}, and too few are new; make a new split "
                "without previous=."
            )
        if len(empty) > len(self.waiting):
            raise SplitError(
                f"{len(self.bundles)} participants (or groups that stay together) cannot fill {len(self.parts)} parts "
                f"({', '.join(self.parts)}); ask for fewer folds or parts."
            )
        of_level: dict[Level, dict[str, None]] = {}
        for bundle in self.waiting.values():
            for level in bundle.levels:
                of_level.setdefault(level, {})[bundle.name] = None
        while of_level:
            rarest = min(of_level, key=lambda level: (len(of_level[level]), chance(self.seed, *level), level))
            for name in list(of_level[rarest]):
                bundle = self.waiting.pop(name)
                for level in bundle.levels:
                    del of_level[level][name]
                    if not of_level[level]:
                        del of_level[level]
                self.put(bundle, self.best(bundle, rarest))
        for bundle in list(self.waiting.values()):
            del self.waiting[bundle.name]
            self.put(bundle, self.best(bundle, None))
        return self.parts_of

    def best(self, bundle: Bundle, level: Level | None) -> str:
        """The part that a bundle goes to: it fits, and the part lacks most of what the bundle has."""
        candidates = [part for part in self.parts if not self.count[part]]
        if len(candidates) <= len(self.waiting):  # enough are left to fill them later
            fits = [part for part in self.parts if self.lacks[part] >= bundle.size]
            most = max(self.lacks.values())
            candidates = fits or [part for part in self.parts if self.lacks[part] == most]
        if len(candidates) == 1:
            return candidates[0]
        claims = {part: self.claim(bundle, level, part) for part in candidates}
        highest = max(claims.values())
        equal = [part for part in candidates if claims[part] == highest]
        return equal[0] if len(equal) == 1 else max(equal, key=lambda part: chance(self.seed, bundle.name, part))

    def claim(self, bundle: Bundle, level: Level | None, part: str) -> tuple[float, float, int]:
        first = self.lacks_level[level][part] if level else 0.0
        others = 0.0
        for other in bundle.levels:
            if other != level:
                others += self.lacks_level[other][part] / self.totals[other]
        return round(first, 6), round(others, 6), self.lacks[part]

    def put(self, bundle: Bundle, part: str) -> None:
        self.parts_of[bundle.name] = part
        self.count[part] += 1
        self.lacks[part] -= bundle.size
        for level, share in bundle.levels.items():
            self.lacks_level[level][part] -= share


def quotas(total: int, shares: Mapping[str, float], seed: str) -> dict[str, int]:
    """Whole numbers of places that add up to ``total``, each within one of its share (largest remainders).

    >>> quotas(10, {"train": 0.75, "val": 0.25}, "0")["train"] in (7, 8)
    True
    """
    exact = {part: round(total * share, 9) for part, share in shares.items()}
    places = {part: math.floor(n) for part, n in exact.items()}
    spare = total - sum(places.values())
    order = sorted(exact, key=lambda part: (places[part] - exact[part], chance(seed, part)))
    for part in order[:spare]:
        places[part] += 1
    return places
