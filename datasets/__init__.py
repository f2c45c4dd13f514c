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
    from .batch import collate
    from .cohort import Cohort, Report
    from .database import Database
    from .dataset import CohortDataset
    from .errors import CohortError, DatasetError, QueryError, ReadError
    from .image import Image
    from .loading import LoadSequencesd
    from .policies import QC, Require
    from .query import Q, Times
    from .reader import NiftiReader
    from .targets import Categorical, Regression

_HOME = {
    "Categorical": "targets",
    "Cohort": "cohort",
    "CohortDataset": "dataset",
    "CohortError": "errors",
    "Database": "database",
    "DatasetError": "errors",
    "Image": "image",
    "LoadSequencesd": "loading",
    "NiftiReader": "reader",
    "Q": "query",
    "QC": "policies",
    "QueryError": "errors",
    "ReadError": "errors",
    "Regression": "targets",
    "Report": "cohort",
    "Require": "policies",
    "Times": "query",
    "collate": "batch",
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
