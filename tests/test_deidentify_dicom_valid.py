"""De-identified objects are as valid for their IOD as their sources were: judged by dciodvfy of dicom3tools."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from dicommaker import context, ct_object, file_bytes, mr_object, pet_object
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from trialbids.exporter.deidentify.dicom import Diffusion, deidentify_object
from trialbids.exporter.demo.generate import make_trial
from trialbids.mappings.iods import iods

JUDGE = Path(sys.executable).with_name("dciodvfy")
MOST_OF_A_CLASS = 5


def errors(path: Path) -> set[str]:
    """What dciodvfy calls an error, without the values that it cites."""
    done = subprocess.run([str(JUDGE), str(path)], capture_output=True, check=False)
    text = (done.stdout + done.stderr).decode("latin-1")
    assert "Abort" not in text
    found = (line.partition("Error - ")[2] for line in text.splitlines() if "Error - " in line)
    return {re.sub(r"\[[^]]*\]|0x[0-9a-f]{4,}", "", line) for line in found}


def new_errors(source: Path, target: Path, diffusion: Diffusion | None = None) -> set[str]:
    """Errors of the de-identified object that the source does not have."""
    target.write_bytes(deidentify_object(source.read_bytes(), context(), diffusion))
    return errors(target) - errors(source)


def samples(folder: Path, looked_at: int) -> list[tuple[str, Path]]:
    """The first image of each SOP class that is written among the first files of every folder, with that class."""
    found: dict[tuple[Path, str], Path] = {}
    seen: Counter[Path] = Counter()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        seen[path.parent] += 1
        if seen[path.parent] > looked_at:
            continue
        try:
            ds = dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        except InvalidDicomError:
            continue
        if (sop_class := str(ds.get("SOPClassUID"))) in iods().iods:
            found.setdefault((path.parent, sop_class), path)
    return [(sop_class, path) for (_, sop_class), path in found.items()]


@pytest.mark.parametrize("make", [mr_object, ct_object, pet_object])
def test_a_small_object_of_each_classic_iod_is_valid(make: type[Dataset], tmp_path: Path):
    source = tmp_path / "source.dcm"
    source.write_bytes(file_bytes(make()))
    assert errors(source) == set()
    assert new_errors(source, tmp_path / "out.dcm", Diffusion(800.0, (0.0, 0.6, 0.8))) == set()


def test_every_series_of_the_demo_is_as_valid_as_before(tmp_path: Path):
    make_trial(tmp_path / "demo", patients=2)
    found = samples(tmp_path / "demo", 999)
    assert len(found) > 10
    worse = {str(path): new for _, path in found if (new := new_errors(path, tmp_path / "out.dcm"))}
    assert worse == {}


def test_real_objects_are_as_valid_as_before(real_data: Path, tmp_path: Path):
    by_class: dict[str, list[Path]] = {}
    for sop_class, path in samples(real_data / "dicom", 3):
        by_class.setdefault(sop_class, []).append(path)
    assert len(by_class) >= 3
    chosen = [path for paths in by_class.values() for path in paths[:: max(1, len(paths) // MOST_OF_A_CLASS)]]
    worse = {str(path): new for path in chosen if (new := new_errors(path, tmp_path / "out.dcm"))}
    assert worse == {}
