"""Image metrics: known values on made images, and never a made-up number."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from test_convert_nifti import RGB, some, volume

from trialbids.exporter.qc.metrics import measure

rng = np.random.default_rng(5)


def phantom(signal=1000.0, noise=20.0, shape=(64, 64, 10)):
    """A cube over a quarter of the plane in Rayleigh noise, as a magnitude image."""
    clean = np.zeros(shape)
    clean[16:48, 16:48] = signal
    return np.asfortranarray(
        np.hypot(clean + rng.normal(0, noise, shape), rng.normal(0, noise, shape)).astype(np.float32)
    )


def test_values_of_a_phantom_are_those_it_was_made_with():
    found = measure(volume(phantom(1000, 20)))
    assert found["foreground"] == pytest.approx(0.25, abs=1e-3)
    assert found["mean"] == pytest.approx(1000, rel=0.01)
    assert found["snr"] == pytest.approx(1000 / 20, rel=0.05)
    assert found["fber"] == pytest.approx(1000**2 / (2 * 20**2), rel=0.05)


def test_efc_is_the_formula_and_falls_with_focus():
    voxels = phantom()
    share = np.abs(voxels.astype(float)) / np.sqrt((voxels.astype(float) ** 2).sum())
    greatest = np.sqrt(voxels.size) * np.log(1 / np.sqrt(voxels.size))
    expected = (share * np.log(share + 1e-16)).sum() / greatest
    assert measure(volume(voxels))["efc"] == pytest.approx(expected, rel=1e-4)
    blurred = np.asfortranarray(cv2.blur(np.ascontiguousarray(voxels[..., 0]), (15, 15))[..., None])
    assert measure(volume(blurred))["efc"] > measure(volume(voxels[..., :1]))["efc"]


def test_the_rescale_counts_for_what_has_a_unit_and_not_for_ratios():
    voxels = np.asfortranarray(phantom().astype(np.int16))
    plain, scaled = measure(volume(voxels)), measure(volume(voxels, slope=0.5))
    assert scaled["mean"] == pytest.approx(plain["mean"] / 2, rel=1e-4)
    assert {k: scaled[k] for k in ("snr", "fber", "efc", "foreground")} == pytest.approx(
        {k: plain[k] for k in ("snr", "fber", "efc", "foreground")}, rel=1e-3
    )


def test_storage_order_changes_nothing():
    voxels = phantom()
    assert measure(volume(np.ascontiguousarray(voxels))) == pytest.approx(measure(volume(voxels)), rel=1e-5)


def test_what_is_not_defined_is_absent():
    assert measure(volume(np.zeros((8, 8, 4), np.int16))) == {"foreground": 0}
    masked = np.zeros((8, 8, 4), np.int16)
    masked[2:6, 2:6] = 100
    assert set(measure(volume(masked))) == {"mean", "efc", "foreground"}
    ct = volume(np.asfortranarray(phantom() - 1000))
    assert "snr" not in measure(ct) and measure(ct)["mean"] == pytest.approx(0, abs=10)


def test_nan_colour_and_several_volumes_are_measured():
    broken = phantom()
    broken[0, 0, 0] = np.nan
    assert measure(volume(broken)) == pytest.approx(measure(volume(np.nan_to_num(broken))))
    assert 0 < measure(volume(some((16, 16, 3), RGB)))["mean"] < 255
    first = phantom()
    assert measure(volume(np.stack([first, first * 3], axis=-1))) == pytest.approx(measure(volume(first)), rel=1e-4)


def test_all_metrics_of_4_mib_take_at_most_60_ms_on_one_core():
    big = volume(np.asfortranarray(phantom(shape=(256, 256, 32)).astype(np.int16)))
    assert big.voxels.nbytes == 4 * 2**20
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        seconds = []
        for _ in range(5):
            start = time.thread_time()
            measure(big)
            seconds.append(time.thread_time() - start)
    finally:
        cv2.setNumThreads(threads)
    assert min(seconds) < 0.060
