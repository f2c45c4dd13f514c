"""Metrics of how fine the image is: edges, and what of the spatial frequencies was acquired; and of smooth shading."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels.picture import Picture
from .regions import Regions

MOST_SLICES, MOST_VOXELS = 8, 2**19
LEAST_LINES = 96
"""An image of fewer rows or columns was hardly padded, and its object's own power still falls steeply."""
STEP = 0.3
"""Decades by which the power falls more at once than before: the magnitude of noisy air leaks beyond (ours)."""
WINDOW = 3


def sharpness_laplacian(regions: Regions) -> float | None:
    """Mean square over the foreground of x - mean of its eight neighbours (the Laplacian of nine points), over the
    variance of the foreground, no unit: falls with blur, rises with noise (after Pech-Pacheco et al. 2000,
    doi:10.1109/ICPR.2000.903548)."""
    stored = _stored_variance(regions)
    return regions.texture.contrast_square / stored if stored else None


def sharpness_gradient(regions: Regions) -> float | None:
    """Mean squared in-plane gradient per voxel over the foreground, over the variance of the foreground, no unit: falls
    with blur, rises with noise (Tenengrad, Krotkov 1988, doi:10.1007/BF00127822, with central differences)."""
    stored = _stored_variance(regions)
    return regions.texture.gradient_square / stored if stored else None


def bias_share(regions: Regions) -> float | None:
    """Share, 0 to 1, of the variance of the logarithm of the foreground (means of 5 x 5 voxels) that a polynomial of
    second order in the three coordinates explains: R² of least squares (the low-order field of Styner et al. 2000,
    doi:10.1109/42.845174, as a figure; ours)."""
    return regions.patches.smooth_share


def zero_padding(regions: Regions) -> float | None:
    """Share, 0 to 1, of the in-plane spatial frequencies that were filled with zeros: 1 - (acquired share of rows x
    that of columns), each to where the power spectrum of at most eight slices steps down for good, two-fold against
    what lies before; 0 where there is no step, as where a scanner smooths the edge; of 96 rows and columns or more
    (zero filling: Bernstein et al. 2001, doi:10.1002/jmri.1250; the search is ours)."""
    picture = regions.picture
    if not regions.signal.n or min(picture.shape[1:]) < LEAST_LINES:
        return None
    down, across = _profiles(picture)
    return 1 - _acquired(down) * _acquired(across)


def _stored_variance(regions: Regions) -> float:
    return regions.signal.variance / regions.slope**2 if regions.signal.n and regions.slope else 0.0


def _profiles(picture: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """log10 of the mean power of the slices that show most, by row frequency 0 … n/2 and by column frequency."""
    _, rows, columns = picture.shape
    n = max(1, min(MOST_SLICES, MOST_VOXELS // (rows * columns)))
    down, across = np.zeros(rows), np.zeros(columns)
    for k in np.sort(np.argsort(picture.inside_counts, kind="stable")[-n:]):
        # OpenCV packs the half spectrum of a real image: real and imaginary parts in turns from the second column on.
        packed = cv2.dft(picture.stored[k])
        squares = cv2.multiply(packed, packed)
        down += cv2.reduce(squares[:, 1 : columns - 1 + columns % 2], 1, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel()
        across += cv2.reduce(squares, 0, cv2.REDUCE_SUM, dtype=cv2.CV_64F).ravel()
    mirrored = down + np.concatenate([down[:1], down[:0:-1]])
    pairs = across[1 : columns - 1 + columns % 2].reshape(-1, 2).sum(axis=1)
    return _log(mirrored[: rows // 2 + 1]), _log(np.concatenate([across[:1], pairs]))


def _log(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log10(np.maximum(power, 1e-30))


def _acquired(profile: NDArray[np.float64]) -> float:
    """The share of the frequencies below the greatest step down of the profile, 1 where there is none.

    A step falls more than what lies before it, and for good. It is looked for from a quarter of the
    frequencies on, and not at the highest one, which a magnitude image hardly has.
    """
    last = len(profile) - 1
    means = np.convolve(profile, np.ones(WINDOW) / WINDOW, mode="valid")
    places = np.arange(max(last // 4, 2 * WINDOW), last - WINDOW)
    if not places.size:
        return 1.0
    before, after = means[places - WINDOW], means[places]
    steps = before - after - np.maximum(means[places - 2 * WINDOW] - before, 0)
    highest = np.maximum.accumulate(profile[last - 1 :: -1])[::-1]
    steps[highest[places] > before - STEP / 2] = 0
    greatest = int(steps.argmax())
    return float(places[greatest] / last) if steps[greatest] > STEP else 1.0
