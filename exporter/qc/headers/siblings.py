"""Images of one session that should lie alike, and do not (G10, G12, B03): what the others say of one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from ...harmonise import Harmonised
from ...stacks.geometry import normal, position
from ...stacks.signature import Signature
from ..check import ERROR, WARNING, Check, Evidence
from ..views import Session
from .layout import ROUNDING_MM
from .naming import place_of

ON_GRID_SHARE, ON_GRID_MM = 0.1, 0.1
"""Slices closer to a sibling's than this, in steps or mm, lie on its grid."""
MOST_LOST_SHARE = 0.5
"""Who lacks more than this share of a sibling's slices was planned so."""


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """One stack along its normal: the places of its outer slices in mm, how many there are, and their distance."""

    harmonised: Harmonised
    signature: Signature
    low: float
    high: float
    slices: int

    @property
    def step(self) -> float:
        """Mean distance of the slices in mm."""
        return (self.high - self.low) / max(1, self.slices - 1)

    @property
    def scan(self) -> tuple[Hashable, ...]:
        """The groups of one plane whose members have the same slices: one acquisition, all of diffusion, what one
        excitation gave (Dixon products, echoes), all fast gradient echoes of one timing (flip angles, before and after
        the agent)."""
        groups: list[Hashable] = [("acquisition", self.harmonised.stack.acquisition_id)]
        if self.signature.kind:
            return *groups, ("diffusion",)
        if moment := self.moment:
            groups.append(("excitation", *moment))
        if self.signature.is_fast_gradient_echo and not self.signature.is_derived:
            groups.append(("quick", self.signature.timing))
        return tuple(groups)

    @property
    def moment(self) -> tuple[Hashable, ...]:
        """When and how all slices of a volume were excited at once, () where that is not told."""
        first = self.harmonised.stack.first
        times = {i.AcquisitionTime for i in self.harmonised.stack.instances}
        if len(times) > 1 or not first.AcquisitionTime or not first.RepetitionTime:
            return ()
        return first.AcquisitionDate, first.AcquisitionTime, first.RepetitionTime, first.FlipAngle

    def lost_of(self, other: Extent) -> int:
        """How many slices of the other this one lacks at its ends; 0 where it is no part of the other's grid."""
        step, lost = other.step, other.slices - self.slices
        if step <= 0 or not 0 < lost <= MOST_LOST_SHARE * other.slices:
            return 0
        off = max(ON_GRID_MM, ON_GRID_SHARE * step)
        below, above = (self.low - other.low) / step, (other.high - self.high) / step
        inside = below * step >= -off and above * step >= -off
        even = abs(below - round(below)) * step <= off and round(below) + round(above) == lost
        return lost if inside and even else 0


def lost_ends(session: Session, _tolerance: float) -> Iterator[Evidence]:
    """A stack lacks slices at an end that others of its scan have."""
    said: set[str] = set()
    for members in families(session):
        longest = max(members, key=lambda e: e.slices)
        for extent in members:
            stack_id = extent.harmonised.stack.stack_id
            lost = extent.lost_of(longest)
            if lost and stack_id not in said:
                said.add(stack_id)
                yield Evidence(
                    f"a first or last slice is probably lost: {extent.slices} slices, other images of the scan have "
                    f"{longest.slices}",
                    f"siblings {place_of(extent.harmonised)}",
                    (("lost", lost),),
                    stacks=(stack_id,),
                )


def lost_in_one_weighting(session: Session, _tolerance: float) -> Iterator[Evidence]:
    """A b-value that is a series of its own has fewer slices than the other b-values of the scan."""
    for members in families(session):
        weighted = [e for e in members if e.signature.kind == "weighted" and e.harmonised.stack.bvalues]
        for extent in weighted:
            for other in weighted:
                if is_other_weighting(extent, other) and other.slices > extent.slices and overlaps(extent, other):
                    stack_id = extent.harmonised.stack.stack_id
                    yield Evidence(
                        f"{extent.slices} slices at one b-value, {other.slices} at another",
                        f"weighting {place_of(extent.harmonised)}",
                        (("slices", extent.slices), ("most", other.slices)),
                        stacks=(stack_id,),
                    )
                    break


def is_other_weighting(extent: Extent, other: Extent) -> bool:
    """Whether both are measured in the same way at b-values that differ."""
    a, b = extent.signature, other.signature
    apart = set(extent.harmonised.stack.bvalues).isdisjoint(other.harmonised.stack.bvalues)
    return apart and a.timing == b.timing and a.series != b.series


def overlaps(extent: Extent, other: Extent) -> bool:
    """Whether a stack lies within the other's slices, of which it lacks some."""
    off = max(ON_GRID_MM, ON_GRID_SHARE * other.step)
    inside = extent.low >= other.low - off and extent.high <= other.high + off
    steps = (extent.low - other.low) / other.step if other.step else 0.0
    return inside and abs(steps - round(steps)) * other.step <= off


