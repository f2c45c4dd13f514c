"""From a stack to an image, with the real dcm2niix, and with one that fails in every way."""

from __future__ import annotations

from pathlib import Path

import dcm2niix
import numpy as np
import pytest
from pydicom import dcmread
from stackmaker import COLUMNS, ROWS, axial, only_stack, stacks_below, write_series

from trialbids.exporter.convert import convert
from trialbids.exporter.convert import dcm2niix as runner
from trialbids.exporter.convert.native import build
from trialbids.exporter.convert.pixels import PixelReader
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory.objects import materialise


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert not list(folder.iterdir()), "the converter left files behind"


def fake_dcm2niix(tmp_path, monkeypatch, text):
    script = tmp_path / "fake"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    monkeypatch.setattr(dcm2niix, "bin", str(script))


def natively(stack):
    return build(stack, PixelReader({(i.path, i.member): Path(i.path) for i in stack.instances}))


@pytest.mark.parametrize("changes", [{}, {"MRAcquisitionType": "3D"}, {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}])
def test_dcm2niix_and_pydicom_give_the_same_image(tmp_path, scratch, changes):
    sagittal = "ImageOrientationPatient" in changes
    write_series(tmp_path / "in", [p[::-1] if sagittal else p for p in axial(5)], **changes)
    stack = only_stack(tmp_path / "in")
    volume, ours = convert(stack, materialise, scratch), natively(stack)
    assert volume.converter.startswith("dcm2niix v") and ours.converter == "pydicom"
    assert volume.voxels.dtype == ours.voxels.dtype
    assert np.array_equal(volume.voxels, ours.voxels)
    assert volume.affine == pytest.approx(ours.affine, abs=1e-4)


def test_voxels_lie_where_the_dicom_says(tmp_path, scratch):
    paths = write_series(tmp_path / "in", axial(4))
    volume = convert(only_stack(tmp_path / "in"), materialise, scratch)
    row, column = 2, 5
    world = np.array([-(-10 + 1.25 * column), -(-9 + 1.5 * row), 4.0 * 3, 1])
    i, j, k = np.rint(np.linalg.inv(volume.affine) @ world)[:3].astype(int)
    assert volume.voxels[i, j, k] == dcmread(paths[3]).pixel_array[row, column]


def test_a_missing_slice_is_not_interpolated(tmp_path, scratch):
    positions = axial(9)
    del positions[4]
    write_series(tmp_path / "in", positions)
    stack = only_stack(tmp_path / "in")
    volume = convert(stack, materialise, scratch)
    assert volume.voxels.shape == (COLUMNS, ROWS, 8)
    assert np.array_equal(volume.voxels, natively(stack).voxels)
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(4)


def test_a_tilted_gantry_keeps_its_slices_and_says_the_shear(tmp_path, scratch):
    write_series(
        tmp_path / "in", [(-10, -9 + 1.2 * k, 4.0 * k) for k in range(6)], Modality="CT", GantryDetectorTilt=16.7
    )
    volume = convert(only_stack(tmp_path / "in"), materialise, scratch)
    assert volume.converter == "pydicom" and "differ" in volume.note
    assert volume.affine[:3, 2] == pytest.approx([0, -1.2, 4])


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_slices_convert(tmp_path, scratch, n):
    write_series(tmp_path / "in", axial(n))
    assert convert(only_stack(tmp_path / "in"), materialise, scratch).voxels.shape == (COLUMNS, ROWS, n)


def test_volumes_of_a_trace_come_in_ascending_b(tmp_path, scratch):
    positions = axial(4) * 3
    bvalues = [b for b in (800, 50, 400) for _ in range(4)]
    changes = {
        "DiffusionBValue": [float(b) for b in bvalues],
        "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"],
        "ScanningSequence": "EP",
        "SequenceName": [f"*ep_b{b}t" for b in bvalues],
        "AcquisitionNumber": [n // 4 + 1 for n in range(12)],
    }
    paths = write_series(tmp_path / "in", positions, **changes)
    volume = convert(only_stack(tmp_path / "in"), materialise, scratch)
    assert volume.bval is not None and volume.bval.tolist() == [50, 400, 800]
    assert volume.voxels.shape == (COLUMNS, ROWS, 4, 3)
    for n, first_file in enumerate((4, 8, 0)):
        assert np.array_equal(volume.voxels[:, ::-1, 0, n].T, dcmread(paths[first_file]).pixel_array)


