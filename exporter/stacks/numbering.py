"""Within one acquisition: its identifier, phases with their times, echoes and flip angles."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..inventory.instance import Instance
from ..inventory.moment import moment, unwrapped
from .headers import described_time
from .joins import FLIPS_AT_LEAST, TOLD_DYNAMIC_AT_LEAST
from .signature import Signature
from .stack import Stack

LONGEST_DYNAMIC_S = 2 * 3600.0
"""A time span longer than this is no dynamic scan: the clock is not to be believed."""


@dataclass(frozen=True)
class PhaseClock:
    """A place where the time of a phase may stand, in seconds."""

    name: str
    read: Callable[[Instance], float | None]


PHASE_CLOCKS = (
    PhaseClock("TemporalPositionTimeOffset", lambda i: i.TemporalPositionTimeOffset),
    PhaseClock("TriggerTime", lambda i: None if i.TriggerTime is None else i.TriggerTime / 1000.0),
    PhaseClock("AcquisitionTime", moment),
    PhaseClock("description", described_time),
)
"""In the order of trust."""


def number_acquisition(stacks: Sequence[Stack]) -> list[Stack]:
    """The stacks of one acquisition with its identifier and their indices."""
    signatures = [Signature(s) for s in stacks]
    name = acquisition_id(signatures)
    numbered = [replace(s, acquisition_id=name) for s in stacks]
    number_phases(numbered, signatures)
    number_flips(numbered, signatures)
    number_echoes(numbered, signatures)
    return numbered


def acquisition_id(signatures: Sequence[Signature]) -> str:
    """A hash of the patient, the study and the first series of the acquisition."""
    first = min(signatures, key=lambda s: (s.number, s.series))
    words = (first.stack.first.PatientID, first.stack.first.StudyInstanceUID, first.series[0], str(first.number))
    return hashlib.sha256("\x1f".join(("acquisition", *words)).encode()).hexdigest()[:12]


def number_phases(stacks: list[Stack], signatures: Sequence[Signature]) -> None:
    """Fill phase index and time, for each product (water, fat, magnitude …) of a dynamic scan by itself."""
    for members in by_product(signatures, lambda s: (s.flip, s.timing)):
        phased = [k for k in members if stacks[k].phase_index is not None]
        if not phased and are_time_points([signatures[k] for k in members]):
            phased = members
        if not phased:
            continue
        order = phase_order(phased, stacks, signatures)
        times, source = phase_times([stacks[k] for k in order])
        for index, k in enumerate(order):
            time = times[index] if times else None
            stacks[k] = replace(stacks[k], phase_index=index + 1, phase_time_s=time, phase_time_source=source)


def are_time_points(signatures: Sequence[Signature]) -> bool:
    """Whether single volumes of one scan, stored as series, are its time points: enough of them, at different times."""
    if len(signatures) < TOLD_DYNAMIC_AT_LEAST:
        return False
    volumes = all(s.is_fast_gradient_echo and not s.is_derived and s.stack.n_volumes == 1 for s in signatures)
    starts = {s.start for s in signatures}
    return volumes and (len(starts) == len(signatures) or all(s.says_dynamic for s in signatures))


def by_product(signatures: Sequence[Signature], key: Callable[[Signature], tuple[object, ...]]) -> list[list[int]]:
    """Stacks that differ neither in product (all but the echo) nor in the given key."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for k, s in enumerate(signatures):
        if s.stack.is_image:
            groups[(s.image, s.orientation, s.is_derived, *key(s))].append(k)
    return list(groups.values())


def phase_order(members: Sequence[int], stacks: Sequence[Stack], signatures: Sequence[Signature]) -> list[int]:
    """Order of the phases: within one series as laid out, across series by time, then by counters."""
    starts = dict(zip(members, unwrapped([signatures[k].start for k in members]), strict=True))
    by_time = None not in starts.values() and len(set(starts.values())) == len(members)

    def key(k: int) -> tuple[float, int, int, str]:
        acquisition = stacks[k].first.AcquisitionNumber
        counter = acquisition if acquisition is not None and stacks[k].phase_index is None else 0
        laid_out = stacks[k].phase_index or 0
        start = starts[k] if by_time and not laid_out else 0.0
        return (start or 0.0), counter or laid_out, signatures[k].number, stacks[k].stack_id

    return sorted(members, key=key)


def phase_times(phases: Sequence[Stack]) -> tuple[list[float], str]:
    """Seconds since the first phase and where they were read; empty where no clock is plausible.

    A clock is plausible if every phase has a time, each later than the one before, within two hours.
    """
    for source in PHASE_CLOCKS:
        times = unwrapped([earliest(p, source) for p in phases])
        known = [t for t in times if t is not None]
        if len(known) != len(phases):
            continue
        since = [round(t - known[0], 6) for t in known]
        rising = all(b > a for a, b in pairwise(since))
        if rising and since[-1] <= LONGEST_DYNAMIC_S and (len(since) > 1 or known[0] == 0):
            return [round(t, 3) for t in since], source.name
    return [], ""


def earliest(phase: Stack, clock: PhaseClock) -> float | None:
    """The first reading of a clock among the images of one phase, seconds."""
    return min((t for t in unwrapped([clock.read(i) for i in phase.instances]) if t is not None), default=None)


def number_flips(stacks: list[Stack], signatures: Sequence[Signature]) -> None:
    """Fill the flip index where one scan was made with three or more flip angles."""
    for members in by_product(signatures, lambda s: (s.timing,)):
        angles = sorted({f for k in members if (f := signatures[k].flip) is not None})
        if len(angles) < FLIPS_AT_LEAST:
            continue
        for k in members:
            flip = signatures[k].flip
            if flip is not None:
                stacks[k] = replace(stacks[k], flip_index=angles.index(flip) + 1)


def number_echoes(stacks: list[Stack], signatures: Sequence[Signature]) -> None:
    """Fill the echo index where one product was read at several echo times; Dixon products are no echoes."""
    for members in by_product(signatures, lambda s: (s.flip,)):
        times = sorted({te for k in members if (te := signatures[k].stack.first.EchoTime)})
        if len(times) < 2 or any(signatures[k].image[0] or signatures[k].kind for k in members):
            continue
        for k in members:
            te = signatures[k].stack.first.EchoTime
            if te:
                stacks[k] = replace(stacks[k], echo_index=times.index(te) + 1)
