"""Image metrics against the published formulas, written out plainly in numpy and scipy on the same two regions, with
the values that they give stored; and the two regions against a plain threshold and hull."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import ConvexHull, Delaunay
from test_convert_nifti import volume
from test_qc_metrics_phantom import ROWS_ARE_PHASE, ellipsoid, magnitude

from trialbids.exporter.convert.foreground import foreground
from trialbids.exporter.qc.metrics import measure
from trialbids.exporter.qc.pixels.picture import Picture

# Values of the formulas below on `subject()`, each with where the formula is published.
STORED = {
    "mean": 904.076,  # MRQy, doi:10.1002/mp.14593: nanmean(f)
    "range": 655,  # MRQy: ptp(f)
    "variance": 6727.115,  # MRQy: nanvar(f)
    "cv": 9.072135,  # MRQy: nanstd(f) / nanmean(f) x 100
    "cpp": 51.57267,  # MRQy: mean |convolution with 1 and eight times -1/8|
    "psnr": 31.00269,  # MRQy: 20 log10(max / sqrt(mean squared distance from median(5 x 5)))
    "snr": 14.16987,  # Dietrich et al. 2007, doi:10.1002/jmri.20969, A.12
    "snr_foreground": 11.02224,  # MRIQC, doi:10.1371/journal.pone.0184661
    "snr_1": 1.962201,  # MRQy: nanstd(f) / nanstd(b)
    "cnr": 20.45787,  # Magnotta & Friedman 2006, doi:10.1007/s10278-006-0264-x
    "cvp": 0.04198178,  # MRQy: std / mean of a 5 x 5 patch
    "cjv": 0.1447952,  # Ganzetti et al. 2016, doi:10.3389/fninf.2016.00010
    "efc": 0.5259747,  # Atkinson et al. 1997, doi:10.1109/42.650886, normalised as in MRIQC
    "fber": 198.9064,  # Shehzad et al. 2015, doi:10.3389/conf.fnins.2015.91.00047
    "qi_1": 0.008154188,  # Mortamet et al. 2009, doi:10.1002/mrm.21992
    "gsr": 0.02255418,  # Giannelli et al. 2010, doi:10.1120/jacmp.v11i4.3237
    "foreground": 0.23023,
}


def subject():
    """An ellipse with shading and a texture in Rician noise, a ghost, and a bright patch in the air."""
    shape = (96, 80, 6)
    inside = ellipsoid(shape)
    i, j, _ = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    clean = inside * (900 + 3 * (i - 48) + 90 * np.sin(j / 4))
    clean += 0.06 * np.roll(clean, shape[1] // 2, axis=1)
    clean[4:10, 4:12] = 400
    return magnitude(clean, 30, seed=11).round().astype(np.int16)


def regions(voxels):
    picture = Picture(volume(voxels))
    return picture.inside.T > 0, picture.air.T > 0, picture.hull.T > 0


def published(voxels):
    """The formulas, without OpenCV and without histograms."""
    inside, air, hull = regions(voxels)
    x = voxels.astype(np.float64)
    f, b = x[inside], x[air]
    around = np.stack(
        [ndimage.convolve(s, np.array([[1, 1, 1], [1, -8, 1], [1, 1, 1]]) / -8, mode="mirror") for s in x.T]
    )
    median = np.stack([ndimage.median_filter(s, 5, mode="nearest") for s in x.T])
    patches = [
        x[i : i + 5, j : j + 5, k]
        for k in range(x.shape[2])
        for i in range(0, x.shape[0] - 4, 5)
        for j in range(0, x.shape[1] - 4, 5)
        if inside[i : i + 5, j : j + 5, k].all()
    ]
    share = x / np.sqrt((x**2).sum())
    most = x.size / np.sqrt(x.size) * np.log(1 / np.sqrt(x.size))
    lit = b[b > 0]
    spread = 1.4826 * np.median(np.abs(lit - np.median(lit)))
    bright = air & (x > np.median(lit) + 10 * spread)
    cross = ndimage.generate_binary_structure(2, 1)
    opened = sum(ndimage.binary_opening(s, cross).sum() for s in np.moveaxis(bright, 2, 0))
    ghost = np.roll(hull, x.shape[1] // 2, axis=1) & air
    return {
        "mean": f.mean(),
        "range": np.ptp(f),
        "variance": f.var(),
        "cv": 100 * f.std() / f.mean(),
        "cpp": np.abs(around.T[inside]).mean(),
        "psnr": 20 * np.log10(f.max() / np.sqrt(((x - median.T)[inside] ** 2).mean())),
        "snr": f.mean() / (np.sqrt(2 / (4 - np.pi)) * b.std()),
        "snr_foreground": f.mean() / (f.std() * np.sqrt(f.size / (f.size - 1))),
        "snr_1": f.std() / b.std(),
        "cnr": abs(f.mean() - b.mean()) / b.std(),
        "cvp": np.median([p.std() / p.mean() for p in patches]),
        "cjv": (f.std() + b.std()) / abs(f.mean() - b.mean()),
        "efc": (share * np.log((x + 1e-16) / np.sqrt((x**2).sum()))).sum() / most,
        "fber": (f**2).mean() / (b**2).mean(),
        "qi_1": opened / air.sum(),
        "gsr": (x[ghost].mean() - x[air & ~ghost].mean()) / f.mean(),
        "foreground": inside.mean(),
    }


def test_every_metric_is_what_its_published_formula_gives():
    found = measure(volume(subject(), sidecar=ROWS_ARE_PHASE))
    plain = published(subject())
    assert {name: found[name] for name in plain} == pytest.approx(plain, rel=2e-4)
    assert plain == pytest.approx(STORED, rel=2e-4)


def test_the_foreground_is_otsu_s_as_the_conversion_knows_it():
    for seed in range(3):
        voxels = magnitude(ellipsoid() * (600 + 200 * seed), 40, seed)
        picture = Picture(volume(voxels))
        assert (foreground(voxels) == picture.inside.T).mean() > 0.9995
        # The plain definition: the threshold that parts the values into the two most different classes.
        levels = np.linspace(voxels.min(), np.percentile(voxels, 99.5), 256)
        between = [
            (low.size * high.size * (low.mean() - high.mean()) ** 2)
            for t in levels[1:-1]
            if (low := voxels[voxels <= t]).size and (high := voxels[voxels > t]).size
        ]
        threshold = levels[1:-1][int(np.argmax(between))]
        assert ((voxels > threshold) == picture.inside.T).mean() > 0.995


def test_the_hull_is_convex_and_the_air_begins_two_voxels_beyond():
    voxels = magnitude(ellipsoid() * 1000, 20)
    voxels[40:60, 40:60] = 10  # a hole is inside the hull
    picture = Picture(volume(voxels))
    for k in (0, 5):
        points = np.argwhere(ndimage.binary_opening(picture.inside[k], ndimage.generate_binary_structure(2, 1)))
        grid = np.argwhere(np.ones(picture.shape[1:]))
        within = (Delaunay(points[ConvexHull(points).vertices]).find_simplex(grid) >= 0).reshape(picture.shape[1:])
        assert (within == (picture.hull[k] > 0)).mean() > 0.995
        distance = ndimage.distance_transform_edt(picture.hull[k] == 0)
        assert not (picture.air[k][distance <= 2] > 0).any()
        assert (picture.air[k][distance > 4.5] > 0).all()


def test_mrqy_s_entropy_is_not_ours():
    """Its published code adds 1e16 where 1e-16 was meant: the logarithm is then the same everywhere."""
    x = subject().astype(float)
    root, n = np.sqrt((x**2).sum()), x.size
    wrong = (x / root * np.log((x + 1e16) / root)).sum() / (np.sqrt(n) * np.log(1 / np.sqrt(n)))
    assert measure(volume(subject()))["efc"] != pytest.approx(wrong, rel=0.1)
