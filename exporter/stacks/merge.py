"""The b-values of one diffusion scan that were stored as series of their own: one 4D stack.

Only weighted images are put together, only within one acquisition, and only where :data:`MUST_AGREE` agrees,
the slices lie at the same places and no b-value (with its direction) is met twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ..inventory.instance import Instance
from .geometry import agree
from .headers import b_value, content_of, described_b, dixon_of, upper
from .signature import Signature
from .stack import Stack

UNWEIGHTED_BELOW = 10.0
"""s/mm²: scanners write small numbers for b = 0."""
SAME_PLACE_MM = 0.1

Weighting = tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Member:
    """One stack of weighted images, with what decides whom it can be put together with."""

    stack: Stack

    @cached_property
    def signature(self) -> Signature:
        """What the join rules know of it."""
        return Signature(self.stack)

    @cached_property
    def bvalues(self) -> tuple[float, ...]:
        """The b-value of each volume; of a single one also where only the description gives it; () if not known."""
        if self.stack.bvalues:
            return self.stack.bvalues
        values = {b_value(i) for i in self.stack.instances} - {None}
        if self.stack.n_volumes > 1 or len(values) > 1:
            return ()
        said = values.pop() if values else described_b(self.stack.first.SeriesDescription)
        return () if said is None else (said,)

    @cached_property
    def directions(self) -> tuple[tuple[float, ...], ...]:
        """The gradient direction of each volume, () for none."""
        return self.stack.directions or ((),) * len(self.bvalues)

    @cached_property
    def weightings(self) -> tuple[Weighting, ...]:
        """b-value and direction of each volume; what stands for b = 0 is 0."""
        pairs = zip(self.bvalues, self.directions, strict=True)
        return tuple((0.0 if b < UNWEIGHTED_BELOW else round(b), d) for b, d in pairs)

    @property
    def is_unweighted(self) -> bool:
        """Whether it holds b = 0 alone, which belongs to traces and to directions alike."""
        return all(b == 0 for b, _ in self.weightings)

    @property
    def is_whole(self) -> bool:
        """Whether every volume has every slice, each b-value is known, and the headers can be trusted."""
        stack = self.stack
        n_instances = 1 if stack.first.mosaic_tiles else stack.n_slices
        whole = len(stack.instances) == n_instances * stack.n_volumes
        return whole and len(self.bvalues) == stack.n_volumes and not stack.doubt


@dataclass(frozen=True)
class Rule:
    """What two members must have in common; ``b0_too`` also where one of them holds b = 0 alone."""

    name: str
    read: Callable[[Member], Hashable]
    b0_too: bool = True


MUST_AGREE = (
    Rule("object", lambda m: (m.stack.first.Modality, m.stack.first.SOPClassUID, m.stack.first.mosaic_tiles)),
    Rule("geometry", lambda m: m.signature.geometry),
    Rule("timing", lambda m: (m.signature.timing, m.stack.first.InversionTime or None)),
    Rule("preparation", lambda m: (frozenset(m.stack.first.ScanOptions), m.stack.first.SpectrallySelectedSuppression)),
    Rule("encoding", lambda m: m.stack.first.InPlanePhaseEncodingDirection),
    Rule("part", lambda m: (m.signature.image[1], dixon_of(m.stack.first.ImageType))),
    Rule("content", lambda m: content_of(m.stack.first.ImageType)),
    Rule("pixels", lambda m: (m.stack.first.PhotometricInterpretation, m.stack.first.SamplesPerPixel)),
    Rule("kind", lambda m: m.signature.kind, b0_too=False),
    Rule("origin", lambda m: m.stack.first.ImageType[:1], b0_too=False),
    Rule("trace", lambda m: bool(upper(m.stack.first.ImageType) & {"TRACEW", "TRACE"}), b0_too=False),
    Rule("directed", lambda m: any(m.directions), b0_too=False),
)


def merge_weightings(acquisition: Sequence[Stack]) -> list[Stack]:
    """The stacks of one acquisition, with the b-values that lie in several series as one stack each."""
    if len({(s.first.SeriesInstanceUID, s.first.SeriesNumber) for s in acquisition}) < 2:
        return list(acquisition)
    members = [m for s in acquisition if s.is_image and (m := Member(s)).signature.kind in ("weighted", "calc")]
    groups = [g for g in group(sorted([m for m in members if m.is_whole], key=order)) if len(g) > 1]
    taken = {m.stack.stack_id for g in groups for m in g}
    return [s for s in acquisition if s.stack_id not in taken] + [merged(g) for g in groups]


def order(member: Member) -> tuple[bool, int, str, str]:
    """Weighted before unweighted, then by series number."""
    return member.is_unweighted, member.signature.number, member.stack.first.SeriesInstanceUID, member.stack.stack_id


def group(members: Sequence[Member]) -> list[list[Member]]:
    """Members to be put together. A b-value met again begins another group; each joins the nearest that it fits."""
    groups: list[list[Member]] = []
    for member in members:
        fitting = [g for g in groups if all(fits(member, other) for other in g)]
        if fitting:
            near = min(fitting, key=lambda g: min(abs(member.signature.number - m.signature.number) for m in g))
            near.append(member)
        else:
            groups.append([member])
    return groups


def fits(a: Member, b: Member) -> bool:
    """Whether two members are different weightings of the same slices, measured and made in the same way."""
    if a.signature.series == b.signature.series or set(a.weightings) & set(b.weightings):
        return False
    unweighted = a.is_unweighted or b.is_unweighted
    return all(r.read(a) == r.read(b) for r in MUST_AGREE if r.b0_too or not unweighted) and same_places(a, b)


def same_places(a: Member, b: Member) -> bool:
    """Whether the slices of the first volumes lie at the same places, turned in the same way."""
    n = a.stack.volume.count(a.stack.volume[0])
    if n != b.stack.volume.count(b.stack.volume[0]):
        return False
    for i, j in zip(a.stack.instances[:n], b.stack.instances[:n], strict=True):
        if not agree(i.ImageOrientationPatient, j.ImageOrientationPatient):
            return False
        p, q = i.ImagePositionPatient, j.ImagePositionPatient
        if len(p) != 3 or len(q) != 3 or max(abs(x - y) for x, y in zip(p, q, strict=True)) > SAME_PLACE_MM:
            return False
    return True


def merged(members: Sequence[Member]) -> Stack:
    """One stack of several: volumes in ascending b, or in the order of the series where directions are stored.

    It bears the ``stack_id`` of its first series, so that neither a slice nor a b-value that comes later renames it.
    """
    members = sorted(members, key=lambda m: order(m)[1:])
    volumes = [(m, v) for m in members for v in range(m.stack.n_volumes)]
    if not any(d for m in members for d in m.directions):
        volumes.sort(key=lambda at: at[0].bvalues[at[1]])
    rows = {m.stack.stack_id: by_volume(m.stack) for m in members}
    instances = [(i, n) for n, (m, v) in enumerate(volumes) for i in rows[m.stack.stack_id][v]]
    return replace(
        members[0].stack,
        instances=tuple(i for i, _ in instances),
        volume=tuple(n for _, n in instances),
        n_volumes=len(volumes),
        bvalues=tuple(m.bvalues[v] for m, v in volumes),
        directions=tuple(m.directions[v] for m, v in volumes),
        caution=next((m.stack.caution for m in members if m.stack.caution), ""),
    )


def by_volume(stack: Stack) -> list[list[Instance]]:
    """The instances of each volume, in the order of the slices."""
    rows: list[list[Instance]] = [[] for _ in range(stack.n_volumes)]
    for instance, volume in zip(stack.instances, stack.volume, strict=True):
        rows[volume].append(instance)
    return rows
