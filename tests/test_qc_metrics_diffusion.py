"""Metrics of diffusion and dynamic series, of series that were made with a known noise, drift, drop-out, arrival."""

from __future__ import annotations

import numpy as np
import pytest
from test_convert_nifti import volume
from test_qc_metrics_phantom import ellipsoid, magnitude

from trialbids.exporter.qc.metrics import Phases, measure, measure_phases
from trialbids.exporter.qc.metrics.diffusion import _neighbours

SHAPE = (48, 48, 10)
VECTORS = np.random.default_rng(8).normal(size=(3, 12))
VECTORS /= np.linalg.norm(VECTORS, axis=0)
BVALUES = np.array([0, 1000, 1000, 1000, 1000, 0, 1000, 1000, 1000, 1000, 1000, 0.0])
NOISE = 15.0


def diffusion(bvalues=BVALUES, noise=NOISE, change=lambda signals: None):
    """A 4D image: two tissues whose signal falls with b; ``change`` alters the clean volumes (T, X, Y, Z) in place."""
    tissue = ellipsoid(SHAPE) * 1000 + ellipsoid(SHAPE, (0.25, 0.2)) * 800
    signals = np.stack([tissue * np.exp(-b * np.where(tissue > 1500, 0.4e-3, 1e-3)) for b in bvalues])
    change(signals)
    return np.stack([magnitude(s, noise, seed=t) for t, s in enumerate(signals)], axis=-1).round().astype(np.int16)


def measured(voxels, bvalues=BVALUES, vectors=VECTORS, **changes):
    vectors = None if vectors is None else vectors[:, : len(bvalues)]
    return measure(volume(np.asfortranarray(voxels), bval=np.asarray(bvalues, float), bvec=vectors, **changes))


@pytest.mark.parametrize("noise", [5.0, 15.0, 60.0])
def test_the_noise_of_b0_is_that_of_the_series(noise):
    assert measured(diffusion(noise=noise))["noise_b0"] == pytest.approx(noise, rel=0.04)
    assert measured(diffusion(noise=noise), slope=0.5)["noise_b0"] == pytest.approx(noise / 2, rel=0.04)
    # Of one b=0 volume the air tells it.
    single = [0, 500, 1000]
    assert measured(diffusion(single, noise), single)["noise_b0"] == pytest.approx(noise, rel=0.04)


@pytest.mark.parametrize("percent", [-10.0, -2.0, 5.0])
def test_the_drift_is_that_of_the_series(percent):
    def drifting(signals):
        signals *= (1 + percent / 100 * np.arange(len(signals)) / (len(signals) - 1))[:, None, None, None]

    assert measured(diffusion(change=drifting))["drift"] == pytest.approx(percent, abs=0.3)
    assert "drift" not in measured(diffusion([0, 500, 1000]), [0, 500, 1000])


@pytest.mark.parametrize("lost", [1, 5, 12])
def test_lost_slices_are_counted(lost):
    rng = np.random.default_rng(lost)
    weighted = [(t, k) for t in np.flatnonzero(BVALUES > 50) for k in range(SHAPE[2])]
    chosen = [weighted[n] for n in rng.choice(len(weighted), lost, replace=False)]

    def dropping(signals):
        for t, k in chosen:
            signals[t, :, :, k] *= 0.4

    assert measured(diffusion())["slice_dropout"] == 0
    assert measured(diffusion(change=dropping))["slice_dropout"] == pytest.approx(lost / len(weighted), abs=1e-6)


def test_spikes_are_counted_by_slice_and_volume():
    voxels = diffusion()
    assert measured(voxels)["spike_rate"] == 0
    wave = (100 * (1 + np.sin(np.arange(48) / 1.3))).astype(np.int16)
    voxels[:, :, 3, 4] += wave[:, None]
    voxels[:, :, 7, 9] += wave[None, :]
    assert measured(voxels)["spike_rate"] == pytest.approx(2 / (12 * 10), abs=1e-6)


def test_neighbouring_volumes_correlate_less_with_motion():
    still = measured(diffusion())["ndc"]

    def moving(signals):
        for t in (3, 7, 8):
            signals[t] = np.roll(signals[t], 8, axis=0)

    assert still > 0.9 and measured(diffusion(change=moving))["ndc"] < still - 0.05
    signals = diffusion([0, 1000], noise=1e-3)
    inside = ellipsoid(SHAPE) > 0
    expected = np.corrcoef(signals[..., 0][inside], signals[..., 1][inside])[0, 1]
    assert measured(signals, [0, 1000], None)["ndc"] == pytest.approx(expected, abs=0.01)


def test_a_neighbour_in_q_space_has_a_like_direction_or_its_opposite_and_a_like_b():
    vectors = np.array([[1, 0, 0], [0, 1, 0], [-0.99, 0.1, 0], [0, 0.98, 0.2], [1, 0, 0]]).T
    assert _neighbours(np.array([1000, 1000, 1000, 1000, 3000.0]), vectors).tolist()[:4] == [2, 3, 0, 1]
    assert _neighbours(np.array([0, 400, 450, 2000.0]), None).tolist() == [1, 2, 1, 2]


def test_what_is_no_diffusion_series_has_no_such_metric():
    names = {"noise_b0", "drift", "spike_rate", "ndc", "slice_dropout"}
    voxels = diffusion()
    assert not names & set(measure(volume(np.asfortranarray(voxels))))
    assert not names & set(measured(voxels[..., 0], [0.0]))
    assert not names & set(measured(voxels, [0.0, 1000.0]))  # not one b-value a volume
    assert not names & set(measured(np.zeros_like(voxels)))


def dynamic(arrival=40.0, noise=2.0, shift=0, enhancement=1.0):
    """Phases each 10 s: a tissue, and a vessel that enhances in a straight line for 30 s from ``arrival`` on."""
    times = np.arange(24) * 10.0 + 5
    rise = np.clip((times - times[0] - arrival) / 30, 0, 1)
    body, vessel = ellipsoid(SHAPE) * 500, ellipsoid(SHAPE, (0.2, 0.2)) * 500 * enhancement
    images = np.stack([magnitude(body + r * vessel, noise, seed=t) for t, r in enumerate(rise)])
    if shift:
        images[::3] = np.roll(images[::3], shift, axis=1)
    return Phases(images, times)


@pytest.mark.parametrize("arrival", [20.0, 33.0, 47.0, 90.0])
def test_the_arrival_of_the_bolus_is_that_of_the_series(arrival):
    assert measure_phases(dynamic(arrival))["bolus_arrival"] == pytest.approx(arrival, abs=2.5)  # a quarter of a phase


def test_without_enhancement_there_is_no_arrival():
    assert "bolus_arrival" not in measure_phases(dynamic(enhancement=0.05))


@pytest.mark.parametrize("noise", [2.0, 10.0])
def test_the_late_temporal_snr_is_signal_over_noise(noise):
    found = measure_phases(dynamic(arrival=10, noise=noise, enhancement=0.0))["tsnr_late"]
    assert found == pytest.approx(500 / noise, rel=0.08)


def test_motion_rises_with_what_moves():
    values = [measure_phases(dynamic(shift=shift))["motion"] for shift in (0, 2, 6)]
    assert values == sorted(values) and values[2] > values[0] + 0.05


def test_phases_that_do_not_fit_their_times_are_refused():
    images = np.zeros((3, 4, 4, 2), np.float32)
    with pytest.raises(ValueError, match="2 times"):
        Phases(images, np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="do not rise"):
        Phases(images, np.array([0.0, 2.0, 1.0]))
    assert measure_phases(Phases(images, np.array([0.0, 1.0, 2.0]))) == {}
