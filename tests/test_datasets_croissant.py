"""A Croissant description that its own library validates and reads: tables, types, checksums, and what nobody said."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from treemaker import TreeMaker, small_trial, write_json

from trialbids.datasets import Categorical, Cohort, Database, Q
from trialbids.datasets.exports import croissant
from trialbids.datasets.exports.croissant import Told


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    db = Database(small_trial(tmp_path_factory.mktemp("croissant") / "bids"), index=None)
    return db.cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE")},
        labels={"lesion": Q(label="lesion", scope="annotations")},
        targets={"orads": Categorical("orads_score")},
        qc=None,
        missing="drop",
    )


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """The records of a set as the library reads them, by the names of the columns."""
    import mlcroissant as mlc

    found = mlc.Dataset(jsonld=str(folder / "croissant.json")).records(name)
    return [{k.partition("/")[2]: v.decode() if isinstance(v, bytes) else v for k, v in row.items()} for row in found]


def test_the_samples_are_read_back_with_their_values_and_files(cohort: Cohort, tmp_path: Path) -> None:
    written = croissant.write(cohort, None, tmp_path / "out")
    rows = records(tmp_path / "out", "samples")
    assert written.samples == len(rows) == 4
    for row, sample in zip(rows, cohort, strict=True):
        assert (row["sample_id"], row["site"]) == (sample["sample_id"], sample["site"])
        assert row["orads"] == sample["orads"] and isinstance(row["orads"], int)
        assert (tmp_path / "out" / row["t2"]).resolve() == Path(sample["t2"])
        assert list(row["dce.times"]) == sample["dce.times"]


def test_the_splits_and_files_are_record_sets_too(cohort: Cohort, tmp_path: Path) -> None:
    splits = cohort.split(k=2, seed=0)
    croissant.write(cohort, splits, tmp_path / "out", checksums=True)
    rows = records(tmp_path / "out", "splits")
    for name, (train, val, _) in zip(("fold1", "fold2"), splits, strict=True):
        for part, members in (("train", train), ("val", val)):
            found = {row["sample_id"] for row in rows if (row["fold"], row["part"]) == (name, part)}
            assert found == {sample["sample_id"] for sample in members}
    for row in records(tmp_path / "out", "files"):
        data = (tmp_path / "out" / row["path"]).read_bytes()
        assert (row["bytes"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_what_the_tree_says_of_itself_is_in_the_description_and_the_rest_is_noted(
    cohort: Cohort, tmp_path: Path
) -> None:
    assert "licence" in croissant.write(cohort, None, tmp_path / "bare").notes[0]
    root = small_trial(tmp_path / "bids")
    said = {
        "Name": "small",
        "BIDSVersion": "1.11.1",
        "License": "CC0",
        "Authors": ["A. Author"],
        "DatasetDOI": "10.1/x",
    }
    write_json(root / "dataset_description.json", said)
    (root / "CHANGES").write_text("1.0.3 2026-05-04\n  - 6 sessions added\n")
    other = Database(root, index=None).cohort(images={"t2": Q("T2w")}, qc=None)
    notes = croissant.write(other, None, tmp_path / "out", told=Told(cite_as="A. Author, 2026")).notes
    body = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert (body["name"], body["license"], body["version"]) == ("small", "CC0", "1.0.3")
    assert body["datePublished"].startswith("2026-05-04") and body["creator"]["name"] == "A. Author"
    assert body["url"] == "https://doi.org/10.1/x" and body["citeAs"] == "A. Author, 2026"
    assert notes == ()


def test_the_library_finds_no_error_and_the_same_cohort_gives_the_same_description(
    cohort: Cohort, tmp_path: Path
) -> None:
    import mlcroissant as mlc

    for name in "ab":
        croissant.write(cohort, None, tmp_path / name)
    a, b = ((tmp_path / name / "croissant.json").read_text() for name in "ab")
    assert a == b
    assert not mlc.Dataset(jsonld=str(tmp_path / "a" / "croissant.json")).metadata.ctx.issues.errors
    assert str(tmp_path) not in a


def test_sidecar_fields_are_columns_of_their_own(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for n, coil in enumerate(["Body", 7, None]):
        fields = {"Manufacturer": "GE", "MagneticFieldStrength": 1.5 + n, "ImageType": ["A", "B"], "Coil": coil}
        tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, sidecar={k: v for k, v in fields.items() if v is not None})
    wanted = ("Manufacturer", "MagneticFieldStrength", "ImageType", "Coil")
    cohort = Database(tree.finish(), index=None).cohort(images={"t2": Q("T2w")}, fields=wanted)
    croissant.write(cohort, None, tmp_path / "out")
    rows = records(tmp_path / "out", "samples")
    assert [row["t2.fields.Manufacturer"] for row in rows] == ["GE"] * 3
    assert [row["t2.fields.MagneticFieldStrength"] for row in rows] == [1.5, 2.5, 3.5]
    assert [row["t2.fields.Coil"] for row in rows][:2] == ['"Body"', "7"]  # of two kinds, so as JSON
    assert [list(row["t2.fields.ImageType"]) for row in rows] == [[b"A", b"B"]] * 3
