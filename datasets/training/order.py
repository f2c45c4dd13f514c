"""The order of an epoch: a function of seed and epoch, the same on every rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from ..errors import QueryError
from ..reading.draws import Draw
from ..reading.seeding import derived_seed

UNEVEN = ("drop", "pad", "keep")


def plain_order(count: int, *, shuffle: bool, seed: int, epoch: int) -> list[Draw]:
    """Every sample once."""
    places = _random(seed, epoch).permutation(count) if shuffle else range(count)
    return [Draw(int(place), epoch) for place in places]


def balanced_order(groups: Sequence[Hashable], length: int, *, seed: int, epoch: int) -> list[Draw]:
    """``length`` draws in which every group has the same share, and every sample of a group too, to within one.

    Of a large group the epochs see different samples; those of a small one come several times an epoch, each time as
    another repeat. Independent draws with such weights would leave out a third of a group by chance.
    """
    random = _random(seed, epoch)
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    share, rest = divmod(length, len(members))
    lucky = set(random.permutation(len(members))[:rest].tolist())
    drawn: list[int] = []
    for number, places in enumerate(members.values()):
        quota = share + (number in lucky)
        rounds = [random.permutation(places) for _ in range(-(-quota // len(places)))]
        drawn.extend(np.concatenate([np.empty(0, int), *rounds])[:quota].tolist())
    return counted([drawn[place] for place in random.permutation(len(drawn))], epoch)


def counted(places: Sequence[int], epoch: int) -> list[Draw]:
    """Draws of these places, each with how often the place came before."""
    before: Counter[int] = Counter()
    draws: list[Draw] = []
    for place in places:
        draws.append(Draw(place, epoch, before[place]))
        before[place] += 1
    return draws


def even(draws: list[Draw], world: int, uneven: str | None) -> list[Draw]:
    """Draws that share out over the ranks as ``uneven`` says: those too many dropped, or the first ones once more."""
    over = len(draws) % world
    if over == 0 or uneven == "keep":
        return draws
    if uneven == "drop":
        return draws[: len(draws) - over]
    places = [draw.index for draw in draws]
    return counted([places[n % len(places)] for n in range(len(places) + world - over)], draws[0].epoch)


def even_length(length: int, world: int, uneven: str | None) -> int:
    """How many draws :func:`even` leaves. Raises :class:`QueryError` where that must be said and is not."""
    if uneven not in (None, *UNEVEN):
        raise QueryError(f"uneven={uneven!r} is not known; legal: {' '.join(UNEVEN)}")
    over = length % world
    if over == 0 or uneven == "keep":
        return length
    if uneven is None:
        raise QueryError(
            f"{length} samples do not share out evenly over {world} processes. Say uneven='drop' (each epoch leaves "
            f"out {over}, others in the next), 'pad' ({world - over} come twice, augmented differently), or 'keep' "
            "(each sample once, some processes have one more; for evaluation, since training would wait for ever)."
        )
    return length - over if uneven == "drop" else length + world - over


def _random(seed: int, epoch: int) -> np.random.RandomState:
    """RandomState and not Generator: numpy promises its stream for good (NEP 19), so an old run can be repeated."""
    return np.random.RandomState(derived_seed("order", seed, epoch) & 0xFFFFFFFF)
