"""Real series: what we convert is what bare dcm2niix makes of the same files, and what pydicom reads from them."""

from __future__ import annotations

import subprocess
from collections import Counter

import dcm2niix
import numpy as np
import pytest
from stackmaker import unchanging_stacks_below

from trialbids.exporter.convert import convert
from trialbids.exporter.convert.dcm2niix import RESAMPLED, read_output
from trialbids.exporter.convert.gradients import bvectors
from trialbids.exporter.convert.native import build
from trialbids.exporter.convert.pixels import PixelReader
from trialbids.exporter.convert.proof import is_lossy
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory.objects import materialise


@pytest.fixture(scope="module")
def converted(real_data, tmp_path_factory):
    """(stack, volume) of every stack that can be placed, at most two of one kind: more of the same teach no more."""
    scratch = tmp_path_factory.mktemp("scratch")
    pairs, kinds = [], Counter()
    for stack in unchanging_stacks_below(real_data / "dicom"):
        first = stack.first
        kind = (first.Manufacturer, first.Rows, first.Columns, stack.n_volumes, first.MRAcquisitionType)
        kinds[kind] += 1
        if kinds[kind] > (1 if len(stack.instances) > 100 else 2):
            continue
        try:
            pairs.append((stack, convert(stack, materialise, scratch)))
        except ConversionError as error:
            assert error.reason == "no-geometry", error
    assert len(pairs) > 25
    return pairs


def bare_outputs(stack, folder):
    """What dcm2niix makes of the stack's files with default flags, resampled copies apart."""
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    materialise(stack.instances, folder / "in")
    command = [dcm2niix.bin, "-f", "x", "-z", "n", "-o", str(folder / "out"), str(folder / "in")]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return [read_output(p) for p in sorted((folder / "out").glob("*.nii")) if not RESAMPLED.search(p.stem)]


def one_after_the_other(outputs):
    """The images of several series as one."""
    return outputs[0].but(voxels=np.stack([o.voxels for o in outputs], axis=3))


def native(stack, folder):
    folder.mkdir()
    paths = materialise(stack.instances, folder)
    return build(stack, PixelReader({(i.path, i.member): p for i, p in zip(stack.instances, paths, strict=True)}))


def is_same(volume, other):
    """Same affine and the same voxels, the volumes in any order."""
    if volume.voxels.shape != other.voxels.shape or not np.allclose(volume.affine, other.affine, atol=1e-3):
        return False
    ours, theirs = (np.atleast_3d(v.voxels).reshape(*v.voxels.shape[:3], -1) for v in (volume, other))
    return {v.tobytes() for v in np.moveaxis(ours, 3, 0)} == {v.tobytes() for v in np.moveaxis(theirs, 3, 0)}


def test_voxels_and_affine_are_those_of_bare_dcm2niix(converted, tmp_path):
    by_dcm2niix = [(stack, volume) for stack, volume in converted if volume.converter.startswith("dcm2niix")]
    assert len(by_dcm2niix) >= len(converted) - 3
    for n, (stack, volume) in enumerate(by_dcm2niix):
        outputs = bare_outputs(stack, tmp_path / str(n))
        if len(stack.series_uids) > 1:
            assert is_same(volume, one_after_the_other(outputs)), (stack.first.path, volume.voxels.shape)
        else:
            assert any(is_same(volume, output) for output in outputs), (stack.first.path, volume.voxels.shape)


def test_pydicom_builds_the_same_images(converted, tmp_path):
    vendors = set()
    for n, (stack, volume) in enumerate(converted):
        if volume.converter == "pydicom" or is_lossy(stack.first):
            continue
        ours = native(stack, tmp_path / str(n))
        where = stack.first.path
        assert np.array_equal(ours.voxels, volume.voxels), where
        assert ours.voxels.dtype == volume.voxels.dtype, where
        assert ours.affine == pytest.approx(volume.affine, abs=1e-3), where
        assert (ours.slope, ours.inter) == pytest.approx((volume.slope, volume.inter), rel=1e-5), where
        vendors.add(stack.first.Manufacturer.split()[0].upper() if stack.first.Manufacturer else "")
    assert {"SIEMENS", "GE", "PHILIPS", "HITACHI"} <= vendors


def test_our_directions_are_those_of_dcm2niix(converted):
    checked = 0
    for stack, volume in converted:
        if any(stack.directions):
            expected, ours = volume.bvec, bvectors(stack, volume.affine)
            same = np.minimum(np.abs(ours - expected).max(axis=0), np.abs(ours + expected).max(axis=0))
            assert same.max() < 2e-3, stack.first.path
            checked += 1
    assert checked >= 4


def test_every_b_value_of_a_stack_is_in_its_image(converted):
    for stack, volume in converted:
        if stack.bvalues:
            assert volume.bval == pytest.approx(stack.bvalues, abs=5), stack.first.path
