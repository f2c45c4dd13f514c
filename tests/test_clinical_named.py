"""Names of columns and tables, and levels, leave with a release: none of them may be somebody's."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Exported

from trialbids.exporter.cli import run_export
from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.trial import load_trial


@pytest.fixture(scope="module")
def copied(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named") / "trial"
    shutil.copytree(exported.made.configuration.parent, folder)
    return folder


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("into: phenotype/pathology", "into: phenotype/Annegret_Gruenwedel", "the name of phenotype table 1"),
        ("orads_score: number", "orads_score: {type: number, as: Gruenwedel}", "the name of column 3"),
        ("orads_score: number", "orads_score: {type: number, as: GruenwedelMarker}", "the name of column 3"),
        ("sex: [F, M]", "sex: [F, Belcourt]", "column sex: one of its levels is somebody's name"),
    ],
)
def test_a_name_is_refused_before_anything_leaves(copied: Path, old: str, new: str, said: str) -> None:
    configuration = copied / "named.yaml"
    text = (copied / "trial.yaml").read_text(encoding="utf-8")
    assert old in text
    configuration.write_text(text.replace(old, new), encoding="utf-8")
    trial = load_trial(configuration)
    before = {path: path.stat().st_mtime_ns for path in trial.output.rglob("*")}
    with pytest.raises(UsageError) as refused:
        run_export(trial, Serial(), json=True)
    assert said in str(refused.value)
    assert new.split()[-1].strip("}]") not in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in trial.output.rglob("*")} == before


def test_half_a_year_of_age_may_leave(copied: Path) -> None:
    table = copied / "clinical.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines]
    place = cells[0].index("age")
    for row in cells[1:]:
        row[place] = "59.5"
    table.write_text("\n".join(",".join(row) for row in cells) + "\n", encoding="utf-8")
    trial = load_trial(copied / "trial.yaml")
    assert run_export(trial, Serial(), json=True) == 0
    assert "59.5" in (trial.output / "participants.tsv").read_text(encoding="utf-8")
