"""When the volumes of a dynamic image were acquired."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from ..index.image import Image

TIMING = ("VolumeTiming", "FrameTimesStart")
"""The sidecar fields of BIDS that hold one time (s) a volume."""
NAN = float("nan")
Metadata = Callable[[Image], Mapping[str, Any]]
"""All metadata of an image, from its sidecars."""


def volume_times(image: Image, metadata: Metadata) -> tuple[float, ...]:
    """The time of every volume of a file, in s; NaN for each where it is not known.

    A single volume has the time of its record. That says when the first of several was acquired, so the others follow
    it as ``VolumeTiming`` (or ``FrameTimesStart``) of the sidecar has them; without such a list no time is known.
    """
    start = image.record.phase_time_s
    if image.volumes == 1:
        return (NAN if start is None else start,)
    said = metadata(image)
    listed = next((times for name in TIMING if (times := _rising(said.get(name), image.volumes))), None)
    if listed is None:
        return (NAN,) * image.volumes
    return tuple((start or 0.0) + time - listed[0] for time in listed)


def _rising(value: Any, count: int) -> list[float] | None:
    """A list of so many rising numbers, None for anything else."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(isinstance(time, int | float) and not isinstance(time, bool) for time in value):
        return None
    return [float(time) for time in value] if all(a < b for a, b in pairwise(value)) else None
