"""From like instances to volumes: one 3D image, one 4D image, or one 3D image a phase.

:data:`ARRANGEMENTS` is tried in order; the first that applies lays the group out in blocks, each one stack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..inventory.instance import Instance
from .geometry import position_bins
from .headers import clock, described_time, has_direction, is_diffusion_weighted, is_echo_planar_series
from .splits import SplitValues, weighting

PHASES_AT_LEAST = 3
"""Repeats that no temporal tag counts are phases from this number on; two are a repeated scan."""


@dataclass(frozen=True)
class Block:
    """What becomes one stack: ordered instances, the volume of each, and whether it is one phase of many."""

    instances: tuple[Instance, ...]
    volume: tuple[int, ...]
    n_slices: int
    n_volumes: int
    split: SplitValues = ()
    bvalues: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    phase: int | None = None


@dataclass(frozen=True)
class Layout:
    """A group of like instances with its positions along the normal, computed once."""

    instances: Sequence[Instance]
    bins: Sequence[int]

    @property
    def repeats(self) -> int:
        """How often the most frequent position is met."""
        return max(Counter(self.bins).values())

    @property
    def n_positions(self) -> int:
        """How many positions there are."""
        return len(set(self.bins))


def arrange(instances: Sequence[Instance]) -> list[Block]:
    """Lay out one group of like instances as blocks. Every instance comes out in exactly one block."""
    ordered = sorted(instances, key=time_order)
    layout = Layout(ordered, position_bins(ordered))
    for applies, blocks in ARRANGEMENTS:
        if applies(layout):
            return blocks(layout)
    raise AssertionError("the last arrangement applies always")


def time_order(instance: Instance) -> tuple[float, int, int, int, int, tuple[str, str, int]]:
    """The order of acquisition as far as counters tell it; the path decides between equals."""
    temporal = instance.TemporalPositionIdentifier
    return (
        -1 if temporal is None else temporal,
        counted(instance.AcquisitionNumber),
        counted(instance.SeriesNumber),
        counted(instance.InstanceNumber),
        instance.frame,
        instance.key,
    )


def counted(value: int | None) -> int:
    """A sortable counter; absent comes first."""
    return -1 if value is None else value


def is_single(layout: Layout) -> bool:
    """Every position is met once."""
    return layout.repeats == 1


def is_diffusion(layout: Layout) -> bool:
    """Some image is diffusion-weighted and the weighting is stored, so that it orders the volumes."""
    weighted = any(is_diffusion_weighted(i) for i in layout.instances)
    return weighted and len({i.b_value for i in layout.instances} - {None}) > 0


def is_time_series(layout: Layout) -> bool:
    """A gradient-echo EPI or ASL series: one 4D image."""
    return is_echo_planar_series(layout.instances[0]) or any(is_diffusion_weighted(i) for i in layout.instances)


def is_one_place(layout: Layout) -> bool:
    """One slice, or few, followed over time: cine, real-time imaging, CT bolus tracking."""
    first = layout.instances[0]
    one_slice = layout.n_positions == 1 and not first.mosaic_tiles
    beating = layout.repeats >= 8 and len({i.TriggerTime for i in layout.instances} - {None, 0.0}) >= 8
    planar = first.MRAcquisitionType != "3D" and layout.n_positions <= 30
    slow = any(i.NumberOfTemporalPositions and i.TemporalPositionIdentifier for i in layout.instances)
    return layout.repeats >= PHASES_AT_LEAST and (one_slice or (beating and planar and not slow))


def one_volume(layout: Layout) -> list[Block]:
    """All instances as one 3D volume."""
    bvalues: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    if is_diffusion(layout):
        values = sorted({round(i.b_value or 0.0, 3) for i in layout.instances})
        bvalues = (values[0],) if len(values) == 1 else ()
        directions = (direction(layout.instances[0]),) if bvalues else ()
    return [block(layout, [0] * len(layout.instances), bvalues, directions)]


def diffusion_volumes(layout: Layout) -> list[Block]:
    """One 4D image: volumes in ascending b (trace) or in the order of acquisition (directions)."""
    labels = [(round(weighting(i), 3), direction(i)) for i in layout.instances]
    turns = occurrences(list(zip(layout.bins, labels, strict=True)))
    volumes = list(zip(labels, turns, strict=True))
    first_met = {v: k for k, v in reversed(list(enumerate(volumes)))}
    directed = any(has_direction(i) for i in layout.instances)
    chosen = sorted(first_met, key=(lambda v: first_met[v]) if directed else (lambda v: (v[0], v[1])))
    index = {v: k for k, v in enumerate(chosen)}
    stored = {v: layout.instances[first_met[v]].b_value or 0.0 for v in chosen}
    bvalues = tuple(stored[v] for v in chosen)
    return [block(layout, [index[v] for v in volumes], bvalues, tuple(v[0][1] for v in chosen))]


def series_in_time(layout: Layout) -> list[Block]:
    """One 4D image, volumes in the order of acquisition."""
    labels, _ = volume_labels(layout)
    return [block(layout, labels)]


def phases(layout: Layout) -> list[Block]:
    """One 3D image a volume: phases where time is told or there are three or more, else repeats."""
    labels, told = volume_labels(layout)
    phased = told or layout.repeats >= PHASES_AT_LEAST
    by_volume: dict[int, list[int]] = defaultdict(list)
    for k, label in enumerate(labels):
        by_volume[label].append(k)
    blocks = []
    for label, members in sorted(by_volume.items()):
        alone = Layout([layout.instances[k] for k in members], [layout.bins[k] for k in members])
        name = ("phase" if phased else "repeat", str(label + 1))
        blocks.append(block(alone, [0] * len(members), split=(name,), phase=label + 1 if phased else None))
    return blocks


Question = Callable[[Layout], bool]
Answer = Callable[[Layout], list[Block]]
ARRANGEMENTS: tuple[tuple[Question, Answer], ...] = (
    (is_single, one_volume),
    (is_diffusion, diffusion_volumes),
    (is_time_series, series_in_time),
    (is_one_place, series_in_time),
    (lambda layout: True, phases),
)


@dataclass(frozen=True)
class Clock:
    """A header value that may count the volumes; ``temporal`` if it says that they are phases in time."""

    name: str
    read: Callable[[Instance], float | None]
    temporal: bool


CLOCKS = (
    Clock("TemporalPositionIdentifier", lambda i: i.TemporalPositionIdentifier, True),
    Clock("TemporalPositionTimeOffset", lambda i: i.TemporalPositionTimeOffset, True),
    Clock("TriggerTime", lambda i: i.TriggerTime, True),
    Clock("AcquisitionNumber", lambda i: i.AcquisitionNumber, False),
    Clock("AcquisitionTime", lambda i: clock(i.AcquisitionTime), False),
    Clock("description", described_time, True),
    Clock("ContentTime", lambda i: clock(i.ContentTime), False),
)


def volume_labels(layout: Layout) -> tuple[list[int], bool]:
    """The volume of each instance, from 0 in order of time, and whether a temporal tag told it.

    A clock is believed when it gives as many volumes as there are repeats and meets no position twice in one.
    Where none is, the n-th image of a position belongs to volume n.
    """
    for clock_ in CLOCKS:
        values = [clock_.read(i) for i in layout.instances]
        distinct = sorted({v for v in values if v is not None})
        if None in values or len(distinct) != layout.repeats:
            continue
        if max(Counter(zip(layout.bins, values, strict=True)).values()) == 1:
            index = {v: k for k, v in enumerate(distinct)}
            return [index[v] for v in values if v is not None], clock_.temporal
    announced = any((i.NumberOfTemporalPositions or 0) > 1 for i in layout.instances)
    return occurrences(layout.bins), announced


def occurrences(keys: Sequence[object]) -> list[int]:
    """How often each key was met before.

    >>> occurrences("abab")
    [0, 0, 1, 1]
    """
    met: Counter[object] = Counter()
    turns = []
    for key in keys:
        turns.append(met[key])
        met[key] += 1
    return turns


def direction(instance: Instance) -> tuple[float, ...]:
    """The gradient direction, rounded so that slices of one volume agree; () for none."""
    return tuple(round(x, 3) + 0.0 for x in instance.b_direction) if has_direction(instance) else ()


def block(
    layout: Layout,
    volumes: Sequence[int],
    bvalues: tuple[float, ...] = (),
    directions: tuple[tuple[float, ...], ...] = (),
    split: SplitValues = (),
    phase: int | None = None,
) -> Block:
    """A block with its instances ordered by volume, then along the normal."""
    order = sorted(range(len(volumes)), key=lambda k: (volumes[k], layout.bins[k]))
    first = layout.instances[0]
    return Block(
        instances=tuple(layout.instances[k] for k in order),
        volume=tuple(volumes[k] for k in order),
        n_slices=first.mosaic_tiles or layout.n_positions,
        n_volumes=max(volumes) + 1,
        split=split,
        bvalues=bvalues,
        directions=directions,
        phase=phase,
    )
