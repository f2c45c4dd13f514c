"""Work folders that a plan has left behind: key, ledger and linkage of a few patients, without any pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_plan_visits import one, trial

from trialbids.exporter.deidentify.key import load_or_make_key
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.inventory import store, table
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.store import Remembered
from trialbids.exporter.pipeline import LEDGER_FILE
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import Visits, find_visits
from trialbids.exporter.release.linkage import write_linkage

ROWS = (
    one(1, PatientID="A 1", study="1.2.1", StudyDate="20200101", InstitutionName="North Høspital"),
    one(2, PatientID="A 1", study="1.2.2", StudyDate="20200401", InstitutionName="North Høspital"),
    one(3, PatientID="B-2", study="1.2.3", StudyDate="20200301", InstitutionName="North Høspital"),
    one(4, PatientID="", study="1.2.4", StudyDate="20200301"),
)


def planned(folder: Path, rows: tuple[Instance, ...] = ROWS, **rules: Any) -> tuple[Path, Visits, Pseudonyms]:
    """What a run leaves in the work folder below ``folder``; again for the next run of the same folder."""
    found = trial(folder, **rules)
    found.work.mkdir(exist_ok=True)
    (found.work / ".lock").touch()
    names = load_or_make_key(found.work, found.key)
    ledger = Ledger.read(found.work / LEDGER_FILE)
    visits = find_visits(rows, found, names, ledger)
    ledger.write(found.work / LEDGER_FILE)
    write_linkage(found.work, visits, names)
    store.save(found.work / "inventory", Remembered(table.to_table(Instance, rows), (), ()))
    return found.work, visits, names
