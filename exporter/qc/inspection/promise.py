"""What a draw can show: the bound of all verdicts together if whatever is drawn is right, and how many it takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from ..names import ASPECTS
from .draw import Draw, Drawn, allocate, choose, left_to_draw, strata_of
from .estimate import Inspection, estimate
from .population import Released
from .store import Taken
from .verdicts import RIGHT, Verdict


def promised(draw: Draw, draws: Mapping[int, Draw], taken: Taken) -> Inspection:
    """The result of all inspections if every image of this draw is judged right, beside the earlier verdicts.

    Raises ``ValueError`` where nothing is drawn.
    """
    right = {image.path: Verdict(image.path, dict.fromkeys(ASPECTS, RIGHT)) for image in draw.images}
    found = estimate({**draws, draw.number: draw}, {**taken, draw.number: right})
    if found is None:
        raise ValueError("an empty draw")
    return found


def more_needed(
    draw: Draw,
    images: Sequence[Released],
    known: Collection[str],
    draws: Mapping[int, Draw],
    taken: Taken,
    error: float,
) -> int | None:
    """How many more images than these show, if all are right, that at most this share is wrong.

    None where all that is left would not do: too many were found wrong already. ``known`` are the states that are not
    drawn again. The bound falls with the number drawn but for a little unevenness of groups, so it is found by halves.
    """
    strata = strata_of(left_to_draw(images, known))
    sizes = {key: len(members) for key, members in strata.items()}

    def suffices(n: int) -> bool:
        chosen = choose(strata, allocate(sizes, n), draw.seed)
        drawn = tuple(Drawn(i.path, i.site, i.sequence, i.state, "", {}) for i in chosen)
        return promised(replace(draw, images=drawn), draws, taken).at_most <= error

    low, high = len(draw.images), sum(sizes.values())
    if low >= high or not suffices(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high - len(draw.images)
