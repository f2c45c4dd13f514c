"""What must agree before a sample can be read: voxel grids, and the number of volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import CohortError, listing
from ..index.image import Image, same_grid
from .policies import Grid, Resample
from .rows import paths_of
from .units import Unit


def check_grids(units: Iterable[Unit], images: Sequence[str], labels: Sequence[str], grid: Grid) -> None:
    """Every mask lies on the grid of an image of its sample, and ``grid=`` can be done.

    Raises :class:`CohortError` naming participant, session and both files.
    """
    lines: list[str] = []
    for unit in units:
        lines += [f"{unit.title}: {line}" for line in _strays(unit, images, labels)]
        if isinstance(grid, Resample):
            lines += [f"{unit.title}: {line}" for line in _cannot_follow(unit, grid.to)]
        elif grid == "same":
            first, *others = _voxels(unit).values()
            lines += [f"{unit.title}: {o.path} and {first.path}" for o in others if not same_grid(o, first)]
    if lines:
        raise CohortError(f"Grids differ; leave these out by where=, or ask for other images:\n{listing(lines)}")


def odd_one(unit: Unit, images: Sequence[str]) -> str:
    """The first key of an image that is not on the grid of the first image, "" where all lie on one."""
    found = [(key, unit.sources[key].images[0]) for key in images if key in unit.sources]
    return next((key for key, image in found[1:] if not same_grid(image, found[0][1])), "")


def raise_off_grid(images: Sequence[str], rows: Iterable[Mapping[str, Any]], odd: Iterable[str]) -> None:
    """Raise :class:`CohortError` naming all rows of which :func:`odd_one` found an image on another grid."""
    lines: list[str] = []
    for row, key in zip(rows, odd, strict=True):
        if key:
            start = next(paths_of(row[name])[0] for name in images if row[name])
            who = " ".join(filter(None, (row["participant_id"], row["session_id"])))
            lines.append(f"{who}: {paths_of(row[key])[0]} and {start}")
    raise CohortError(
        f"The images of {len(lines)} samples lie on different grids and cannot be one `image`; ask for the cohort "
        f"with grid=Resample(to={images[0]!r}):\n{listing(lines)}"
    )


def check_channels(units: Iterable[Unit], keys: Iterable[str]) -> None:
    """Zeros for what is masked need one number of channels a key. Raises :class:`CohortError`."""
    left = list(units)
    for key in keys:
        seen: dict[int, str] = {}
        for unit in left:
            if key in unit.sources:
                seen.setdefault(unit.sources[key].channels, unit.title)
        if len(seen) > 1:
            words = ", ".join(f"{n} in {title}" for n, title in seen.items())
            raise CohortError(f"{key}: the number of volumes differs ({words}); fix it by phases= or bvalues=.")


def _voxels(unit: Unit) -> Mapping[str, Image]:
    """The first file of every key that has a grid."""
    found = {key: source.images[0] for key, source in unit.sources.items()}
    return {key: image for key, image in found.items() if not image.is_table}


def _strays(unit: Unit, images: Sequence[str], labels: Sequence[str]) -> list[str]:
    found = _voxels(unit)
    grids = [found[key] for key in images if key in found]
    masks = [found[key] for key in labels if key in found]
    return [
        f"the mask {mask.path} is on the grid of no image of the sample; the first is {grids[0].path}"
        for mask in masks
        if not any(same_grid(mask, image) for image in grids)
    ]


def _cannot_follow(unit: Unit, to: str) -> list[str]:
    """What cannot be brought to the grid of the reference: tables of voxels of another image, images elsewhere."""
    reference = unit.sources[to].images[0]
    lines: list[str] = []
    for source in unit.sources.values():
        image = source.images[0]
        if image.is_table and reference.path not in image.sources:
            lines.append(f"{image.path} counts voxels of another image than {reference.path}")
        elif not image.is_table and not _overlap(image, reference):
            lines.append(f"{image.path} and {reference.path} show no place in common")
    return lines


def _overlap(image: Image, reference: Image) -> bool:
    """Whether the box around an image, in the voxels of the reference, meets the reference's array."""
    if same_grid(image, reference):
        return True
    corners = np.array([(i, j, k, 1.0) for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    corners[:, :3] = corners[:, :3] * np.array(image.shape[:3]) - 0.5
    own, other = (np.asarray(each.affine).reshape(4, 4) for each in (image, reference))
    inside = (corners @ own.T @ np.linalg.pinv(other).T)[:, :3]
    return bool((inside.max(0) > -0.5).all() and (inside.min(0) < np.array(reference.shape[:3]) - 0.5).all())
