"""Image metrics, for ``*_qc.json``. They inform; none excludes an image by itself.

Foreground and air are told by Otsu's threshold and the hull of each slice: no mask of an organ is needed.
"""

from ..outliers import Measured, Outlier, Shift, outliers, shifts
from .dynamic import Phases
from .table import METRICS, Metric, measure, measure_phases

__all__ = ["METRICS", "Measured", "Metric", "Outlier", "Phases", "Shift", "measure", "measure_phases"]
__all__ += ["outliers", "shifts"]
