"""Real headers against the hand-made truth, and the law of stacking on every real folder."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from trialbids.exporter.engine import Serial
from trialbids.exporter.harmonise import Harmonised, harmonise
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.objects import pixel_digest
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.progress import Silent
from trialbids.exporter.stacks import Stacking, stack_instances
from trialbids.mappings.rules import load_rules
from trialbids.mappings.vocabulary import vocabulary

SPARSE = {"echo_index", "flip_index", "phase_index", "phase_time_s", "phase_time_source", "bvalues"}


@pytest.fixture(scope="module")
def inventory(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Instance, ...]]:
    """The instances of each folder."""
    folders = sorted(p for p in (real_data / "dicom").iterdir() if p.is_dir())
    return {
        f.name: scan([f], tmp_path_factory.mktemp("store"), engine=Serial(), progress=Silent()).instances
        for f in folders
    }


def harmonised(instances: tuple[Instance, ...]) -> tuple[Stacking, list[Harmonised]]:
    stacking = stack_instances(instances, pixel_digest)
    return stacking, harmonise(stacking.stacks, load_rules())


def accepted(name: str, truth: str, cell: str) -> bool:
    """Whether a cell is among the accepted answers."""
    answers = truth.split("|")
    if "*" in answers or (truth == "" and name not in SPARSE):
        return True
    if name == "phase_time_s" and truth:
        return any(abs(float(cell) - float(a)) <= max(1.0, 0.02 * float(a)) for a in answers)
    if name == "bvalues":
        return any({float(b) for b in a.split()} == {float(b) for b in cell.split()} for a in answers)
    return cell in ["" if a == "-" else a for a in answers]


@pytest.mark.parametrize("source", ["picai_prep", "dcm_qa_nih"])
def test_every_record_is_the_expected_one(source: str, inventory: dict, real_data: Path) -> None:
    with (real_data / "expected_series.csv").open(newline="", encoding="utf-8") as file:
        truth = [r for r in csv.DictReader(file) if r["source"] == source]
    _, done = harmonised(inventory[source])
    by_series = {uid: h for h in done for uid in h.stack.series_uids}
    assert len(by_series) == sum(len(h.stack.series_uids) for h in done), "one stack a series"
    wrong = []
    scans: dict[str, set[str]] = {}
    for row in truth:
        h = by_series[row["series_uid"]]
        cells = h.record.to_row()
        if row["acquisition"]:
            scans.setdefault(row["acquisition"], set()).add(h.stack.acquisition_id)
        wrong += [
            (row["path_prefix"], name, row[name], cells[name])
            for name in vocabulary()
            if name in row and row["decision"] != "exclude" and not accepted(name, row[name], cells[name])
        ]
    assert not wrong
    assert all(len(ids) == 1 for ids in scans.values())
    assert len(set.union(set(), *scans.values())) == len(scans)


def test_every_real_instance_is_in_one_stack_or_set_aside(inventory: dict) -> None:
    everything = tuple(i for part in inventory.values() for i in part)
    for rows in (*inventory.values(), everything):
        stacking, _ = harmonised(rows)
        out = [i.key for s in stacking.stacks for i in s.instances] + [a.instance.key for a in stacking.set_aside]
        assert Counter(out) == Counter(i.key for i in rows)


def test_the_twin_with_a_slice_lost_is_a_copy_beside_its_twin_and_a_gap_alone(inventory: dict) -> None:
    rows = inventory["picai_prep"]
    stacking, _ = harmonised(rows)
    assert Counter(a.reason for a in stacking.set_aside) == {"duplicate": 18}
    alone = tuple(i for i in rows if "missing-slice" in i.path)
    (stack,) = harmonised(alone)[0].stacks
    assert (stack.n_slices, len(stack.instances)) == (18, 18)


def test_one_series_under_three_studies_is_doubted_and_not_merged(inventory: dict) -> None:
    stacking, _ = harmonised(inventory["rt-utils"])
    assert [len(s.instances) for s in stacking.stacks if s.doubt == "series-in-two-studies"] == [1, 1, 1]
