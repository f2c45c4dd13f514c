"""From like instances to volumes: one 3D image, one 4D image, or one 3D image a phase.

:data:`ARRANGEMENTS` is tried in order; the first that applies lays the group out in blocks, each one stack.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..inventory.instance import Instance
from .clocks import Labels, is_beating, occurrences, volume_labels
from .geometry import position_bins
from .headers import b_value, has_direction, is_diffusion_weighted, is_echo_planar_series
from .reasons import NO_VOLUME_INDEX
from .splits import SplitValues, weighting

PHASES_AT_LEAST = 3
"""Repeats measured one after the other are phases from this number on; two are a repeated scan."""
UNTOLD_PHASES_AT_LEAST = 5
"""Repeats of which the header tells nothing are phases from this number on; fewer may be products of one scan."""


@dataclass(frozen=True)
class Block:
    """What becomes one stack: ordered instances, the volume of each, whether it is one phase of many, and a doubt."""

    instances: tuple[Instance, ...]
    volume: tuple[int, ...]
    n_slices: int
    n_volumes: int
    split: SplitValues = ()
    bvalues: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    phase: int | None = None
    doubt: str = ""


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
    def labels(self) -> Labels:
        """The volume of each instance."""
        return volume_labels(self.instances, self.bins)

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
    return weighted and len({b_value(i) for i in layout.instances} - {None}) > 0


def is_time_series(layout: Layout) -> bool:
    """A gradient-echo EPI or ASL series, a beating heart, or PET frames: one 4D image."""
    first = layout.instances[0]
    if first.Modality == "PT" or (layout.repeats >= PHASES_AT_LEAST and is_beating(layout.instances, layout.bins)):
        return True
    return is_echo_planar_series(first) or any(is_diffusion_weighted(i) for i in layout.instances)


def is_one_place(layout: Layout) -> bool:
    """One slice followed over time: real-time imaging, CT bolus tracking."""
    one_slice = layout.n_positions == 1 and not layout.instances[0].mosaic_tiles
    return one_slice and layout.repeats >= PHASES_AT_LEAST


def one_volume(layout: Layout) -> list[Block]:
    """All instances as one 3D volume."""
    bvalues: tuple[float, ...] = ()
    directions: tuple[tuple[float, ...], ...] = ()
    if is_diffusion(layout):
        values = sorted({round(b_value(i) or 0.0, 3) for i in layout.instances})
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
    stored = {v: b_value(layout.instances[first_met[v]]) or 0.0 for v in chosen}
    bvalues = tuple(stored[v] for v in chosen)
    return [block(layout, [index[v] for v in volumes], bvalues, tuple(v[0][1] for v in chosen))]


def series_in_time(layout: Layout) -> list[Block]:
    """One 4D image, volumes in the order of acquisition."""
    return [block(layout, layout.labels.volume)]


def phases(layout: Layout) -> list[Block]:
    """One 3D image a volume: phases where time is told or there are enough of them, else repeats.

    Two to four volumes that nothing in the header orders are as likely the products of one measurement (water, fat),
    so they are kept apart and doubted.
    """
    labels = layout.labels
    enough = PHASES_AT_LEAST if labels.ordered else UNTOLD_PHASES_AT_LEAST
    phased = labels.told or layout.repeats >= enough
    doubt = "" if phased or labels.ordered else NO_VOLUME_INDEX
    by_volume: dict[int, list[int]] = defaultdict(list)
    for k, label in enumerate(labels.volume):
        by_volume[label].append(k)
    blocks: list[Block] = []
    for label, members in sorted(by_volume.items()):
        alone = Layout([layout.instances[k] for k in members], [layout.bins[k] for k in members])
        name = ("phase" if phased else "repeat", str(label + 1))
        one = block(alone, [0] * len(members), split=(name,), phase=label + 1 if phased else None)
        blocks.append(replace(one, doubt=doubt))
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
