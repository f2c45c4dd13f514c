"""Faces: which images may show one, and the trial's own command that removes it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from ..convert import Volume, encode
from ..errors import ConversionError
from .facewords import IN_VIEW, NOT_EXCLUDED

TIMEOUT_S = 3600

REASONS = {
    IN_VIEW: "a head is in view: remove faces with a command of your own (`deface:`), or allow them (`faces: allow`)",
    NOT_EXCLUDED: "the body part is not known, so a face may be in view: say what it is in the plan's column bodypart, "
    "remove faces with a command of your own (`deface:`), or allow them (`faces: allow`)",
}


def deface(volume: Volume, command: tuple[str, ...], scratch: Path) -> Volume:
    """The volume without its face, by the trial's own command, which reads ``{input}`` and writes ``{output}``.

    Raises ``ConversionError`` (``deface-failed``) where the command fails, or gives another grid or the same voxels.
    """
    if volume.voxels.dtype.names:
        raise ConversionError("deface-failed", "an image in colour cannot be defaced")
    with tempfile.TemporaryDirectory(prefix="face-", dir=scratch) as name:
        source, target = Path(name, "input.nii.gz"), Path(name, "output.nii.gz")
        source.write_bytes(encode(volume))
        words = [word.replace("{input}", str(source)).replace("{output}", str(target)) for word in command]
        try:
            done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConversionError("deface-failed", f"{command[0]} cannot be run ({type(error).__name__})") from error
        if done.returncode:
            raise ConversionError("deface-failed", f"{command[0]} ended with code {done.returncode}")
        voxels = _voxels(target, volume, command[0])
    if np.array_equal(voxels, volume.voxels):
        raise ConversionError("deface-failed", f"{command[0]} changed no voxel")
    return volume.but(voxels=voxels)


def _voxels(path: Path, volume: Volume, command: str) -> NDArray[np.generic]:
    """What the command wrote, in the volume's own type and scale."""
    try:
        image = Nifti1Image.from_filename(path)
        if image.shape != volume.voxels.shape or not np.allclose(np.asarray(image.affine), volume.affine, atol=1e-3):
            raise ConversionError("deface-failed", f"{command} wrote an image of another grid")
        physical = np.asanyarray(image.dataobj, dtype=np.float64)
    except (OSError, ImageFileError, ValueError, EOFError) as error:
        raise ConversionError("deface-failed", f"{command} wrote no image that can be read") from error
    stored = (physical - volume.inter) / volume.slope
    if np.issubdtype(volume.voxels.dtype, np.integer):
        limits = np.iinfo(volume.voxels.dtype.str)
        stored = np.clip(np.rint(stored), limits.min, limits.max)
    return np.asfortranarray(stored.astype(volume.voxels.dtype))
