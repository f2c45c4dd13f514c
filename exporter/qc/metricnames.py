"""The names, units and meanings of the image metrics: a criterion may ask for them where OpenCV is not loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetricName:
    """What a metric is called, its unit (empty for a plain number) and what it tells, in one line.

    ``signal`` as a unit is that of the image after its rescale.
    """

    name: str
    unit: str
    meaning: str


IMAGE = (
    MetricName("mean", "signal", "mean of the foreground"),
    MetricName("range", "signal", "greatest less least value of the foreground"),
    MetricName("variance", "signal²", "variance of the foreground"),
    MetricName("cv", "%", "standard deviation of the foreground over its mean"),
    MetricName("cpp", "signal", "contrast per pixel: mean distance of a foreground voxel from its eight neighbours"),
    MetricName("psnr", "dB", "peak of the foreground over its distance from its 5 x 5 median"),
    MetricName("snr", "", "mean of the foreground over the noise that the air tells (Dietrich)"),
    MetricName("snr_foreground", "", "mean of the foreground over its own standard deviation"),
    MetricName("snr_1", "", "standard deviation of the foreground over that of the air"),
    MetricName("cnr", "", "distance of foreground and air over the standard deviation of the air"),
    MetricName("cvp", "", "median over patches of 5 x 5 voxels of standard deviation over mean"),
    MetricName("cjv", "", "standard deviations of foreground and air over the distance of their means"),
    MetricName("efc", "", "entropy focus criterion, 0 for one bright voxel, 1 for equal voxels"),
    MetricName("fber", "", "mean energy of the foreground over that of the air"),
    MetricName("qi_1", "", "share of the air that artefacts cover"),
    MetricName("background_spikes", "", "share of the air that is single bright voxels"),
    MetricName("gsr", "", "ghost to signal ratio, half a field of view along the phase axis"),
    MetricName("ghosting", "", "air along the phase axis less air along the read axis, over the foreground"),
    MetricName("sharpness_laplacian", "", "variance of the Laplacian over that of the foreground"),
    MetricName("sharpness_gradient", "", "mean squared gradient over the variance of the foreground"),
    MetricName("bias_share", "", "share of the foreground's variance that a smooth field of second order explains"),
    MetricName("zero_padding", "", "share of the in-plane spatial frequencies that were not acquired"),
    MetricName("foreground", "", "share of the voxels that is foreground"),
)
"""Of every image; of a 4D image its first volume is measured."""

DIFFUSION = (
    MetricName("noise_b0", "signal", "standard deviation of the noise of the volumes without diffusion weighting"),
    MetricName("drift", "%", "change of the b=0 signal from the first to the last volume"),
    MetricName("spike_rate", "", "share of slices whose air is far brighter than in other volumes"),
    MetricName("ndc", "", "mean correlation of a volume with its neighbour in q-space"),
    MetricName("slice_dropout", "", "share of diffusion-weighted slices that lost signal"),
)
"""Of a diffusion image with several volumes."""

DYNAMIC = (
    MetricName("tsnr_late", "", "median over the foreground of mean over standard deviation in the last third"),
    MetricName("motion", "", "1 less the mean correlation of a phase with the mean of all"),
    MetricName("bolus_arrival", "s", "time from the first phase to the onset of enhancement"),
)
"""Of a contrast-enhanced dynamic series as a whole."""

NAMES = (*IMAGE, *DIFFUSION, *DYNAMIC)
METRIC_NAMES = tuple(metric.name for metric in NAMES)
"""In the order of the tables of :mod:`.metrics`."""
