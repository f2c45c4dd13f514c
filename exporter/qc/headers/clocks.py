"""The clocks of the phases of a dynamic scan: what they say, and whether they tell phases at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

from ...harmonise import Harmonised
from ...inventory.instance import Instance
from ...inventory.moment import unwrapped
from ...stacks.numbering import PHASE_CLOCKS, PhaseClock, earliest

Phases = tuple[Harmonised, ...]
"""The phases of one product of a dynamic acquisition, in their order."""

LEAST_STEP_S = 1.0
"""Trigger times that span less than this from phase to phase are delays within a heart beat or breath."""
TEMPORAL_POSITION = PhaseClock(
    "TemporalPositionIdentifier",
    lambda i: None if i.TemporalPositionIdentifier is None else float(i.TemporalPositionIdentifier),
)
CLOCKS = (TEMPORAL_POSITION, *PHASE_CLOCKS)
NO_CLOCKS = frozenset({TEMPORAL_POSITION.name, "description"})
"""What counts, or is told by words: these may say the same of several phases."""
TIMES = attrgetter(
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "TriggerTime", "TemporalPositionTimeOffset"),
    "TemporalPositionIdentifier",
)
"""The values that the clocks read, the description aside."""

PhaseNumber = Callable[[Harmonised], int | None]
COUNTERS: tuple[PhaseNumber, ...] = (
    lambda h: h.stack.first.TemporalPositionIdentifier,
    lambda h: h.stack.first.AcquisitionNumber,
    lambda h: h.stack.first.SeriesNumber,
    lambda h: min((i.InstanceNumber for i in h.stack.instances if i.InstanceNumber is not None), default=None),
)
"""What counts phases without being a clock, in the order of trust."""


def in_counted_order(phases: Phases) -> Phases:
    """The phases in the order of the first counter that tells all apart, else as they are."""
    for counter in COUNTERS:
        numbers = [counter(h) for h in phases]
        if None not in numbers and len(set(numbers)) == len(phases):
            return tuple(h for _, h in sorted(zip(numbers, phases, strict=True), key=lambda pair: pair[0] or 0))
    return phases


def timed(h: Harmonised) -> tuple[Instance, ...]:
    """One image of each time that a phase tells."""
    return tuple({(*TIMES(i), i.SeriesDescription): i for i in h.stack.instances}.values())


def readings(phases: Phases) -> list[tuple[PhaseClock, list[float]]]:
    """Every clock that all phases set, and what they say, in their order."""
    ordered = [replace(h.stack, instances=timed(h), volume=()) for h in phases]
    told = ((clock, unwrapped([earliest(stack, clock) for stack in ordered])) for clock in CLOCKS)
    return [(clock, [t for t in times if t is not None]) for clock, times in told if None not in times]


def is_running(clock: PhaseClock, times: Sequence[float]) -> bool:
    """Whether a clock tells phases apart at all: constant values, or pairs of them, tell something else."""
    return len(set(times)) * 2 > len(times) and not is_delay(clock, times)


def is_delay(clock: PhaseClock, times: Sequence[float]) -> bool:
    """Whether trigger times lie within a heart beat or breath."""
    steps = max(1, len(set(times)) - 1)
    return clock.name == "TriggerTime" and max(times) - min(times) < LEAST_STEP_S * steps


def is_good(clock: PhaseClock, times: Sequence[float]) -> bool:
    """Whether each phase is later than the one before."""
    return is_running(clock, times) and all(b > a for a, b in pairwise(times))


def stands_still(clock: PhaseClock, times: Sequence[float]) -> bool:
    """Whether a clock ran and then stood still, for so many phases that few of its values differ.

    Values that are all met equally often (one for all, two for each pair) tell something else than the phase. Nor does
    what a counter or a word says stand still.
    """
    often = set(Counter(times).values())
    return clock.name not in NO_CLOCKS and len(often) > 1 and not is_delay(clock, times)


def is_of_blocks(times: Sequence[float]) -> bool:
    """Whether a clock may tell the start of blocks of phases: one before the agent, one of all phases after it. Where
    another clock tells the phases, this is no fault."""
    return len(set(times)) * 2 <= len(times) or len(set(times[1:])) == 1
