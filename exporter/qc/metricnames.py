"""The names of the image metrics: a criterion may ask for them where OpenCV is not loaded."""

from __future__ import annotations

METRIC_NAMES = ("mean", "snr", "efc", "fber", "foreground")
"""In the order of :data:`.metrics.METRICS`."""
