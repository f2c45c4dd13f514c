"""Checks of dynamic acquisitions, from headers alone (T01 to T03, T05, T08, T09)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median

from ...harmonise import Harmonised
from ...inventory.instance import Instance
from ...inventory.moment import moment, seconds_of_day, unwrapped
from ...stacks.headers import is_diffusion_weighted
from ...stacks.numbering import PHASE_CLOCKS, by_product, earliest
from ...stacks.signature import Signature
from ..check import ERROR, INFO, WARNING, Check, Evidence
from ..views import Acquisition
from .clocks import (
    TEMPORAL_POSITION,
    Phases,
    in_counted_order,
    is_good,
    is_of_blocks,
    is_running,
    readings,
    stands_still,
    timed,
)
from .naming import place_of

FEWEST_TIMED = 4
"""Of fewer phases no interval is the usual one."""
WHOLE_SECONDS = 1.0
"""Clocks that tell whole seconds make an interval a second longer or shorter."""
CLOCK_NOISE_S = 0.01


@lru_cache(maxsize=4)
def products_of(acquisition: Acquisition) -> tuple[Phases, ...]:
    """The phases of each product (water, fat, magnitude …) of a dynamic acquisition, in their order."""
    phased = [h for h in acquisition.stacks if h.stack.phase_index is not None]
    if len(phased) < 2:
        return ()
    groups = by_product([Signature(h.stack) for h in phased], lambda s: (s.flip, s.timing))
    return tuple(
        tuple(sorted((phased[k] for k in members), key=lambda h: h.stack.phase_index or 0))
        for members in groups
        if len(members) > 1
    )


def ids_of(phases: Iterable[Harmonised]) -> tuple[str, ...]:
    """The stacks of some phases."""
    return tuple(h.stack.stack_id for h in phases)


def unequal_phases(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """A phase has fewer slices than the others, the last one too where the scan was cut."""
    for phases in products_of(acquisition):
        counts = [len(h.stack.instances) for h in phases]
        short = [n for n, count in enumerate(counts) if count < max(counts)]
        if short:
            where = "the last phase" if short == [len(counts) - 1] else f"{len(short)} of {len(counts)} phases"
            yield Evidence(
                f"{where} with fewer slices than the others ({min(counts)} against {max(counts)})",
                place_of(phases[0]),
                (("phases", len(short)), ("fewest", min(counts)), ("most", max(counts))),
                stacks=ids_of(phases),
            )
    for h in acquisition.stacks:
        if h.stack.n_volumes < 2 or any(map(is_diffusion_weighted, h.stack.instances)):
            continue
        slices = Counter(h.stack.volume)
        most, fewest = max(slices.values()), min(slices.values())
        if fewest < most:
            yield Evidence(
                f"{sum(n < most for n in slices.values())} of {len(slices)} volumes with fewer slices than the others "
                f"({fewest} against {most})",
                place_of(h),
                (("fewest", fewest), ("most", most)),
                stacks=(h.stack.stack_id,),
            )


def wrong_times(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """Two phases have one time, or a later one an earlier time, by a clock that tells phases."""
    for phases in products_of(acquisition):
        told = readings(in_counted_order(phases))
        has_good = any(clock is not TEMPORAL_POSITION and is_good(clock, known) for clock, known in told)
        for clock, known in told:
            if not (is_running(clock, known) or stands_still(clock, known)) or (has_good and is_of_blocks(known)):
                continue
            same = len(known) - len(set(known))
            falls = sum(b < a for a, b in pairwise(known)) if clock is not TEMPORAL_POSITION else 0
            if same or falls:
                yield Evidence(
                    f"{clock.name} of {len(known)} phases: {same} met before, {falls} earlier than the phase before",
                    f"{clock.name} {place_of(phases[0])}",
                    (("same", same), ("falls", falls)),
                    stacks=ids_of(phases),
                )
                break


def intervals_of(phases: Phases) -> tuple[list[float], list[int]]:
    """Seconds from phase to phase, and which of them (from 0) are to be judged.

    The first is not: scanners prepare the magnetisation, and mostly the agent is injected, after the first phase. Nor
    is the one in which the agent was injected, where the header tells.
    Of a dynamic of which most series are not here, intervals count per series number.
    """
    times = [h.stack.phase_time_s for h in phases]
    known = [t for t in times if t is not None]
    if len(known) < len(times):
        return [], []
    gaps = [b - a for a, b in pairwise(known)]
    numbers = [h.stack.first.SeriesNumber or 0 for h in phases]
    steps = [b - a for a, b in pairwise(numbers)]
    if min(steps, default=0) > 0 and sum(steps) > 2 * len(steps):
        gaps = [gap / step for gap, step in zip(gaps, steps, strict=True)]
    injection = injected_after(phases)
    return gaps, [k for k in range(1, len(gaps)) if k != injection]


def injected_after(phases: Phases) -> int | None:
    """The index of the last phase before the agent, None where no header tells: by the time at which it was given,
    else where all later phases name it and the earlier ones do not."""
    given = seconds_of_day(phases[0].stack.first.ContrastBolusStartTime)
    began = [seconds_of_day(h.stack.first.AcquisitionTime) for h in phases]
    if given is not None and None not in began and len(set(began)) == len(phases):
        earlier = sum(t is not None and t <= given for t in began)
        return earlier - 1 if 0 < earlier < len(phases) else None
    named = [bool(h.stack.first.ContrastBolusAgent.strip()) for h in phases]
    first = named.index(True) if True in named else 0
    return first - 1 if first > 0 and all(named[first:]) else None


def uneven_times(acquisition: Acquisition, share: float) -> Iterator[Evidence]:
    """The time from phase to phase varies by more than a share of its median."""
    for phases in products_of(acquisition):
        gaps, judged = intervals_of(phases)
        if len(phases) < FEWEST_TIMED or len(judged) < 2:
            continue
        usual = median(gaps[k] for k in judged)
        whole = all((h.stack.phase_time_s or 0.0).is_integer() for h in phases)
        slack = max(share * usual, WHOLE_SECONDS if whole and share * usual < 2 * WHOLE_SECONDS else 0.0)
        worst = max(judged, key=lambda k: abs(gaps[k] - usual))
        if abs(gaps[worst] - usual) > slack + CLOCK_NOISE_S:
            yield Evidence(
                f"{gaps[worst]:.1f} s from phase {worst + 1} to phase {worst + 2}, the median is {usual:.1f} s",
                place_of(phases[0]),
                (("interval_s", gaps[worst]), ("median_s", usual)),
                stacks=ids_of(phases),
            )


def no_baseline(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """The first phase that is here was not the first, or was measured after the agent was given."""
    for phases in products_of(acquisition):
        why = after_injection(phases) or not_the_first(phases)
        if why:
            yield Evidence(why, place_of(phases[0]), stacks=ids_of(phases))


def after_injection(phases: Phases) -> str:
    """What says that the first phase began after the injection, "" where nothing does."""
    first = phases[0].stack.first
    given, began = seconds_of_day(first.ContrastBolusStartTime), moment(first)
    if given is None or began is None:
        return ""
    later = (began - given) % 86400.0
    return f"the first phase began {later:.0f} s after the injection" if 0 < later <= 3600.0 else ""


def not_the_first(phases: Phases) -> str:
    """What says that phases before the first one are not here, "" where nothing does."""
    first = phases[0].stack.first
    if (first.TemporalPositionIdentifier or 1) > 1:
        return f"the first phase is number {first.TemporalPositionIdentifier} of the scanner's"
    numbers = [h.stack.first.AcquisitionNumber or 0 for h in phases]
    if numbers[0] > 1 and all(b > a for a, b in pairwise(numbers)):
        return f"the first phase is number {numbers[0]} of the scanner's"
    since = started_late(phases)
    return f"the first phase began {since:.0f} s after the scan" if since else ""


def started_late(phases: Phases) -> float:
    """Seconds on the scan's own clock when the first phase began, 0 where that is less than half an interval."""
    for clock in PHASE_CLOCKS[:2]:
        times = [earliest(h.stack, clock) for h in phases]
        known = [t for t in times if t is not None]
        if len(known) < len(times) or not is_running(clock, known):
            continue
        usual = median(b - a for a, b in pairwise(known))
        if usual > 0 and known[0] > usual / 2:
            return known[0]
    return 0.0


