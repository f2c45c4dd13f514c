"""Image metrics against what a made image was made with: signal, noise, ghost, shading, padding, cover."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest
from test_convert_nifti import RGB, some, volume

from trialbids.exporter.qc.metrics import measure

ROWS_ARE_PHASE = {
    "InPlanePhaseEncodingDirectionDICOM": "COL",
    "ImageOrientationPatientDICOM": [1, 0, 0, 0, 1, 0],
}
SHAPE = (128, 128, 8)


def ellipsoid(shape=SHAPE, radii=(0.6, 0.5)):
    """1 in an ellipse over the middle of every slice."""
    x, y = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    inside = (x / radii[0]) ** 2 + (y / radii[1]) ** 2 < 1
    return np.broadcast_to(inside[..., None], shape).astype(float)


def magnitude(clean, noise, seed=5):
    """The magnitude image of a real object in complex Gaussian noise: Rician where there is signal, Rayleigh in air."""
    rng = np.random.default_rng(seed)
    return np.asfortranarray(
        np.hypot(clean + rng.normal(0, noise, clean.shape), rng.normal(0, noise, clean.shape)).astype(np.float32)
    )


def measured(voxels, **changes):
    return measure(volume(np.asfortranarray(voxels), **changes))


@pytest.mark.parametrize("truth", [8, 20, 50, 200])
def test_the_snr_is_that_of_the_phantom(truth):
    found = measured(magnitude(ellipsoid() * 1000, 1000 / truth))
    # Mean of the Rice distribution: the signal, to the second order of noise over signal.
    signal, noise = 1000 * (1 + 1 / (2 * truth**2)), 1000 / truth
    assert found["snr"] == pytest.approx(signal / noise, rel=0.03)
    assert found["snr_foreground"] == pytest.approx(signal / noise, rel=0.05)
    assert found["cv"] == pytest.approx(100 * noise / signal, rel=0.05)
    assert found["cvp"] == pytest.approx(noise / signal, rel=0.05)
    air = noise * sqrt(2 - pi / 2)
    assert found["cnr"] == pytest.approx((signal - noise * sqrt(pi / 2)) / air, rel=0.03)
    assert found["cjv"] == pytest.approx((noise + air) / (signal - noise * sqrt(pi / 2)), rel=0.05)
    assert found["fber"] == pytest.approx((1000**2 + 2 * noise**2) / (2 * noise**2), rel=0.05)
    assert found["snr_1"] == pytest.approx(1 / sqrt(2 - pi / 2), rel=0.05)
    assert found["mean"] == pytest.approx(signal, rel=0.01)
    assert found["variance"] == pytest.approx(noise**2, rel=0.06)


def test_the_cover_is_that_of_the_phantom():
    for radius in (0.2, 0.5, 0.9):
        inside = ellipsoid(radii=(radius, radius))
        found = measured(magnitude(inside * 1000, 10))
        assert found["foreground"] == pytest.approx(inside.mean(), rel=1e-3)
        assert found["foreground"] == pytest.approx(pi / 4 * radius**2, rel=0.05)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_a_ghost_of_half_the_field_of_view_is_told_by_its_share(share):
    inside = ellipsoid(radii=(0.6, 0.45))
    clean = inside * 1000
    ghosted = clean + share * np.roll(clean, SHAPE[1] // 2, axis=1)
    found = measured(magnitude(ghosted, 2), sidecar=ROWS_ARE_PHASE)
    # The noise of air lifts the background alone, by 1.25 standard deviations.
    assert found["gsr"] == pytest.approx(share, rel=0.1, abs=1.3 * 2 / 1000)
    assert measured(magnitude(clean, 2), sidecar=ROWS_ARE_PHASE)["gsr"] == pytest.approx(0, abs=5e-4)
    # Along the other axis there is none.
    across = ROWS_ARE_PHASE | {"InPlanePhaseEncodingDirectionDICOM": "ROW"}
    assert measured(magnitude(ghosted, 2), sidecar=across)["gsr"] < 0.3 * share


def test_smeared_ghosts_are_told_by_the_air_along_the_phase_axis():
    clean = ellipsoid(radii=(0.5, 0.5)) * 1000
    smeared = clean + np.where(ellipsoid(radii=(0.5, 9)) > 0, 30, 0)
    found = measured(magnitude(smeared, 2), sidecar=ROWS_ARE_PHASE)
    assert found["ghosting"] == pytest.approx(0.03, abs=1.8 * 2 / 1000)
    turned = ROWS_ARE_PHASE | {"InPlanePhaseEncodingDirectionDICOM": "ROW"}
    assert measured(magnitude(smeared, 2), sidecar=turned)["ghosting"] == pytest.approx(-0.03, abs=1.8 * 2 / 1000)


def test_no_ghost_is_reckoned_where_the_phase_axis_is_not_known():
    assert not {"gsr", "ghosting"} & set(measured(magnitude(ellipsoid() * 1000, 5)))


def test_the_phase_axis_is_found_in_a_volume_that_was_turned():
    # Sagittal slices (rows run backwards, columns down) that the converter has turned to right, anterior, superior.
    sagittal = {"InPlanePhaseEncodingDirectionDICOM": "ROW", "ImageOrientationPatientDICOM": [0, 1, 0, 0, 0, -1]}
    clean = ellipsoid() * 1000
    ghosted = magnitude(clean + 0.1 * np.roll(clean, SHAPE[1] // 2, axis=1), 2)
    assert measured(ghosted, sidecar=sagittal)["gsr"] == pytest.approx(0.1, rel=0.15)


def coordinates(shape):
    return np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")


@pytest.mark.parametrize("texture", [0.05, 0.15])
def test_the_share_of_a_known_shading_is_that_of_its_variance(texture):
    x, y, z = coordinates(SHAPE)
    inside = ellipsoid(radii=(0.8, 0.8))
    field = 0.15 * x - 0.1 * y + 0.1 * x * y + 0.05 * z**2
    # A texture that no smooth field follows: squares of ten voxels.
    rng = np.random.default_rng(2)
    squares = np.kron(rng.normal(0, texture, (13, 13, 8)), np.ones((10, 10, 1)))[:128, :128]
    found = measured(magnitude(1000 * inside * np.exp(field + squares), 1))
    kept = inside > 0
    truth = field[kept].var() / (field[kept].var() + squares[kept].var())
    assert found["bias_share"] == pytest.approx(truth, abs=0.08)
    alone = measured(magnitude(1000 * inside * np.exp(field), 1))
    assert alone["bias_share"] > 0.99


@pytest.mark.parametrize("acquired", [(1.0, 1.0), (0.5, 0.5), (0.75, 1.0), (0.6, 0.8)])
@pytest.mark.parametrize("snr", [30, 200])
def test_the_share_of_zero_padding_is_that_of_the_frequencies(acquired, snr):
    rng = np.random.default_rng(3)
    shape = (192, 160, 6)
    clean = ellipsoid(shape) * 1000 + ellipsoid(shape, (0.2, 0.3)) * 400
    spectrum = np.fft.fft2(clean + (rng.normal(0, 1, shape) + 1j * rng.normal(0, 1, shape)) * 1000 / snr, axes=(0, 1))
    for axis, share in enumerate(acquired):
        frequency = np.abs(np.fft.fftfreq(shape[axis]))
        spectrum *= np.where(frequency <= share / 2, 1, 0).reshape([-1 if a == axis else 1 for a in range(3)])
    image = np.abs(np.fft.ifft2(spectrum, axes=(0, 1))).round().astype(np.int16)
    assert measured(image)["zero_padding"] == pytest.approx(1 - acquired[0] * acquired[1], abs=0.06)


def test_artefacts_in_the_air_are_told_by_their_share_and_specks_apart():
    inside = ellipsoid(radii=(0.4, 0.4))
    voxels = magnitude(inside * 1000, 5)
    clean = measured(voxels)
    assert clean["qi_1"] == 0 and clean["background_spikes"] == 0
    voxels[5:15, 5:15, 2:4] = 200
    voxels[100, ::20, :] = 200
    found = measured(voxels)
    n_air = 128 * 128 * 8 - clean["foreground"] * 128 * 128 * 8
    assert found["qi_1"] == pytest.approx(200 / n_air, rel=0.05)
    specks = int((voxels[100, ::20] * (inside[100, ::20] == 0) > 100).sum())
    assert found["background_spikes"] == pytest.approx(specks / n_air, rel=0.2)


def test_blur_lowers_sharpness_and_raises_psnr_and_efc():
    import cv2

    sharp = magnitude(ellipsoid() * 1000, 20)
    blurred = np.stack([cv2.GaussianBlur(np.ascontiguousarray(sharp[..., k]), (0, 0), 2.0) for k in range(8)], axis=-1)
    before, after = measured(sharp), measured(blurred)
    for name in ("sharpness_laplacian", "sharpness_gradient", "cpp"):
        assert after[name] < 0.7 * before[name], name
    assert after["psnr"] > before["psnr"]


def test_the_rescale_counts_for_what_has_a_unit_and_not_for_ratios():
    voxels = magnitude(ellipsoid() * 1000, 20).astype(np.int16)
    plain = measured(voxels, sidecar=ROWS_ARE_PHASE)
    scaled = measured(voxels, slope=0.5, sidecar=ROWS_ARE_PHASE)
    powers = {"mean": 1, "range": 1, "cpp": 1, "variance": 2}
    expected = {name: value * 0.5 ** powers.get(name, 0) for name, value in plain.items()}
    assert scaled == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_what_is_not_defined_is_absent():
    assert measured(np.zeros((8, 8, 4), np.int16)) == {"foreground": 0}
    cut_out = np.zeros((40, 40, 4), np.int16)
    cut_out[8:32, 8:32] = some((24, 24, 4)) + 500
    without_air = {"snr", "snr_1", "cnr", "fber", "qi_1", "background_spikes"}
    assert not without_air & set(measured(cut_out))
    ct = measured(magnitude(ellipsoid() * 1000, 20) - 1000)
    assert not without_air & set(ct) and ct["mean"] == pytest.approx(0, abs=10)
    everywhere = measured(np.full((40, 40, 4), 100, np.int16) + some((40, 40, 4)))
    assert "foreground" in everywhere


def test_nothing_is_measured_of_nothing():
    assert measured(np.zeros((0, 8, 4), np.int16)) == {}


def test_nan_and_colour_are_measured_and_of_several_volumes_the_first():
    broken = magnitude(ellipsoid() * 1000, 20)
    broken[0, 0, 0] = np.nan
    assert measured(broken) == pytest.approx(measured(np.nan_to_num(broken)))
    assert 0 < measured(some((16, 16, 3), RGB))["mean"] < 255
    first = magnitude(ellipsoid() * 1000, 20)
    assert measured(np.stack([first, first * 3], axis=-1)) == pytest.approx(measured(first), rel=1e-4)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", ">i2", "i4", "u4", "f4", "f8"])
def test_the_stored_type_changes_nothing(dtype):
    voxels = np.clip(magnitude(ellipsoid(shape=(64, 48, 5)) * 90, 4).round(), 0, 127)
    assert measured(voxels.astype(dtype)) == pytest.approx(measured(voxels.astype(np.int16)), rel=1e-4)


def test_one_slice_and_tiny_images_are_measured():
    assert measured(magnitude(ellipsoid(shape=(64, 64, 1)) * 1000, 20))["snr"] == pytest.approx(50, rel=0.1)
    assert "mean" in measured(some((3, 2, 1)))
    assert "foreground" in measured(some((1, 1, 1)))
