"""The real DICOM of ``expected_series.csv``: planned as a user would, folder by folder and all at once."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from damage import Runner
from judging import Cell
from labelled_sets import RealSet, judge_plan, read_rows

from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.engine import Serial
from trialbids.exporter.harmonise.decide import Judge
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.pipeline import plan_trial
from trialbids.exporter.progress import Silent
from trialbids.exporter.trial import trial_for


@dataclass(frozen=True)
class RealData:
    """Plans of the real folders with their truth. Rows are those of ``plan.tsv``."""

    scoring: ModuleType
    truth: list[dict[str, str]]
    instances: tuple[Instance, ...]
    by_folder: list[dict[str, str]]
    at_once: list[dict[str, str]]
    judge: Judge

    def score(self, plan: Sequence[dict[str, str]]) -> dict[str, Any]:
        """The result of ``score_series.score``."""
        return self.scoring.score(plan, self.truth)

    def cells(self, plan: Sequence[dict[str, str]]) -> list[Cell]:
        """Every judged cell of a plan."""
        study = {i.SeriesInstanceUID: i.StudyInstanceUID for i in self.instances}
        return judge_plan(plan, self.truth, self.scoring, study)

    @cached_property
    def runner(self) -> Runner:
        """The MR among the data as a set whose headers can be damaged."""
        mr = tuple(i for i in self.instances if i.Modality == "MR")
        return Runner(RealSet("real MR", mr, self.truth, self.scoring), self.judge)


def find_real(data: Path, judge: Judge) -> RealData | None:
    """The real data in a folder, planned; None where they or the scoring are not there."""
    tool = data.parent / "tools" / "score_series.py"
    if not ((data / "dicom").is_dir() and (data / "expected_series.csv").is_file() and tool.is_file()):
        return None
    folders = sorted(p for p in (data / "dicom").iterdir() if p.is_dir())
    by_folder = [row for folder in folders for row in plan_of(folder)[1]]
    instances, at_once = plan_of(data / "dicom")
    truth = read_rows(data / "expected_series.csv")
    return RealData(load_module(tool), truth, instances, by_folder, at_once, judge)


def plan_of(source: Path) -> tuple[tuple[Instance, ...], list[dict[str, str]]]:
    """The instances of a folder and the rows of its plan, made in a temporary work folder."""
    with tempfile.TemporaryDirectory() as place:
        trial = trial_for(source, Path(place) / "out")
        trial.work.mkdir()
        inventory = scan(trial.sources, trial.work / "inventory", engine=Serial(), progress=Silent())
        planned = plan_trial(trial, inventory, Pseudonyms(bytes(32)), Silent()).planned
    return inventory.instances, [p.row.to_row() for p in planned]


def load_module(path: Path) -> ModuleType:
    """A module by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