def disagreeing_orders(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """TemporalPositionIdentifier rises where AcquisitionTime falls; not judged where the time is constant."""
    phases = [h for product in products_of(acquisition) for h in product]
    series = [h for h in acquisition.stacks if h.stack.n_volumes > 1 and h.stack.first.TemporalPositionIdentifier]
    for members in (phases, *([h] for h in series)):
        rows = [i for h in members for i in timed(h)]
        turned = turned_positions(rows)
        if turned:
            yield Evidence(
                f"{turned} temporal positions begin before the one before them ended",
                place_of(members[0]),
                (("positions", turned),),
                stacks=ids_of(members),
            )


def turned_positions(rows: Sequence[Instance]) -> int:
    """How many temporal positions hold an image acquired before one of the position before."""
    times: dict[int, list[float]] = defaultdict(list)
    for i, at in zip(rows, unwrapped([moment(i) for i in rows]), strict=True):
        if i.TemporalPositionIdentifier is not None and at is not None:
            times[i.TemporalPositionIdentifier].append(at)
    if len({t for at in times.values() for t in at}) < 2:
        return 0
    ordered = [times[n] for n in sorted(times)]
    return sum(min(b) < max(a) - CLOCK_NOISE_S for a, b in pairwise(ordered))


def joined_series(acquisition: Acquisition, _tolerance: float) -> Iterator[Evidence]:
    """The phases lie in several series, which were joined."""
    for phases in products_of(acquisition):
        series = {h.stack.first.SeriesInstanceUID for h in phases}
        if len(series) > 1:
            yield Evidence(
                f"{len(phases)} phases lie in {len(series)} series, which were joined",
                place_of(phases[0]),
                (("series", len(series)),),
                stacks=ids_of(phases),
            )


DYNAMIC: tuple[Check[Acquisition], ...] = (
    Check("T01", "acquisition", ERROR, "phases of unequal slice count", unequal_phases),
    Check("T02", "acquisition", ERROR, "duplicate or falling times", wrong_times),
    Check("T03", "acquisition", WARNING, "interval varies", uneven_times, 0.2, "share"),
    Check("T05", "acquisition", WARNING, "no phase before contrast", no_baseline),
    Check("T08", "acquisition", WARNING, "TemporalPosition and AcquisitionTime disagree", disagreeing_orders),
    Check("T09", "acquisition", INFO, "split series joined", joined_series),
)
