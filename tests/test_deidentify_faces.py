"""Images with a head in view stay back, unless the trial allows faces or removes them with a command of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Header

from trialbids.exporter.convert import Volume
from trialbids.exporter.deidentify.faces import REASONS, deface
from trialbids.exporter.deidentify.facewords import IN_VIEW, NOT_EXCLUDED, face_reason
from trialbids.exporter.errors import ConversionError
from trialbids.mappings.bodyparts import body_parts
from trialbids.mappings.record import Record

BLANK = (
    "import nibabel, numpy as np, sys; i = nibabel.load(sys.argv[1]); d = np.asanyarray(i.dataobj).copy(); "
    "d[:2] = 0; nibabel.save(nibabel.Nifti1Image(d, i.affine, i.header), sys.argv[2])"
)


def volume() -> Volume:
    header, affine = Nifti1Header(), np.diag([2.0, 2.0, 3.0, 1.0])
    voxels = np.asfortranarray(np.arange(1, 4 * 5 * 6 + 1, dtype=np.int16).reshape(4, 5, 6))
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_sform(affine, code=1)
    header.set_qform(affine, code=1)
    return Volume(
        header=header, voxels=voxels, affine=affine, slope=2.0, inter=-5.0, sidecar={}, bval=None, bvec=None,
        converter="pydicom",
    )  # fmt: skip


@pytest.mark.parametrize("part", ["head", "brain", "neck", "wholebody", "neckchestabdomenpelvis"])
def test_a_head_may_be_in_view(part: str) -> None:
    assert face_reason(Record(sequence="T1w", bodypart=part)) == IN_VIEW


@pytest.mark.parametrize("part", ["prostate", "breast", "pelvis", "liver", "phantom", "extremity"])
def test_other_parts_show_no_face(part: str) -> None:
    assert face_reason(Record(sequence="T1w", bodypart=part)) == ""


def test_a_face_is_not_excluded_where_the_body_part_is_unknown() -> None:
    assert face_reason(Record(sequence="T1w", bodypart="unknown")) == NOT_EXCLUDED
    assert set(REASONS) == {IN_VIEW, NOT_EXCLUDED}
    assert sum(part.face for part in body_parts().values()) == 5


def test_the_trials_own_command_removes_voxels_and_nothing_else_changes(tmp_path: Path) -> None:
    before = volume()
    after = deface(before, (sys.executable, "-c", BLANK, "{input}", "{output}"), tmp_path)
    assert after.voxels.dtype == before.voxels.dtype and after.slope == before.slope
    assert np.array_equal(after.voxels[2:], before.voxels[2:]) and not np.array_equal(after.voxels, before.voxels)
    assert after.voxels[:2] * after.slope + after.inter == pytest.approx(0, abs=after.slope)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("no-such-tool", "{input}", "{output}"), "cannot be run"),
        ((sys.executable, "-c", "raise SystemExit(3)", "{input}", "{output}"), "ended with code 3"),
        ((sys.executable, "-c", "pass", "{input}", "{output}"), "no image that can be read"),
        ((sys.executable, "-c", "import shutil, sys; shutil.copy(*sys.argv[1:])", "{input}", "{output}"), "no voxel"),
        ((sys.executable, "-c", BLANK.replace("d[:2] = 0", "d = d[:2]"), "{input}", "{output}"), "another grid"),
    ],
)
def test_a_command_that_does_not_do_it_releases_nothing(tmp_path: Path, command: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConversionError, match=words) as error:
        deface(volume(), command, tmp_path)
    assert error.value.reason == "deface-failed"
