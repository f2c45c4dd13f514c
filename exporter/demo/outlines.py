"""Outlines of the phantom's ellipsoids on slices: exact, so that what is made of them can be judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import Grid
from .phantom import Ellipsoid

POINTS = 120


@dataclass(frozen=True)
class Outline:
    """Where a plane cuts an ellipsoid: ``points`` [N, 3] in LPS mm, and the area that they enclose in mm²."""

    points: NDArray[np.float64]
    area: float


def outline(body: Ellipsoid, grid: Grid, index: int) -> Outline | None:
    """The ellipse in which slice ``index`` of a grid cuts an ellipsoid, None where it does not.

    On the plane o + s·row + t·column the ellipsoid (p - m)ᵀ A (p - m) = 1 is a quadratic form in s and t: its minimum
    is the middle of the ellipse, and what is left to 1 there scales it.
    """
    form = np.diag(1 / np.square(np.array(body.half_axes)))
    plane = np.stack([grid.row, grid.column], axis=1)
    away = grid.position(index) - np.array(body.centre)
    inner = plane.T @ form @ plane
    middle = np.linalg.solve(inner, -plane.T @ form @ away)
    least = away + plane @ middle
    left = 1 - float(least @ form @ least)
    if left <= 0:
        return None
    angles = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radii = np.sqrt(left / np.einsum("ni,ij,nj->n", directions, inner, directions))
    points = grid.position(index) + (middle + directions * radii[:, None]) @ plane.T
    return Outline(np.round(points, 4), float(np.pi * left / np.sqrt(np.linalg.det(inner))))


def outlines(body: Ellipsoid, grid: Grid) -> dict[int, Outline]:
    """The outlines of an ellipsoid by the slice of a grid."""
    found = {index: outline(body, grid, index) for index in range(grid.slices)}
    return {index: cut for index, cut in found.items() if cut is not None}