def test_one_rescale_stays_in_the_header_and_several_are_applied(tmp_path, scratch):
    write_series(tmp_path / "one", axial(3), RescaleSlope=2, RescaleIntercept=-5, RescaleType="US")
    one = convert(only_stack(tmp_path / "one"), materialise, scratch)
    assert (one.slope, one.inter) == (2, -5) and one.voxels.dtype.kind == "i"
    slopes = [1.0, 1.5, 2.0]
    paths = write_series(tmp_path / "several", axial(3), RescaleSlope=slopes, RescaleIntercept=0, RescaleType="US")
    several = convert(only_stack(tmp_path / "several"), materialise, scratch)
    for k, (slope, path) in enumerate(zip(slopes, paths, strict=True)):
        physical = several.voxels[:, ::-1, k].T * several.slope + several.inter
        assert physical == pytest.approx(dcmread(path).pixel_array * slope, rel=1e-5)


@pytest.mark.parametrize(("kind", "slope"), [("M", 1 / 0.25), ("ADC", 2.0)])
def test_philips_images_are_precise_and_its_adc_maps_keep_the_unit_of_the_dicom(tmp_path, scratch, kind, slope):
    image_type = ["DERIVED" if kind == "ADC" else "ORIGINAL", "PRIMARY", kind]
    changes = {"Manufacturer": "Philips Medical Systems", "RescaleSlope": 2, "RescaleIntercept": 0, "RescaleType": "x"}
    for path in write_series(tmp_path / "in", axial(4), ImageType=image_type, **changes):
        dataset = dcmread(path)
        dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 0.25)
        dataset.save_as(path)
    stack = only_stack(tmp_path / "in")
    volume = convert(stack, materialise, scratch)
    assert volume.converter.startswith("dcm2niix")
    assert volume.slope == pytest.approx(slope) == natively(stack).slope


@pytest.mark.parametrize(
    "text", ["exit 1", "exit 0", "kill -9 $$", "for o; do out=$p; p=$o; done; echo broken > $out/x.nii"]
)
def test_pydicom_stands_in_for_a_converter_that_fails(tmp_path, monkeypatch, scratch, text):
    write_series(tmp_path / "in", axial(5))
    stack = only_stack(tmp_path / "in")
    expected = convert(stack, materialise, scratch)
    fake_dcm2niix(tmp_path, monkeypatch, text)
    volume = convert(stack, materialise, scratch)
    assert (volume.converter, volume.note) == ("pydicom", "dcm2niix: dcm2niix made no image")
    assert np.array_equal(volume.voxels, expected.voxels)
    assert volume.sidecar["EchoTime"] == pytest.approx(expected.sidecar["EchoTime"])


def test_wrong_voxels_on_the_right_grid_are_not_taken(tmp_path, monkeypatch, scratch):
    write_series(tmp_path / "in", axial(5))
    write_series(tmp_path / "other", axial(5)[::-1])
    stack = only_stack(tmp_path / "in")
    fake_dcm2niix(tmp_path, monkeypatch, f'shift $(($# - 2)); exec {dcm2niix.bin} -f x -o "$1" {tmp_path / "other"}')
    volume = convert(stack, materialise, scratch)
    assert (volume.converter, volume.note) == ("pydicom", "dcm2niix: voxels differ from the DICOM's pixels")


def test_a_converter_that_hangs_is_killed(tmp_path, monkeypatch, scratch):
    write_series(tmp_path / "in", axial(3))
    fake_dcm2niix(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(runner, "SECONDS", 0.2)
    assert convert(only_stack(tmp_path / "in"), materialise, scratch).converter == "pydicom"


def test_a_users_own_dcm2niix_settings_change_nothing(tmp_path, monkeypatch, scratch):
    write_series(tmp_path / "in", axial(3))
    stack = only_stack(tmp_path / "in")
    before = convert(stack, materialise, scratch)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".dcm2nii.ini").write_text("isGZ=1\nisFlipY=0\nisMaximize16BitRange=1\nfilename=%n\n")
    after = convert(stack, materialise, scratch)
    assert np.array_equal(before.voxels, after.voxels) and after.converter.startswith("dcm2niix")


def test_truncated_pixels_are_an_error_with_a_reason(tmp_path, scratch):
    paths = write_series(tmp_path / "in", axial(3))
    stack = only_stack(tmp_path / "in")
    paths[1].write_bytes(paths[1].read_bytes()[:-100])
    with pytest.raises(ConversionError, match="cannot be decoded") as caught:
        convert(stack, materialise, scratch)
    assert caught.value.reason == "undecodable"
    assert "Doe" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_two_echoes_convert_apart(tmp_path, scratch):
    write_series(tmp_path / "in", axial(4) * 2, EchoTime=[90.0] * 4 + [20.0] * 4, EchoNumbers=[2] * 4 + [1] * 4)
    stacks = stacks_below(tmp_path / "in")
    volumes = [convert(stack, materialise, scratch) for stack in stacks]
    assert [v.voxels.shape for v in volumes] == [(COLUMNS, ROWS, 4)] * 2
    assert {v.sidecar["EchoTime"] for v in volumes} == {0.09, 0.02}
