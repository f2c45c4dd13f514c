"""Faults of dynamic scans: T01 to T08 (T04 needs a protocol: see ``faults_protocol``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from .fault import Item, fault, grade
from .faults_geometry import kept
from .scans import Slice, ds_text, volumes

Slices = list[Slice]
Rng = np.random.Generator
POSITION = ("ge", "philips", "canon", "fujifilm")


def phases(series: Slices) -> list[Slices]:
    """The slices of each phase, in order of time."""
    return list(volumes(series).values()) if series[0].drawn.kind == "dce" else []


def clock(ds: Slice) -> datetime:
    """When a slice was acquired."""
    return datetime.strptime(f"{ds.AcquisitionDate}{ds.AcquisitionTime}", "%Y%m%d%H%M%S.%f")


def set_clock(ds: Slice, when: datetime, trigger_ms: float | None) -> None:
    """Let a slice have been acquired at another time, by every clock in its header."""
    ds.AcquisitionTime = ds.ContentTime = f"{when:%H%M%S.%f}"
    if trigger_ms is not None and "TriggerTime" in ds:
        ds.TriggerTime = ds_text(trigger_ms)


def delayed(slices: Slices, seconds: float) -> None:
    """Move a phase in time."""
    for ds in slices:
        trigger = float(ds.TriggerTime) + 1000 * seconds if "TriggerTime" in ds else None
        set_clock(ds, clock(ds) + timedelta(seconds=seconds), trigger)


@fault("T01", "error", "the last phase cut short", kinds=("dce",), packed=True)
def last_phase_cut(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The last phase lacks its last slices: one, up to all but two."""
    last = phases(series)[-1]
    return kept(series, last[-int(grade(strength, 1, len(last) - 2)) :])


@fault("T01", "error", "slices of a phase lost", kinds=("dce",), packed=True)
def phase_incomplete(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A phase in the middle lacks slices at its end or inside: one, up to half."""
    found = phases(series)
    slices = found[int(rng.integers(1, len(found) - 1))]
    count = int(grade(strength, 1, len(slices) / 2))
    start = int(rng.integers(1, len(slices) - count + 1))
    return kept(series, slices[start : start + count])


@fault("T02", "error", "a time twice", kinds=("dce",))
def time_twice(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A phase says the time of the phase before: one, up to all after the second."""
    found = phases(series)
    start = int(rng.integers(2, len(found)))
    for index in range(start, start + 1 if strength < 1 else len(found)):
        _same_time(found[index], found[start - 1])
    return list(series)


@fault("T02", "error", "time falls", kinds=("dce",), vendors=POSITION)
def time_falls(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """By its number a phase comes later than by its clock: one interval, up to many."""
    found = phases(series)
    delayed(found[int(rng.integers(3, len(found)))], -grade(strength, 15.0, 32.0))
    return list(series)


def _same_time(slices: Slices, like: Slices) -> None:
    for ds in slices:
        set_clock(ds, clock(like[0]), float(like[0].TriggerTime) if "TriggerTime" in like[0] else None)


@fault("T03", "warning", "one interval longer", kinds=("dce",))
def interval_longer(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Late in the scan one interval is 30 to 300 % longer than the others."""
    found = phases(series)
    by = _interval(found) * grade(strength, 0.3, 3.0)
    for slices in found[len(found) - 2 :]:
        delayed(slices, by)
    return list(series)


@fault("T03", "warning", "a phase too early", kinds=("dce",))
def phase_early(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Late in the scan one phase comes 25 to 80 % of an interval too early."""
    found = phases(series)
    delayed(found[-2], -_interval(found) * grade(strength, 0.27, 0.8))
    return list(series)


def _interval(found: list[Slices]) -> float:
    return (clock(found[1][0]) - clock(found[0][0])).total_seconds()


@fault("T05", "warning", "injected before the first phase", kinds=("dce",))
def injected_before(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The header says that the injection began 5 to 120 s before the first phase."""
    began = clock(phases(series)[0][0]) - timedelta(seconds=grade(strength, 5.0, 120.0))
    for ds in series:
        ds.ContrastBolusAgent, ds.ContrastBolusStartTime = "Gadobutrol", f"{began:%H%M%S.%f}"
    return list(series)


@fault("T05", "warning", "phases before contrast lost", kinds=("dce",))
def phases_before_lost(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The phases before the injection never arrived; the header says when it began."""
    found = phases(series)
    began = clock(found[0][0]) + timedelta(seconds=20)
    for ds in series:
        ds.ContrastBolusAgent, ds.ContrastBolusStartTime = "Gadobutrol", f"{began:%H%M%S.%f}"
    return kept(series, [ds for slices in found if clock(slices[0]) <= began for ds in slices])


AGENT: Mapping[str, str] = {"ContrastBolusAgent": "Gadobutrol", "ContrastBolusRoute": "IV", "ContrastBolusVolume": "7"}


def _flat(series: Slices, strength: float, rng: Rng, agent: bool) -> list[Item]:
    """Every phase as bright as the first: from a fading 1.1-fold enhancement of few voxels to none at all."""
    found = phases(series)
    share = grade(strength, 0.12, 0.0) if strength < 1 else 0.0
    for slices in found:
        for ds, first in zip(slices, found[0], strict=True):
            own, before = np.frombuffer(ds.PixelData, "<u2"), np.frombuffer(first.PixelData, "<u2")
            noise = rng.normal(0, 6, own.shape)
            mixed = before + share * np.clip(own.astype(float) - before, 0, before) + noise
            ds.PixelData = np.clip(np.rint(mixed), 0, 4095).astype("<u2").tobytes()
    for ds in series:
        for keyword, value in AGENT.items():
            if agent:
                setattr(ds, keyword, value)
            elif keyword in ds:
                delattr(ds, keyword)
    return list(series)


@fault("T06", "warning", "no enhancement", kinds=("dce",), trial="pixel")
def no_enhancement(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A dynamic scan in which nothing enhances, with or without an agent in the header."""
    return _flat(series, strength, rng, agent=bool(rng.random() < 0.5))


@fault("T07", "warning", "an agent and no enhancement", kinds=("dce",), trial="pixel")
def agent_without_enhancement(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Every header names an agent, and nothing enhances."""
    return _flat(series, strength, rng, agent=True)


@fault("T08", "warning", "positions exchanged", kinds=("dce",), vendors=("ge", "canon", "fujifilm"))
def positions_exchanged(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Two neighbouring phases carry each other's temporal position; where it is gross, all are in reverse."""
    found = phases(series)
    order = list(range(1, len(found) + 1))
    if strength >= 1:
        order.reverse()
    else:
        k = int(rng.integers(1, len(found) - 1))
        order[k], order[k + 1 if k + 1 < len(found) else 0] = order[k + 1 if k + 1 < len(found) else 0], order[k]
    for slices, position in zip(found, order, strict=True):
        for ds in slices:
            ds.TemporalPositionIdentifier = position
            if "TriggerTime" in ds:
                del ds.TriggerTime
    return list(series)
