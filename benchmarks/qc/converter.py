"""P09: a converter that damages what it wrote. It takes dcm2niix's place on the program's path of modules.

The DICOM of these cases is sound; the voxels of the NIfTI are not. A case is found where P09 was raised, and as well
where the damaged voxels did not reach the tree: the program may have made the image anew from the source.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fault import Item, fault, grade
from .scans import Slice

Voxels = NDArray[Any]
Damage = Callable[[Voxels, float, np.random.Generator], Voxels]
PATIENT = re.compile(rb"C\d{5}")
ORDERS = "orders.txt"
SOUND = ("t2ax", "t2sag", "t1", "ct")


def _mirrored(voxels: Voxels, strength: float, rng: np.random.Generator) -> Voxels:
    return voxels[::-1].copy()


def _exchanged(voxels: Voxels, strength: float, rng: np.random.Generator) -> Voxels:
    count = voxels.shape[2]
    first = int(rng.integers(0, count - 1))
    other = first + 1 if strength < 1 else (first + count // 2) % count
    out = voxels.copy()
    out[:, :, [first, other]] = voxels[:, :, [other, first]]
    return out


def _zeroed(voxels: Voxels, strength: float, rng: np.random.Generator) -> Voxels:
    out, count = voxels.copy(), voxels.shape[2]
    lost = rng.choice(count, max(1, int(strength * count)), replace=False)
    out[:, :, lost] = 0
    return out


def _altered(voxels: Voxels, strength: float, rng: np.random.Generator) -> Voxels:
    out = voxels.copy()
    chosen = rng.random(voxels.shape) < grade(strength, 0.01, 1.0)
    out[chosen] += 1
    return out


def _shifted(voxels: Voxels, strength: float, rng: np.random.Generator) -> Voxels:
    return np.roll(voxels, int(grade(strength, 1, 20)), axis=0)


DAMAGES: dict[str, Damage] = {
    "mirrored": _mirrored, "slices exchanged": _exchanged, "slices zeroed": _zeroed, "values altered": _altered,
    "rows shifted": _shifted,
}  # fmt: skip


def _untouched(series: list[Slice], strength: float, rng: np.random.Generator) -> list[Item]:
    return list(series)


for _kind in DAMAGES:
    _enter = fault("P09", "error", _kind, kinds=SOUND, trial="converter", graded=_kind != "mirrored")
    _enter(_untouched)


def install(folder: Path, orders: Iterable[tuple[str, str, float]]) -> Path:
    """A folder to put before all others on PYTHONPATH; ``orders`` are (patient, kind of damage, strength)."""
    place = folder / "converter"
    (place / "dcm2niix").mkdir(parents=True, exist_ok=True)
    script = place / "dcm2niix.py.sh"
    lines = (
        f"#!{sys.executable}",
        "import sys",
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})",
        "from qc.converter import convert",
        f"sys.exit(convert({str(place)!r}, sys.argv[1:]))",
    )
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    script.chmod(0o755)
    (place / "dcm2niix" / "__init__.py").write_text(f"bin = {str(script)!r}\n", encoding="utf-8")
    table = "".join(f"{patient}\t{kind}\t{strength}\n" for patient, kind, strength in orders)
    (place / ORDERS).write_text(table, encoding="utf-8")
    import dcm2niix

    (place / "real.txt").write_text(str(dcm2niix.bin), encoding="utf-8")
    return place


def convert(place: str, arguments: list[str]) -> int:
    """What runs instead of dcm2niix: dcm2niix itself, then the damage that was ordered for this patient."""
    code = subprocess.run([Path(place, "real.txt").read_text(encoding="utf-8"), *arguments], check=False).returncode
    source, out = Path(arguments[-1]), Path(arguments[arguments.index("-o") + 1])
    found = PATIENT.search(next(iter(sorted(source.iterdir()))).read_bytes()[:4096])
    orders = [line.split("\t") for line in Path(place, ORDERS).read_text(encoding="utf-8").splitlines()]
    for patient, kind, strength in orders:
        if found and patient.encode() == found.group():
            for image in out.glob("*.nii"):
                damage(image, kind, float(strength), int(patient[1:]))
    return code


def damage(image: Path, kind: str, strength: float, seed: int) -> None:
    """Damage the voxels of an uncompressed NIfTI in place; its header stays."""
    from nibabel.nifti1 import Nifti1Header

    header = Nifti1Header.from_fileobj(image.open("rb"), check=False)
    content = bytearray(image.read_bytes())
    start = int(header["vox_offset"])
    voxels = np.frombuffer(content, header.get_data_dtype(), int(np.prod(header.get_data_shape())), start)
    voxels = voxels.reshape(header.get_data_shape(), order="F")
    changed = DAMAGES[kind](voxels, strength, np.random.default_rng(seed))
    content[start : start + changed.nbytes] = changed.tobytes(order="F")
    image.write_bytes(bytes(content))


def is_right(released: Path, folder: Path, scratch: Path) -> bool:
    """Whether a released image is what undamaged dcm2niix makes of a folder."""
    import dcm2niix
    import nibabel as nib

    scratch.mkdir(parents=True, exist_ok=True)
    call = [dcm2niix.bin, "-z", "n", "-b", "n", "-f", "x", "-o", str(scratch), str(folder)]
    subprocess.run(call, capture_output=True, check=False)
    made = nib.as_closest_canonical(nib.load(next(iter(sorted(scratch.glob("*.nii"))))))
    theirs = nib.as_closest_canonical(nib.load(released))
    same_grid = made.shape == theirs.shape and np.allclose(made.affine, theirs.affine, atol=1e-3)
    return same_grid and np.allclose(made.get_fdata(), theirs.get_fdata(), atol=1e-3)
