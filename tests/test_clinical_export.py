"""Clinical tables in a released tree: valid, typed, moved in time, counted, and gone when the trial drops them."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialbids.datasets import Database
from trialbids.exporter.cli import run_export
from trialbids.exporter.deidentify.anonymity import read_quasi
from trialbids.exporter.demo.generate import make_trial, people_of
from trialbids.exporter.engine import Serial
from trialbids.exporter.release.validate import validate
from trialbids.exporter.trial import Trial, load_trial

LABS = {
    "table": "labs.csv",
    "subject": "pid",
    "date": "drawn",
    "window": 3,
    "into": "phenotype/labs",
    "description": "Blood values near each visit",
    "columns": {
        "crp": {"type": "number", "unit": "mg/L", "missing": ["-99"], "description": "C-reactive protein"},
        "grade": {"levels": {"0": "none at all", "1": "mild, or moderate", "2": "severe"}},
        "drawn": "date",
        "remark": {"type": "text", "allow_text": True},
        "contact": {"type": "text", "allow_text": True},
    },
}


class Made:
    """The demo trial of one patient with a table of blood values, one row three days after each session."""

    def __init__(self, folder: Path) -> None:
        made = make_trial(folder, patients=1)
        self.configuration, self.folder = made.configuration, folder
        values = yaml.safe_load(made.configuration.read_text(encoding="utf-8"))
        visits = {"table": "clinical.csv", "subject": "patient_id", "visit": "visit", "columns": {"age": "integer"}}
        self.values: dict[str, Any] = {**values, "criteria": [], "clinical": [visits, LABS]}

    def export(self, **changes: Any) -> Trial:
        self.configuration.write_text(yaml.safe_dump(self.values | changes, sort_keys=False), encoding="utf-8")
        trial = load_trial(self.configuration)
        assert run_export(trial, Serial(), json=True) == 0
        return trial

    def write_labs(self, patient: str, name: str, days: list[str]) -> None:
        rows = [[patient, d, crp, n % 3, remark, "a@b.org"] for n, (d, crp, remark) in enumerate(
            zip(days, ["3,5", "-99"], ["calm", f"asked for {name}"], strict=False))]  # fmt: skip
        with (self.folder / "labs.csv").open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened, delimiter=";")
            writer.writerows([["pid", "drawn", "crp", "grade", "remark", "contact"], *rows])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened, delimiter="\t"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = Made(tmp_path_factory.mktemp("clinical") / "trial")
    (patient,) = people_of(1)
    days = [f"{visit.day:%d.%m.%Y}" for visit in patient.visits]
    made.write_labs(patient.id, patient.family, days)
    return made


def test_a_table_of_its_own_is_valid_and_says_what_it_is(made: Made) -> None:
    trial = made.export()
    root = trial.output
    assert validate(root).problems == ()
    (entry, *_) = table(root / "phenotype" / "labs_ses-01.tsv")
    assert list(entry) == ["participant_id", "session_id", "crp", "grade", "drawn", "remark"]
    assert (entry["session_id"], entry["crp"], entry["grade"], entry["remark"]) == ("ses-01", "3.5", "0", "calm")
    (session, *_) = table(next(root.glob("sub-*/sub-*_sessions.tsv")))
    assert entry["drawn"] == session["acq_time"][:10], "a day is moved as the session's own"
    assert date.fromisoformat(entry["drawn"]).year <= 1925
    said = json.loads((root / "phenotype" / "labs_ses-01.json").read_bytes())
    assert said["MeasurementToolMetadata"] == {"Description": "Blood values near each visit"}
    described = {"Description": "C-reactive protein", "Format": "number", "Units": "mg/L", "MissingValues": "-99"}
    assert said["crp"] == described and said["grade"]["Levels"]["1"] == "mild, or moderate"
    issues = (trial.work / "issues.tsv").read_text(encoding="utf-8")
    assert "the column contact is refused: its values look like e-mail addresses" in issues
    (second,) = table(root / "phenotype" / "labs_ses-02.tsv")
    assert (second["crp"], second["remark"]) == ("n/a", "n/a") and "a known identifier stands in this text" in issues


def test_the_files_of_a_table_are_one_table_to_the_datasets(made: Made) -> None:
    (labs,) = Database(made.export().output).phenotype
    grades = {session: row["grade"] for (_, session), row in labs.table.rows.items()}
    assert labs.name == "labs" and set(grades) == {"ses-01", "ses-02"} and not labs.repeated


def test_small_groups_are_counted_over_the_new_tables_and_made_larger_in_them(made: Made) -> None:
    trial = made.export(suppress=["grade"], generalise_age=10)
    quasi = read_quasi(trial.output, {})
    assert {"crp (visits)", "grade (visits)"} <= set(quasi.columns)
    (entry, *_) = table(trial.output / "phenotype" / "labs_ses-01.tsv")
    assert entry["grade"] == "n/a" and entry["crp"] == "3.5"
    assert int(table(trial.output / "participants.tsv")[0]["age"]) % 10 == 0


def test_what_the_trial_drops_is_gone_and_the_tree_stays_valid(made: Made) -> None:
    trial = made.export(clinical=[{**LABS, "into": "sessions"}])
    assert not (trial.output / "phenotype").exists()
    row = table(next(trial.output.glob("sub-*/sub-*_sessions.tsv")))[0]
    assert row["crp"] == "3.5" and row["grade"] == "0"
    assert validate(trial.output).problems == ()
