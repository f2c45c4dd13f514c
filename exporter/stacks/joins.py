"""Which stacks are one scan: a list of small rules over the stacks of one study, applied in order.

A rule returns groups of stacks that belong together; groups that share a stack become one acquisition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import pairwise

from .signature import Signature
from .stack import Stack

Groups = list[list[int]]
DYNAMIC_AT_LEAST = 5
"""Repeats of one geometry, TR, TE and flip that are a dynamic scan without the scanner saying so."""
TOLD_DYNAMIC_AT_LEAST = 3
FLIPS_AT_LEAST = 3
SAME_START_S = 0.5
FIELD_MAP_REACH = 3
"""A phase map follows its magnitude within this many series numbers."""


def join(stacks: Sequence[Stack]) -> list[list[Stack]]:
    """Part the stacks of one study into acquisitions."""
    signatures = [Signature(s) for s in stacks]
    parent = list(range(len(stacks)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    for rule in JOINS:
        for group in rule(signatures):
            for k in group[1:]:
                parent[root(k)] = root(group[0])
    acquisitions: dict[int, list[Stack]] = defaultdict(list)
    for k, stack in enumerate(stacks):
        acquisitions[root(k)].append(stack)
    return list(acquisitions.values())


def one_series(signatures: Sequence[Signature]) -> Groups:
    """Echoes, products, parts and phases that lie in one series."""
    return grouped(range(len(signatures)), lambda k: signatures[k].series)


def products(signatures: Sequence[Signature]) -> Groups:
    """Products of one measurement stored as series of their own: they began at the same moment with the same TR.

    Dixon products, magnitude and phase, echoes, subtractions and kernels; each product once.
    """
    groups: Groups = []
    candidates = [
        k for k, s in enumerate(signatures) if s.stack.is_image and s.start is not None and s.stack.phase_index is None
    ]
    for like in grouped(
        candidates, lambda k: (signatures[k].orientation, signatures[k].timing[0], *scan(signatures[k]))
    ):
        like.sort(key=lambda k: signatures[k].start or 0.0)
        run: list[int] = []
        for k in like:
            if run and (signatures[k].start or 0.0) - (signatures[run[0]].start or 0.0) > SAME_START_S:
                groups.append(run)
                run = []
            run.append(k)
        groups.append(run)
    return [g for g in groups if len({signatures[k].product for k in g}) > 1]


def scan(signature: Signature) -> tuple[Hashable, ...]:
    """What all products of one measurement share besides time."""
    first = signature.stack.first
    return first.FrameOfReferenceUID, first.ProtocolName, first.Modality


def diffusion(signatures: Sequence[Signature]) -> Groups:
    """The b-values, trace, maps and computed images of one diffusion scan, in the order of their series.

    A product met again (the same b-values, a second ADC) begins another scan.
    """
    groups: Groups = []
    members = [k for k, s in enumerate(signatures) if s.kind]
    for like in grouped(members, lambda k: (signatures[k].geometry, signatures[k].timing), alone=True):
        scans: list[list[int]] = []
        for k in sorted(like, key=lambda k: (signatures[k].kind not in ("weighted", ""), signatures[k].number, k)):
            home = diffusion_home(signatures, scans, k)
            if home is None:
                scans.append([k])
            else:
                home.append(k)
        groups.extend(scans)
    return groups


def diffusion_home(signatures: Sequence[Signature], scans: list[list[int]], k: int) -> list[int] | None:
    """The scan a diffusion stack belongs to: one that lacks its product, begun at the same time, else the nearest."""
    mine = signatures[k]
    fitting = [scan_ for scan_ in scans if not any(same_product(mine, signatures[j]) for j in scan_)]
    if not fitting:
        return None

    def distance(scan_: list[int]) -> tuple[float, int]:
        starts = [s for j in scan_ if (s := signatures[j].start) is not None]
        apart = abs(min(starts) - mine.start) if starts and mine.start is not None else 0.0
        steps = min(abs(mine.number - signatures[j].number) + (signatures[j].number > mine.number) for j in scan_)
        return (0.0 if apart <= 1.0 else 1.0), steps

    return min(fitting, key=distance)


def same_product(a: Signature, b: Signature) -> bool:
    """Whether two diffusion stacks are the same product of a scan, so that one of them is a repeat."""
    if a.series == b.series or a.kind != b.kind:
        return False
    if a.kind != "weighted":
        return a.kind != "calc" or a.bvalues == b.bvalues
    directed = any(a.stack.directions) == any(b.stack.directions)
    return directed and (a.weightings == b.weightings or bool(a.weightings & b.weightings))


def time_points(signatures: Sequence[Signature]) -> Groups:
    """Time points of one dynamic scan stored as series of their own; one of which slices are missing is among them."""
    members = [
        k
        for k, s in enumerate(signatures)
        if s.is_fast_gradient_echo and s.stack.n_volumes == 1 and s.stack.phase_index is None and not s.is_derived
    ]
    groups = grouped(
        members, lambda k: (signatures[k].plane, signatures[k].timing, signatures[k].flip, fat(signatures[k]))
    )
    chosen: Groups = []
    for group in (g for placed in groups for g in by_extent(signatures, placed)):
        told = [k for k in group if signatures[k].says_dynamic]
        repeats = {signatures[k].image for k in group}
        if len(told) >= TOLD_DYNAMIC_AT_LEAST * len(repeats):
            chosen.append(told)
        elif len(group) >= DYNAMIC_AT_LEAST * len(repeats) and several_times(signatures, group):
            chosen.append(group)
    return chosen


def by_extent(signatures: Sequence[Signature], members: Sequence[int]) -> Groups:
    """Stacks of one plane by first slice and number of slices; one that lies within the slices of two others or more,
    measured between them or right after, has lost some and goes with them."""
    groups = grouped(members, lambda k: signatures[k].geometry, alone=True)
    groups.sort(key=len, reverse=True)
    whole: Groups = []
    for group in groups:
        home = next((g for g in whole if len(group) < len(g) and all(is_cut(signatures, k, g) for k in group)), None)
        if home is None:
            whole.append(group)
        else:
            home.extend(group)
    return [g for g in whole if len(g) > 1]


def is_cut(signatures: Sequence[Signature], k: int, group: Sequence[int]) -> bool:
    """Whether a stack is a time point of this group that lacks slices: it lies within their slices, and its series
    is one of theirs or the next."""
    mine, other = signatures[k], signatures[group[0]]
    numbers = [signatures[j].number for j in group]
    step = max(1, max((b - a for a, b in pairwise(sorted(numbers))), default=1))
    near = min(numbers) - step <= mine.number <= max(numbers) + step and mine.number not in numbers
    if not near or len(group) < TOLD_DYNAMIC_AT_LEAST - 1 or mine.stack.n_slices >= other.stack.n_slices:
        return False
    return set(mine.places) <= set(other.places)


def fat(signature: Signature) -> tuple[Hashable, ...]:
    """Scan options and sequence name: what a time point cannot change."""
    first = signature.stack.first
    return tuple(sorted(first.ScanOptions)), first.SequenceName, first.SpectrallySelectedSuppression


def several_times(signatures: Sequence[Signature], group: Sequence[int]) -> bool:
    """Whether the stacks began at different times (or none is told)."""
    starts = {signatures[k].start for k in group} - {None}
    return len(starts) != 1


def flip_angles(signatures: Sequence[Signature]) -> Groups:
    """A set of flip angles for T1 mapping: everything else the same, each angle once a set."""
    members = [
        k
        for k, s in enumerate(signatures)
        if s.is_fast_gradient_echo and s.stack.phase_index is None and s.flip and not s.is_derived
    ]
    repeated = {k for group in time_points(signatures) for k in group}
    free = [k for k in members if k not in repeated]
    chosen: Groups = []
    for group in grouped(free, lambda k: (signatures[k].geometry, signatures[k].timing, signatures[k].image[:2])):
        run: list[int] = []
        for k in sorted(group, key=lambda k: (signatures[k].number, k)):
            if signatures[k].flip in {signatures[j].flip for j in run}:
                chosen.append(run)
                run = []
            run.append(k)
        chosen.append(run)
    return [g for g in chosen if len(g) >= FLIPS_AT_LEAST]


def field_maps(signatures: Sequence[Signature]) -> Groups:
    """A phase or field map and the magnitude that comes with it: neighbours with the same geometry and TR."""
    groups: Groups = []
    members = [
        k for k, s in enumerate(signatures) if s.stack.is_image and not s.kind and s.stack.first.Modality == "MR"
    ]
    for like in grouped(members, lambda k: (signatures[k].geometry, signatures[k].timing[0], signatures[k].flip)):
        phase = [k for k in like if signatures[k].image[1] != "mag" or "FIELD_MAP" in str(signatures[k].image[2])]
        magnitude: dict[int, list[int]] = defaultdict(list)
        for k in sorted(set(like) - set(phase)):
            magnitude[signatures[k].number].append(k)
        for p in phase:
            reach = range(signatures[p].number - FIELD_MAP_REACH, signatures[p].number + FIELD_MAP_REACH + 1)
            groups.append([p, *(k for number in reach for k in magnitude.get(number, ()))])
    return groups


Join = Callable[[Sequence[Signature]], Groups]
JOINS: tuple[Join, ...] = (one_series, products, diffusion, time_points, flip_angles, field_maps)


def grouped(members: Iterable[int], key: Callable[[int], Hashable], alone: bool = False) -> Groups:
    """Members that share a key; those that share it with nobody only if ``alone``."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for k in members:
        groups[key(k)].append(k)
    return [g for g in groups.values() if alone or len(g) > 1]
