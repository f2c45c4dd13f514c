"""b-values and gradient directions of a diffusion volume, one a volume, in FSL's form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..inventory.instance import Instance
from ..stacks.stack import Stack
from .grid import LPS_TO_RAS, first_volume
from .volume import Volume

# Below this b-value (s/mm²) a volume counts as unweighted.
UNWEIGHTED = 50.0


def with_gradients(volume: Volume, stack: Stack) -> Volume:
    """The volume with bval and bvec: dcm2niix's where it made one a volume, else computed from the stack.

    dcm2niix knows vendor rules (GE scales b by the length of the vector) but calls GE's trace images b = 0;
    there, the stack's b-values stand. Stacks that are not diffusion get none, whatever the converter wrote.
    """
    if not stack.bvalues:
        return volume.but(bval=None, bvec=None)
    bval, bvec = volume.bval, volume.bvec
    ours = np.array(stack.bvalues, dtype=float)
    if bval is None or bval.shape != ours.shape or np.any((bval == 0) & (ours > UNWEIGHTED)):
        bval = ours
    if bvec is None or bvec.shape != (3, len(ours)):
        bvec = bvectors(stack, volume.affine)
    return volume.but(bval=bval, bvec=bvec)


def bvectors(stack: Stack, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit gradient directions along the image's voxel axes, (3, volumes); zeros where a volume has none.

    FSL's convention: the first axis is reversed where the affine's determinant is positive
    (FSL wiki, FDT: "What conventions do the bvecs use?").
    """
    bvec = np.zeros((3, len(stack.bvalues)))
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    for n, direction in enumerate(stack.directions):
        vector = np.array(direction, dtype=float)
        length = float(np.linalg.norm(vector)) if vector.shape == (3,) else 0.0
        if length < 1e-6 or stack.bvalues[n] <= 0:
            continue
        if stored_in_image_axes(stack.first):
            bvec[:, n] = ge_vector(vector, stack) / length
            continue
        along = axes.T @ (LPS_TO_RAS @ vector)
        if np.linalg.det(affine[:3, :3]) > 0:
            along[0] = -along[0]
        bvec[:, n] = along / np.linalg.norm(along)
    return bvec


def stored_in_image_axes(instance: Instance) -> bool:
    """GE's classic images hold directions along frequency, phase and slice; every other source uses patient axes."""
    return instance.Manufacturer.upper().startswith("GE") and instance.frame == 0


def ge_vector(vector: NDArray[np.float64], stack: Stack) -> NDArray[np.float64]:
    """A direction along GE's (frequency, phase, slice) as dcm2niix and dicm2nii turn it onto the image's axes.

    Signs per slice orientation were found by these tools on test objects (Li et al. 2016,
    doi:10.1016/j.jneumeth.2016.03.001); with an unknown phase direction it stays as stored.
    """
    x, y, z = (float(v) for v in vector)
    phase = stack.first.InPlanePhaseEncodingDirection[:1].upper()
    if phase not in ("R", "C"):
        return vector
    if phase == "R":
        x, y = y, -x
    normal = np.cross(stack.first.ImageOrientationPatient[:3], stack.first.ImageOrientationPatient[3:])
    signs = {0: (-1, -1, 1), 1: (1, -1, -1), 2: (1, 1, -1)}[int(np.abs(normal).argmax())]
    if slices_fall(stack):
        signs = (*signs[:2], -signs[2])
    # The stored rows run downwards, the image's upwards; the overall sign of a direction has no meaning.
    return np.array([-signs[0] * x, signs[1] * y, -signs[2] * z])


def slices_fall(stack: Stack) -> bool:
    """Whether the scanner numbered the slices against the slice normal."""
    volume = first_volume(stack)
    return (volume[0].InstanceNumber or 0) > (volume[-1].InstanceNumber or 0)
