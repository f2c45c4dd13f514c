"""All images of a sample as the channels of one tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..cohorts.cohort import Cohort
from ..cohorts.rows import PER_CHANNEL, SIDE_KEYS
from ..errors import QueryError
from .loading import files_of


def check_stack(cohort: Cohort, name: str) -> None:
    """Whether the images of every sample can become one tensor, and all samples' tensors one batch.

    Raises :class:`QueryError` for a name that is taken and where numbers of channels differ, and
    :class:`CohortError` where grids do.
    """
    if not name.isidentifier() or name in set(cohort[0]) - set(cohort.image_keys):
        raise QueryError(f"CohortDataset: stack={name!r} is the name of something else in the sample; choose another.")
    cohort.check_stackable()
    seen: dict[tuple[int, ...], str] = {}
    for sample in cohort:
        seen.setdefault(tuple(_channels(sample, key) for key in cohort.image_keys), sample["sample_id"])
    if len(seen) > 1:
        words = "; ".join(f"{list(counts)} in {title}" for counts, title in list(seen.items())[:5])
        raise QueryError(
            f"CohortDataset: stack={name!r}: the numbers of channels of {', '.join(cohort.image_keys)} differ "
            f"({words}); fix them by phases= or bvalues=."
        )


def stacked(sample: Mapping[str, Any], name: str, keys: Sequence[str]) -> dict[str, Any]:
    """A sample in which ``name`` stands for the files of all ``keys``, channel after channel, as it is read at once.

    Times and b-values stay under their keys, as float32 tensors.
    """
    out = {entry: value for entry, value in sample.items() if entry not in keys}
    files: list[str] = []
    factors: list[float] = []
    volumes: list[int | None] = []
    units = [sample.get(f"{key}.unit", "") for key in keys]
    for key in keys:
        paths = [str(path) for path in files_of(sample[key])]
        count = _channels(sample, key)
        chosen = sample.get(f"{key}.volumes") or [None] * len(paths)
        if not sample[key]:
            paths, chosen = [""] * count, [None] * count
        elif len(paths) == 1:
            paths = paths * len(chosen)
        files += paths
        volumes += chosen
        factors += [float(sample.get(f"{key}.factor", 1.0))] * len(paths)
        for side in SIDE_KEYS:
            told = out.pop(f"{key}{side}", None)
            if side in PER_CHANNEL and told is not None:
                out[f"{key}{side}"] = torch.as_tensor(told, dtype=torch.float32)
    unit = units[0] if len(set(units)) == 1 else units
    return {**out, name: files, f"{name}.factor": factors, f"{name}.volumes": volumes, f"{name}.unit": unit}


def _channels(sample: Mapping[str, Any], key: str) -> int:
    """The number of channels that an image has in the tensor; a plain 4D file counts as one."""
    for side in (*PER_CHANNEL, ".volumes"):
        if sample.get(f"{key}{side}"):
            return len(sample[f"{key}{side}"])
    return len(files_of(sample[key]))
