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
    from .cohorts.cohort import Cohort
    from .cohorts.policies import QC, Require, Resample
    from .cohorts.query import Q, Times
    from .cohorts.recipe import Recipe
    from .cohorts.report import Report
    from .cohorts.targets import Categorical, MultiLabel, Regression, Survival
    from .database import Database
    from .errors import (
        CohortError,
        CollateError,
        DatasetError,
        ExportError,
        LeakError,
        PredictionError,
        QueryError,
        ReadError,
        SplitError,
    )
    from .exports.card import write_card
    from .exports.torchio import read_subjects, subjects
    from .files.places import fetch
    from .index.image import Image
    from .index.index import Changes
    from .predictions.handler import SavePredictions
    from .predictions.writer import PredictionWriter
    from .reading.batch import collate
    from .reading.cache import Cache
    from .reading.canonical import versioned
    from .reading.dataset import CohortDataset
    from .reading.draws import Draw
    from .reading.loading import LoadSequencesd
    from .reading.reader import NiftiReader
    from .splits.report import SplitReport
    from .splits.splits import Split, Splits
    from .training.dropout import DropSequencesd
    from .training.lightning import CohortDataModule
    from .training.loader import ResumableLoader
    from .training.sampler import CohortSampler
    from .training.standardise import StandardiseSequencesd
    from .training.statistics import IntensityStatistics
    from .training.values import by_column
    from .training.weights import class_weights, sample_weights

_HOME = {
    "Q": "cohorts.query",
    "QC": "cohorts.policies",
    "Cache": "reading.cache",
    "Categorical": "cohorts.targets",
    "Changes": "index.index",
    "Cohort": "cohorts.cohort",
    "CohortDataModule": "training.lightning",
    "CohortDataset": "reading.dataset",
    "CohortError": "errors",
    "CohortSampler": "training.sampler",
    "CollateError": "errors",
    "Database": "database",
    "DatasetError": "errors",
    "Draw": "reading.draws",
    "DropSequencesd": "training.dropout",
    "ExportError": "errors",
    "Image": "index.image",
    "IntensityStatistics": "training.statistics",
    "LeakError": "errors",
    "LoadSequencesd": "reading.loading",
    "MultiLabel": "cohorts.targets",
    "NiftiReader": "reading.reader",
    "PredictionError": "errors",
    "PredictionWriter": "predictions.writer",
    "QueryError": "errors",
    "ReadError": "errors",
    "Recipe": "cohorts.recipe",
    "Regression": "cohorts.targets",
    "Report": "cohorts.report",
    "Require": "cohorts.policies",
    "Resample": "cohorts.policies",
    "ResumableLoader": "training.loader",
    "SavePredictions": "predictions.handler",
    "Split": "splits.splits",
    "SplitError": "errors",
    "SplitReport": "splits.report",
    "Splits": "splits.splits",
    "StandardiseSequencesd": "training.standardise",
    "Survival": "cohorts.targets",
    "Times": "cohorts.query",
    "by_column": "training.values",
    "class_weights": "training.weights",
    "collate": "reading.batch",
    "fetch": "files.places",
    "read_subjects": "exports.torchio",
    "sample_weights": "training.weights",
    "subjects": "exports.torchio",
    "versioned": "reading.canonical",
    "write_card": "exports.card",
}

__all__ = [
    "QC",
    "Cache",
    "Categorical",
    "Changes",
    "Cohort",
    "CohortDataModule",
    "CohortDataset",
    "CohortError",
    "CohortSampler",
    "CollateError",
    "Database",
    "DatasetError",
    "Draw",
    "DropSequencesd",
    "ExportError",
    "Image",
    "IntensityStatistics",
    "LeakError",
    "LoadSequencesd",
    "MultiLabel",
    "NiftiReader",
    "PredictionError",
    "PredictionWriter",
    "Q",
    "QueryError",
    "ReadError",
    "Recipe",
    "Regression",
    "Report",
    "Require",
    "Resample",
    "ResumableLoader",
    "SavePredictions",
    "Split",
    "SplitError",
    "SplitReport",
    "Splits",
    "StandardiseSequencesd",
    "Survival",
    "Times",
    "by_column",
    "class_weights",
    "collate",
    "fetch",
    "read_subjects",
    "sample_weights",
    "subjects",
    "versioned",
    "write_card",
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
