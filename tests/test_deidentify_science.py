"""Nothing of science is lost: a trial full of identifying text becomes the same tree as the trial without it."""

from __future__ import annotations

import json
import re
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import Exported
from planting import Planted, plant_below
from test_export_tree import contents, rows

from trialbids.exporter.cli import run_export
from trialbids.exporter.engine import Processes
from trialbids.exporter.trial import Trial, load_trial


@pytest.fixture(scope="module")
def talkative(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trial, Planted]:
    """The demo trial under the same key, with identifying text wherever DICOM has room for it."""
    folder = tmp_path_factory.mktemp("talkative")
    original = exported.made.configuration.parent
    for name in ("incoming", "annotations"):
        shutil.copytree(original / name, folder / name)
    for path in original.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    (folder / "work").mkdir(mode=0o700)
    shutil.copy(exported.trial.work / "secret.key", folder / "work")
    planted = plant_below(folder / "incoming", only_text=True)
    trial = load_trial(folder / exported.made.configuration.name)
    with Processes(2) as engine:
        assert run_export(trial, engine, json=True) == 0
    return trial, planted


READER = re.compile(r"desc-R\d+|(?<=\"Reader\": \")R\d+")


def released(root: Path, *suffixes: str) -> dict[str, list[str]]:
    """Digests of files by name. Readers are told apart by their names, which other text replaces, so that their codes
    are not compared.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for name, digest in contents(root).items():
        if not name.startswith(("sub-", "deriv")) or not name.endswith(suffixes):
            continue
        if name.startswith("deriv") and name.endswith(".json"):
            digest = READER.sub("R", (root / name).read_text(encoding="utf-8"))
        found[READER.sub("R", name)].append(digest)
    return {name: sorted(digests) for name, digests in found.items()}


def test_the_text_was_there(talkative: tuple[Trial, Planted]) -> None:
    assert len({c.value for c in talkative[1].canaries}) >= 5000


@pytest.mark.parametrize("suffix", [".nii.gz", ".bval", ".bvec", "_scans.tsv", "_sessions.tsv", "_qc.json", ".json"])
def test_images_gradients_records_and_times_are_the_same_bytes(
    exported: Exported, talkative: tuple[Trial, Planted], suffix: str
) -> None:
    plain, full = released(exported.trial.output, suffix), released(talkative[0].output, suffix)
    assert suffix in (".bval", ".bvec") or plain
    assert {n for n in plain.keys() | full.keys() if plain.get(n) != full.get(n)} == set()


def test_the_manifest_and_the_participants_are_the_same(exported: Exported, talkative: tuple[Trial, Planted]) -> None:
    one, other = exported.trial.output, talkative[0].output
    for name in ("participants.tsv", "participants.json", "sessions.json", "scans.json", ".bidsignore"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert pq.read_table(one / "curation" / "manifest.parquet") == pq.read_table(
        other / "curation" / "manifest.parquet"
    )


def test_every_decision_of_the_plan_is_the_same(exported: Exported, talkative: tuple[Trial, Planted]) -> None:
    def decisions(trial: Trial) -> set[tuple[str, ...]]:
        columns = (
            "stack_id",
            "series_uid",
            "n_instances",
            "decision",
            "reason",
            "bids_path",
            "final_decision",
            "bvalues",
        )
        return {tuple(r[c] for c in columns) for r in rows(trial.work / "plan.tsv")}

    assert decisions(exported.trial) == decisions(talkative[0])


def test_what_science_needs_is_there_at_all(talkative: tuple[Trial, Planted]) -> None:
    """Equal trees could be equally empty."""
    root = talkative[0].output
    sidecars = [json.loads(p.read_bytes()) for p in root.glob("sub-*/ses-*/*/*_*.json") if not p.stem.endswith("_qc")]
    traces = [s["Harmonised"]["bvalues"] for s in sidecars if s["Harmonised"]["sequence"] == "trace"]
    assert traces and all(len(b) >= 2 and b == sorted(b) and b[-1] >= 800 for b in traces)
    phases = [s["Harmonised"] for s in sidecars if s["Harmonised"]["sequence"] == "DCE"]
    times = sorted({p["phase_time_s"] for p in phases})
    assert len(phases) >= 10 and times[0] == 0 and np.all(np.diff(times) > 0)
    assert all(s["EchoTime"] > 0 and s["RepetitionTime"] > 0 and s["MagneticFieldStrength"] > 0 for s in sidecars)
    assert {"SequenceName", "SoftwareVersions", "ManufacturersModelName"} <= set().union(*sidecars)
