"""The grid that every annotation is put on, and what refuses one that does not lie on it."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import product
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

TOLERANCE_MM, TOLERANCE_SHARE = 0.02, 0.1
"""How far a volume's voxel centres may lie beside the grid's: in mm, and as a share of the shortest voxel edge.

It is what rounding in headers does, never a part of a voxel: the same 33 series read by dcm2niix and by ITK lie up to
0.00005 mm apart at their corners, and the quaternion (qform) that some programs save moves a corner by 0.011 mm.
"""


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid of an exported image: shape of its first three axes and the 4×4 affine (RAS+, mm)."""

    shape: tuple[int, ...]
    affine: tuple[float, ...]

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along x, y and z; an image of one slice has one along z."""
        x, y, z = (*self.shape, 1, 1)[:3]
        return x, y, z

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Voxel index to RAS+ mm, 4×4."""
        return np.reshape(np.asarray(self.affine, dtype=float), (4, 4))

    @property
    def edges(self) -> NDArray[np.float64]:
        """Lengths of the voxel's edges in mm."""
        return np.sqrt((self.matrix[:3, :3] ** 2).sum(axis=0))

    def from_lps(self) -> NDArray[np.float64]:
        """LPS mm to voxel index, 4×4. Raises ``MaskRefused`` A01 where the image has no volume."""
        matrix = LPS_TO_RAS @ self.matrix
        if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
            raise MaskRefused("A01", "the image has no usable geometry, so nothing can be placed on it")
        return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


class MaskRefused(Exception):
    """A mask that cannot be put on its image; ``check`` is the code of ``qc.md``, the message names nobody."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


ODD = (
    OSError, EOFError, ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError,
    TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What input that nobody foresaw may raise in the libraries that read, place or compress it."""


def odd(error: BaseException) -> str:
    """What is said of such input: never the error's own words, which may quote it."""
    return f"it is damaged, or too large to be placed ({type(error).__name__})"


def may_pass(error: BaseException | None) -> bool:
    """Whether it is the machine's fault and not the drawing's: the next run may have the memory, or the share."""
    is_of_the_system = isinstance(error, OSError) and error.errno is not None
    return isinstance(error, MemoryError) or (is_of_the_system and not isinstance(error, FileNotFoundError))


class Shape(Protocol):
    """Something drawn that can be put on a grid."""

    def on(self, grid: Grid) -> NDArray[np.uint8] | NDArray[np.float32]:
        """The voxels ``[X, Y, Z]`` of the grid: uint8, 1 inside; of fractions float32 in 0..1.

        Raises ``MaskRefused``: A01 another grid, A02 empty, F03 not readable.
        """
        ...


@runtime_checkable
class Opens(Protocol):
    """A shape that lies in a file or object, and is read when it is wanted."""

    def opened(self) -> Shape:
        """The shape that was read. Raises ``MaskRefused`` F03."""
        ...


@runtime_checkable
class Sliced(Protocol):
    """A shape that is drawn slice by slice."""

    def gaps(self, grid: Grid) -> tuple[int, ...]:
        """Slices without a drawing between slices with one. Raises ``MaskRefused`` as :meth:`Shape.on` does."""
        ...


@dataclass(frozen=True, slots=True)
class Unplaceable:
    """A shape that is refused wherever it is put, for the reason that its reader found."""

    check: str
    message: str

    def on(self, grid: Grid) -> NDArray[np.uint8]:
        """Never returns: raises the refusal."""
        raise MaskRefused(self.check, self.message)


@dataclass(frozen=True, slots=True)
class Order:
    """How a volume's voxels are re-ordered to those of a grid: its axes ``axes``, then backwards where ``flips``."""

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """A view of the volume's voxels in the order of the grid."""
        return voxels.transpose(self.axes)[tuple(slice(None, None, -1 if flip else None) for flip in self.flips)]


def order_on(grid: Grid, shape: tuple[int, int, int], affine: NDArray[np.float64]) -> Order:
    """How a volume of this shape and affine (RAS+ mm) is re-ordered so that its voxel centres are those of the grid.

    Only axes may be permuted and flipped, as between the order of DICOM slices and that of dcm2niix. Raises
    ``MaskRefused`` A01 saying which size differs or how many mm lie between the centres.
    """
    if not np.isfinite(affine).all():
        raise MaskRefused("A01", "the mask's header does not say where it lies")
    index = grid.from_lps() @ LPS_TO_RAS @ affine
    axes = _permutation(index[:3, :3])
    if tuple(shape[axis] for axis in axes) != grid.size:
        raise MaskRefused("A01", f"the mask has shape {_by(shape)}, its image {_by(grid.size)}")
    flips = tuple(bool(index[row, axis] < 0) for row, axis in enumerate(axes))
    order = Order(axes, (flips[0], flips[1], flips[2]))
    distance = _farthest(grid, shape, affine, order)
    if not distance <= min(TOLERANCE_MM, TOLERANCE_SHARE * float(grid.edges.min())):
        raise MaskRefused("A01", f"the mask lies up to {distance:.3g} mm beside its image's grid")
    return order


def _permutation(index: NDArray[np.float64]) -> tuple[int, int, int]:
    """Which axis of the volume runs along each axis of the grid; the volume's own order where that is not clear."""
    axes = [int(axis) for axis in np.abs(index).argmax(axis=1)]
    return (axes[0], axes[1], axes[2]) if sorted(axes) == [0, 1, 2] else (0, 1, 2)


def _farthest(grid: Grid, shape: tuple[int, int, int], affine: NDArray[np.float64], order: Order) -> float:
    """The largest distance in mm between centres that share an index; with affine maps it is that of a corner."""
    farthest = 0.0
    for corner in product(*((0, size - 1) for size in grid.size)):
        theirs = np.ones(4)
        for row, axis in enumerate(order.axes):
            theirs[axis] = shape[axis] - 1 - corner[row] if order.flips[row] else corner[row]
        apart = grid.matrix @ np.array([*corner, 1.0]) - affine @ theirs
        farthest = max(farthest, float(np.linalg.norm(apart[:3])))
    return farthest


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape)
