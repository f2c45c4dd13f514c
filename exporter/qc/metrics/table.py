"""The table of the image metrics, and the one loop that measures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from inspect import cleandoc
from math import isfinite

from ...convert.volume import Volume
from .. import metricnames
from ..metricnames import MetricName
from ..pixels.picture import Picture
from . import diffusion, dynamic, ghosting, intensity, noise, sharpness
from .diffusion import weighted_of
from .dynamic import Phases
from .regions import Regions, phase_axis

_DOI = re.compile(r"doi:(10\.\d{4,}/[\w.()/-]*\w)")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``function`` takes :class:`.Regions`, :class:`.Weighted` or :class:`.Phases`, and returns None where
    the metric is not defined; its docstring says how it is reckoned."""

    name: str
    unit: str
    meaning: str
    function: Callable[..., float | None]

    @property
    def definition(self) -> str:
        """The formula in words, and where it comes from."""
        return " ".join(cleandoc(self.function.__doc__ or "").split())

    @property
    def source(self) -> tuple[str, ...]:
        """The DOIs of the definition."""
        return tuple(_DOI.findall(self.definition))


def _rows(names: Sequence[MetricName], functions: Sequence[Callable[..., float | None]]) -> tuple[Metric, ...]:
    return tuple(Metric(n.name, n.unit, n.meaning, f) for n, f in zip(names, functions, strict=True))


IMAGE = _rows(
    metricnames.IMAGE,
    (
        *(intensity.mean, intensity.extent, intensity.variance, intensity.cv, intensity.cpp, intensity.psnr),
        *(noise.snr, noise.snr_foreground, noise.snr_1, noise.cnr, noise.cvp, noise.cjv, intensity.efc, noise.fber),
        *(noise.qi_1, noise.background_spikes, ghosting.gsr, ghosting.ghosting),
        *(sharpness.sharpness_laplacian, sharpness.sharpness_gradient, sharpness.bias_share, sharpness.zero_padding),
        intensity.foreground,
    ),
)
DIFFUSION = _rows(
    metricnames.DIFFUSION,
    (diffusion.noise_b0, diffusion.drift, diffusion.spike_rate, diffusion.ndc, diffusion.slice_dropout),
)
DYNAMIC = _rows(metricnames.DYNAMIC, (dynamic.tsnr_late, dynamic.motion, dynamic.bolus_arrival))
METRICS = (*IMAGE, *DIFFUSION, *DYNAMIC)


def measure(image: Volume | Picture) -> dict[str, float]:
    """Every metric that is defined for this image, by name, with six digits. Of a 4D image the first volume is
    measured, of diffusion the series too; of a colour image the mean of its colours. What is not defined (no
    background, a constant image) is absent, never a made-up number."""
    picture = image if isinstance(image, Picture) else Picture(image)
    volume = picture.volume
    if not volume.voxels.size:
        return {}
    found = _measured(IMAGE, Regions(picture, phase_axis(volume.sidecar, volume.affine)))
    weighted = weighted_of(volume, picture)
    return found | _measured(DIFFUSION, weighted) if weighted else found


def measure_phases(phases: Phases) -> dict[str, float]:
    """Every metric of a dynamic series that is defined for it, by name, with six digits."""
    return _measured(DYNAMIC, phases)


def _measured(metrics: Iterable[Metric], subject: object) -> dict[str, float]:
    found = {metric.name: metric.function(subject) for metric in metrics}
    return {name: float(f"{value:.6g}") for name, value in found.items() if value is not None and isfinite(value)}
