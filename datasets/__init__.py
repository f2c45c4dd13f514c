"""BIDS in, tensors out: the curated tree on disk is the dataset.

Knows the tree (docs/on-disk.md) and the vocabulary, never the exporter. Names are loaded when they are first used,
so that looking at a tree imports neither torch nor MONAI.

>>> from trialbids.datasets import Database, Q
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ == "datasets":
    raise ImportError(
        "this is trialbids.datasets, imported under the bare name `datasets` because Python was started in the folder "
        "of its source; write `from trialbids.datasets import …`, and set PYTHONSAFEPATH=1 or start Python elsewhere "
        "to reach Hugging Face's `datasets`."
    )

if TYPE_CHECKING:
    from .cohorts.cohort import Cohort, Report
    from .cohorts.policies import QC, Require
    from .cohorts.query import Q, Times
    from .cohorts.targets import Categorical, Regression
    from .database import Database
    from .errors import CohortError, DatasetError, QueryError, ReadError
    from .index.image import Image
    from .reading.batch import collate
    from .reading.dataset import CohortDataset
    from .reading.loading import LoadSequencesd
    from .reading.reader import NiftiReader

_HOME = {
    "Categorical": "cohorts.targets",
    "Cohort": "cohorts.cohort",
    "CohortDataset": "reading.dataset",
    "CohortError": "errors",
    "Database": "database",
    "DatasetError": "errors",
    "Image": "index.image",
    "LoadSequencesd": "reading.loading",
    "NiftiReader": "reading.reader",
    "Q": "cohorts.query",
    "QC": "cohorts.policies",
    "QueryError": "errors",
    "ReadError": "errors",
    "Regression": "cohorts.targets",
    "Report": "cohorts.cohort",
    "Require": "cohorts.policies",
    "Times": "cohorts.query",
    "collate": "reading.batch",
}

__all__ = [
    "QC",
    "Categorical",
    "Cohort",
    "CohortDataset",
    "CohortError",
    "Database",
    "DatasetError",
    "Image",
    "LoadSequencesd",
    "NiftiReader",
    "Q",
    "QueryError",
    "ReadError",
    "Regression",
    "Report",
    "Require",
    "Times",
    "collate",
]


def __getattr__(name: str) -> Any:
    """Import the module that holds ``name``."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