def other_frame(session: Session, _tolerance: float) -> Iterator[Evidence]:
    """Images on one grid of one study name different frames of reference, or those of one stack do."""
    together: dict[Hashable, list[tuple[str, Harmonised]]] = defaultdict(list)
    for h in session.stacks:
        if not h.stack.is_image or not h.stack.first.ImageOrientationPatient:
            continue
        frames = {i.FrameOfReferenceUID for i in h.stack.instances}
        if len(frames) > 1:
            yield Evidence(
                f"{len(frames)} frames of reference in one stack",
                f"stack {place_of(h)}",
                (("frames", len(frames)),),
                stacks=(h.stack.stack_id,),
            )
        else:
            together[grid_of(h)].append((frames.pop(), h))
    for members in together.values():
        met = Counter(frame for frame, _ in members)
        if len(met) > 1:
            usual = met.most_common(1)[0][0]
            others = [h for frame, h in members if frame != usual]
            yield Evidence(
                f"{len(met)} frames of reference among {len(members)} images on one grid",
                f"grid {min(map(place_of, others))}",
                (("frames", len(met)), ("images", len(members))),
                stacks=tuple(h.stack.stack_id for h in others),
            )


def other_thickness(session: Session, share: float) -> Iterator[Evidence]:
    """Images of one acquisition on one grid state different thicknesses or distances of their slices."""
    together: dict[Hashable, list[Harmonised]] = defaultdict(list)
    for h in session.stacks:
        if h.stack.is_image and h.stack.first.ImageOrientationPatient:
            together[h.stack.acquisition_id, grid_of(h)].append(h)
    for members in together.values():
        for name in ("SliceThickness", "SpacingBetweenSlices"):
            told = [(abs(mm), h) for h in members if (mm := getattr(h.stack.first, name)) is not None]
            usual = Counter(round(mm, 2) for mm, _ in told).most_common(1)[0][0] if told else 0.0
            others = [h for mm, h in told if abs(mm - usual) > max(ROUNDING_MM, share * usual)]
            if others:
                yield Evidence(
                    f"{name} of {len(others)} of {len(members)} images on one grid is not {usual:.2f} mm",
                    f"{name} {min(map(place_of, others))}",
                    (("images", len(others)), ("usual_mm", usual)),
                    stacks=tuple(h.stack.stack_id for h in others),
                )


def grid_of(h: Harmonised) -> Hashable:
    """Study, matrix, spacing, orientation, first slice and number of slices: images that share all are registered."""
    first = h.stack.first
    return (
        (first.StudyInstanceUID, first.Modality, first.Rows, first.Columns, h.stack.n_slices),
        tuple(round(s, 2) for s in first.PixelSpacing),
        tuple(round(c, 2) + 0.0 for c in first.ImageOrientationPatient),
        tuple(round(p) for p in first.ImagePositionPatient),
    )


@lru_cache(maxsize=2)
def families(session: Session) -> tuple[tuple[Extent, ...], ...]:
    """Stacks of one plane and one scan that differ in how many slices they have."""
    planes: dict[Hashable, list[Harmonised]] = defaultdict(list)
    for h in session.stacks:
        if h.stack.n_slices > 1 and not h.stack.first.mosaic_tiles and h.stack.first.ImageOrientationPatient:
            planes[plane_of(h)].append(h)
    groups: dict[Hashable, list[Extent]] = defaultdict(list)
    for plane, members in planes.items():
        if len({h.stack.n_slices for h in members}) > 1:
            for extent in extents(members):
                for scan in extent.scan:
                    groups[plane, scan].append(extent)
    return tuple(tuple(members) for members in groups.values() if len({e.slices for e in members}) > 1)


def plane_of(h: Harmonised) -> Hashable:
    """What images share that lie on one grid, but for how many slices they have."""
    first = h.stack.first
    turned = tuple(round(x, 1) + 0.0 for x in normal(first.ImageOrientationPatient))
    return first.StudyInstanceUID, first.Rows, first.Columns, tuple(round(s, 2) for s in first.PixelSpacing), turned


def extents(stacks: Iterable[Harmonised]) -> Iterator[Extent]:
    """How far stacks of slices reach."""
    for h in stacks:
        rows = {i.ImagePositionPatient: i for i in h.stack.instances}.values()
        along = [z for i in rows if (z := position(i)) is not None]
        if along:
            yield Extent(h, Signature(h.stack), min(along), max(along), len(along))


SIBLINGS: tuple[Check[Session], ...] = (
    Check("G06", "session", WARNING, "thickness differs between sibling images", other_thickness, 0.05, "share"),
    Check("G10", "session", WARNING, "frame of reference differs", other_frame),
    Check("G12", "session", WARNING, "fewer slices than sibling images", lost_ends),
    Check("B03", "stack", ERROR, "slices per b-value unequal", lost_in_one_weighting),
)
