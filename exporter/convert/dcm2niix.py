"""Running the real dcm2niix on the files of one stack, and reading what came out."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from threading import Event, Timer

import dcm2niix
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Header
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from ..inventory.instance import Instance
from .volume import Volume, squeezed

# Interpolated copies: to equidistant slices, and with a gantry tilt taken out.
RESAMPLED = re.compile(r"_(Eq|Tilt)(_\d+)?[a-z]*$")
SECONDS, BYTES_PER_SECOND = 60.0, 1_000_000


def run_dcm2niix(source: Path, out: Path, first: Instance, n_bytes: int) -> tuple[Volume, ...]:
    """Every image that dcm2niix makes of the folder ``source``, resampled ones apart. Its exit code is not asked.

    A converter that hangs is killed after a minute and a second a megabyte; what it had written is not trusted.
    """
    out.mkdir()
    command = [dcm2niix.bin, "-z", "n", "-b", "y", "-ba", "n", "-d", "0", "-w", "2", "-f", "x"]
    command += ["-p", "n" if is_adc(first) else "y", "-o", str(out), str(source)]
    if not runs_to_its_end(command, SECONDS + n_bytes / BYTES_PER_SECOND, home=out):
        return ()
    images = sorted(path for path in out.glob("*.nii") if not RESAMPLED.search(path.stem))
    return tuple(volume for path in images if (volume := read_output(path)) is not None)


def runs_to_its_end(command: list[str], seconds: float, home: Path) -> bool:
    """Run a command without input or output; False if it had to be killed after ``seconds``.

    ``home`` stands in for the user's, whose ``.dcm2nii.ini`` would change the flags in silence. A timer instead of
    the timeout of ``subprocess``, which polls and so would add up to 50 ms to every stack.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"HOME": str(home)},
    )
    killed = Event()

    def kill() -> None:
        killed.set()
        process.kill()

    timer = Timer(seconds, kill)
    timer.start()
    try:
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        timer.cancel()
    return not killed.is_set()


def is_adc(instance: Instance) -> bool:
    """Whether a scanner calls the image an ADC map.

    Such a map keeps the rescale of the DICOM, whose unit the vendor documents (10⁻⁶ or 10⁻³ mm²/s); Philips'
    "precise" scaling, dcm2niix's default, would give it an arbitrary one (rordenlab/dcm2niix #493, #575).
    """
    return any("ADC" in re.split(r"[ _]", word) for word in instance.ImageType)


def read_output(path: Path) -> Volume | None:
    """One NIfTI of dcm2niix with its JSON and gradients, or None where it is cut short or no NIfTI at all."""
    try:
        with path.open("rb") as file:
            header = Nifti1Header.from_fileobj(file)
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        voxels = np.fromfile(path, dtype, count=int(np.prod(shape)), offset=int(header["vox_offset"]))
        voxels = voxels.reshape(shape, order="F")
        sidecar = json.loads(path.with_suffix(".json").read_text(encoding="utf-8", errors="replace"), strict=False)
    except (OSError, ValueError, HeaderDataError, ImageFileError, WrapStructError):
        return None
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    scaled = np.isfinite(slope) and slope != 0
    return Volume(
        header=header,
        voxels=squeezed(voxels),
        affine=np.asarray(header.get_best_affine(), dtype=float),
        slope=slope if scaled else 1.0,
        inter=inter if scaled and np.isfinite(inter) else 0.0,
        sidecar=sidecar,
        bval=read_gradients(path.with_suffix(".bval"), 1),
        bvec=read_gradients(path.with_suffix(".bvec"), 3),
        converter=f"dcm2niix {sidecar.get('ConversionSoftwareVersion', '')}".strip(),
    )


def read_gradients(path: Path, rows: int) -> NDArray[np.float64] | None:
    """A bval (1 row) or bvec (3 rows) file as numbers, None where it is absent or of another form."""
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError):
        return None
    if table.shape[0] != rows:
        return None
    return table[0] if rows == 1 else table
