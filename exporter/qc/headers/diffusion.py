"""Checks of diffusion scans, from headers alone (B01 to B06)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ...harmonise import Harmonised
from ...inventory.instance import Instance
from ...stacks.headers import (
    b_value,
    concepts_of,
    described_b,
    map_kind,
    measured_b,
    named_b,
    says_calculated,
)
from ..check import ERROR, WARNING, Check, Evidence
from ..views import Acquisition, Session
from .naming import place_of
from .siblings import grid_of

WEIGHTED = ("DWI", "trace")
MAPS = frozenset({"ADC", "expADC", "FA", "colFA", "S0map"})
LOOKALIKES = frozenset({"T2w", "PDw", "T1w", "bold", "unknown"})
DIFFUSION_WORDS = frozenset({"diffusion", "trace", "tensor"})
UNWEIGHTED_BELOW = 10.0
"""s/mm²: scanners write small numbers for b = 0."""
B_SLACK = 10.0
"""s/mm², the absolute part of "max(5 %, 10 s/mm²)"."""
ADC_LIMIT = 1000.0
"""s/mm²: maps are computed from b-values up to here (PI-RADS v2.1), so a scan of two of them has one."""
TENSOR_DIRECTIONS = 6
"""Scans of so many directions are made for tensors, and other maps."""


def no_b_value(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """Diffusion-weighted images of which no header tells the b-value, or of which some tell b = 0 and some nothing."""
    for h in acquisition.stacks:
        if h.record.part != "mag" or not (h.record.sequence in WEIGHTED or says_diffusion(h)):
            continue
        rows = h.stack.instances
        silent = tuple(i.key for i in rows if b_value(i) is None)
        if len(silent) == len(rows):
            if h.stack.n_volumes == 1 and described_b(h.stack.first.SeriesDescription) is not None:
                continue
            message = "no header tells a b-value"
        elif silent and any((b_value(i) or 0.0) < UNWEIGHTED_BELOW for i in rows if b_value(i) is not None):
            message = f"{len(silent)} of {len(rows)} images tell no b-value"
        else:
            continue
        yield Evidence(message, place_of(h), (("silent", len(silent)),), silent, (h.stack.stack_id,))


def says_diffusion(h: Harmonised) -> bool:
    """Whether the words of an image say diffusion where its headers, without a b-value, look like another kind."""
    first = h.stack.first
    if first.Modality != "MR" or h.record.sequence not in LOOKALIKES or h.record.derived:
        return False
    said = concepts_of(first.SeriesDescription)
    is_map = "adc" in said or bool(map_kind(first.ImageType, first.SeriesDescription))
    return not is_map and not DIFFUSION_WORDS.isdisjoint(said)


def no_b_value_beside_map(session: Session, _tolerance: float) -> Iterator[Evidence]:
    """An ADC map lies on the grid of images that it was computed from, and none of them tells a b-value."""
    stacks = [h for h in session.stacks if h.stack.is_image and h.stack.first.Modality == "MR"]
    for grid in {grid_of(h) for h in stacks if is_adc(h)}:
        beside = [h for h in stacks if not is_map(h) and grid_of(h) == grid]
        if beside and all(b_value(i) is None for h in beside for i in h.stack.instances):
            key = f"map {min(map(place_of, beside))}"
            ids = tuple(h.stack.stack_id for h in beside)
            yield Evidence("no header tells a b-value on the grid of an ADC map", key, stacks=ids)


def disagreeing_b_values(acquisition: Acquisition, share: float) -> Iterator[Evidence]:
    """Two places of a header, or a header and its SequenceName, state different b-values."""
    for h in weighted_of(acquisition.stacks):
        apart = [i for i in h.stack.instances if is_disputed(i, share)]
        if apart:
            yield Evidence(
                f"sources of the b-value disagree in {len(apart)} of {len(h.stack.instances)} images",
                place_of(h),
                (("images", len(apart)),),
                tuple(i.key for i in apart),
                (h.stack.stack_id,),
            )


def is_disputed(instance: Instance, share: float) -> bool:
    """Whether the b-values that one image states differ by more than a share of the highest and 10 s/mm²."""
    stated = list(instance.b_values_said)
    named = named_b(instance.SequenceName)
    if instance.b_value is not None and named is not None and not is_computed(instance):
        stated += [instance.b_value, named]
    return bool(stated) and max(stated) - min(stated) > max(B_SLACK, share * max(stated))


def is_computed(instance: Instance) -> bool:
    """Whether the b-value of the image was computed and not measured."""
    return says_calculated(instance.ImageType, instance.SeriesDescription)


def unequal_weightings(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """The volumes of one diffusion image have different numbers of slices."""
    for h in weighted_of(acquisition.stacks):
        stack = h.stack
        if stack.n_volumes < 2 or stack.first.mosaic_tiles:
            continue
        slices = Counter(stack.volume)
        most = max(slices.values())
        fewer = sorted(v for v, n in slices.items() if n < most)
        if fewer:
            yield Evidence(
                f"{len(fewer)} of {stack.n_volumes} volumes have fewer slices than the others "
                f"({min(slices.values())} against {most})",
                place_of(h),
                (("volumes", len(fewer)), ("fewest", min(slices.values())), ("most", most)),
                stacks=(stack.stack_id,),
            )


def no_low_b_value(session: Session, highest: float) -> Iterator[Evidence]:
    """No diffusion image of the session was measured at so low a b-value."""
    stacks = [h for h in measured_of(session.stacks) if b_values_of(h)]
    found = [b for h in stacks for b in b_values_of(h)]
    if found and min(found) > highest:
        yield Evidence(
            f"no b-value of {highest:.0f} s/mm2 or less was measured, the lowest is {min(found):.0f}",
            "",
            (("lowest", min(found)),),
            stacks=tuple(h.stack.stack_id for h in stacks),
        )


def no_map(session: Session, _tolerance: float) -> Iterator[Evidence]:
    """A diffusion scan of two b-values has no ADC map, or only one on another grid."""
    stacks = [h for h in session.stacks if h.stack.is_image]
    maps = [h for h in stacks if is_adc(h)]
    of_scan: dict[str, list[Harmonised]] = {}
    for h in measured_of(stacks):
        of_scan.setdefault(h.stack.acquisition_id, []).append(h)
    grids = {scan: {grid_of(h) for h in members} for scan, members in of_scan.items()}
    free = [h for h in maps if not is_on(h, grids.get(h.stack.acquisition_id, set()))]
    lone = [h for h in free if not any(is_on(h, grid) for grid in grids.values())]
    for h in lone if of_scan else ():
        yield Evidence(
            "the ADC map lies on another grid than the diffusion images",
            f"grid {place_of(h)}",
            stacks=(h.stack.stack_id,),
        )
    for scan, members in of_scan.items():
        if not wants_map(members) or any(is_on(h, grids[scan]) for h in maps if h.stack.acquisition_id == scan):
            continue
        if not lone and not any(is_on(h, grids[scan]) for h in free):
            ids = tuple(h.stack.stack_id for h in members)
            key = f"absent {min(map(place_of, members))}"
            yield Evidence("a diffusion scan of several b-values has no ADC map", key, stacks=ids)


def is_map(h: Harmonised) -> bool:
    """Whether a stack is any map of diffusion."""
    first = h.stack.first
    return h.record.sequence in MAPS or bool(map_kind(first.ImageType, first.SeriesDescription))


def is_adc(h: Harmonised) -> bool:
    """Whether a stack is a map of the apparent diffusion coefficient."""
    first = h.stack.first
    return h.record.sequence == "ADC" or map_kind(first.ImageType, first.SeriesDescription) == "ADC"


def is_on(h: Harmonised, grids: set) -> bool:
    """Whether a stack lies on one of these grids."""
    return grid_of(h) in grids


def wants_map(stacks: Iterable[Harmonised]) -> bool:
    """Whether a scan has two b-values of which a map is computed, and too few directions for a tensor."""
    members = list(stacks)
    low = {round(b, -1) for h in members for b in b_values_of(h) if b <= ADC_LIMIT}
    directions = {d for h in members for d in h.stack.directions if d}
    return len(low) > 1 and len(directions) < TENSOR_DIRECTIONS


def weighted_of(stacks: Iterable[Harmonised]) -> Iterator[Harmonised]:
    """The diffusion-weighted images among some stacks, measured or computed."""
    return (h for h in stacks if h.record.sequence in WEIGHTED and h.record.part == "mag")


def measured_of(stacks: Iterable[Harmonised]) -> Iterator[Harmonised]:
    """The diffusion-weighted images that were measured."""
    return (h for h in weighted_of(stacks) if not is_all_computed(h))


def is_all_computed(h: Harmonised) -> bool:
    """Whether a stack holds one computed b-value: by its words, or by a SequenceName that lists what was measured."""
    first = h.stack.first
    measured = measured_b(first.SequenceName)
    beyond = bool(measured) and h.stack.n_volumes == 1 and b_value(first) not in measured and bool(b_value(first))
    return "calc" in h.record.derived or is_computed(first) or beyond


def b_values_of(h: Harmonised) -> tuple[float, ...]:
    """The b-values of a stack, s/mm²: of its volumes, else as its record says."""
    return h.stack.bvalues or h.record.bvalues


DIFFUSION: tuple[Check[Acquisition], ...] = (
    Check("B01", "acquisition", ERROR, "no b-value anywhere", no_b_value),
    Check("B02", "acquisition", WARNING, "sources of the b-value disagree", disagreeing_b_values, 0.02, "share"),
    Check("B03", "acquisition", ERROR, "slices per b-value unequal", unequal_weightings),
)
SESSION_DIFFUSION: tuple[Check[Session], ...] = (
    Check("B01", "acquisition", ERROR, "no b-value beside an ADC map", no_b_value_beside_map),
    Check("B05", "session", WARNING, "no measured b-value of 100 or less", no_low_b_value, 100.0, "s/mm2"),
    Check("B06", "session", WARNING, "ADC absent or on another grid", no_map),
)
