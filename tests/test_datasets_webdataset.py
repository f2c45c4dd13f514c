"""Shards that the library of WebDataset reads back: the same parts, values and facts, and the same bytes each time."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from treemaker import small_trial

from trialbids.datasets import Categorical, Cohort, CohortDataset, Database, Q
from trialbids.datasets.errors import ExportError
from trialbids.datasets.exports import webdataset


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    db = Database(small_trial(tmp_path_factory.mktemp("shards") / "bids"), index=None)
    return db.cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE")},
        labels={"lesion": Q(label="lesion", scope="annotations")},
        targets={"orads": Categorical("orads_score")},
        qc=None,
        missing="drop",
    )


def read(paths: list[Path]) -> list[dict[str, Any]]:
    import webdataset as wds

    return list(wds.WebDataset([str(path) for path in paths], shardshuffle=False).decode())


def test_every_sample_is_read_back_with_its_values_and_facts(cohort: Cohort, tmp_path: Path) -> None:
    written = webdataset.write(cohort, None, tmp_path / "out", samples_a_shard=3)
    shards = sorted(tmp_path.glob("out/*.tar"))
    assert [shard.name for shard in shards] == ["unsplit-000000.tar", "unsplit-000001.tar"]
    assert (written.samples, written.files) == (4, 3)
    found = {sample["__key__"]: sample for sample in read(shards)}
    assert sorted(found) == [sample["sample_id"] for sample in cohort]
    for sample, tensors in zip(cohort, CohortDataset(cohort), strict=True):
        got = found[sample["sample_id"]]
        for key in cohort.keys:
            values = np.asarray(nib.Nifti1Image.from_bytes(got[f"{key}.nii.gz"]).dataobj)
            expected = np.moveaxis(tensors[key].numpy(), 0, -1)
            assert np.array_equal(values.reshape(expected.shape), expected)
        facts = got["json"]
        assert facts["orads"] == sample["orads"] and facts["site"] == sample["site"]
        assert facts["dce.times"] == sample["dce.times"] and facts["adc.unit"] == "1e-6 mm2/s"
        assert "adc.factor" not in facts and "t2" not in facts


def test_parts_are_those_of_the_splits(cohort: Cohort, tmp_path: Path) -> None:
    splits = cohort.split(k=2, test=0.25, seed=1)
    webdataset.write(cohort, splits, tmp_path / "out", fold=2)
    train, val, test = splits[1]
    for name, part in (("train", train), ("val", val), ("test", test)):
        assert part is not None
        keys = {sample["__key__"] for sample in read(sorted(tmp_path.glob(f"out/{name}-*.tar")))}
        assert keys == {sample["sample_id"] for sample in part}


def test_the_same_cohort_gives_the_same_bytes_and_another_seed_another_order(cohort: Cohort, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1), ("d", 2), ("e", 3)):
        webdataset.write(cohort, None, tmp_path / name, seed=seed)
    a, b, *others = ((tmp_path / name / "unsplit-000000.tar").read_bytes() for name in "abcde")
    assert a == b and any(other != a for other in others)
    with tarfile.open(tmp_path / "a" / "unsplit-000000.tar") as tar:
        assert {(info.mtime, info.uid, info.gid, info.uname) for info in tar} == {(0, 0, 0, "")}


def test_the_list_of_shards_says_what_they_are_made_of(cohort: Cohort, tmp_path: Path) -> None:
    webdataset.write(cohort, None, tmp_path / "out", samples_a_shard=3)
    told = json.loads((tmp_path / "out" / "shards.json").read_text())
    assert told["shards"] == {"unsplit-000000.tar": 3, "unsplit-000001.tar": 1}
    assert told["cohort"] == cohort.fingerprint


def test_what_was_written_anew_is_counted(cohort: Cohort, tmp_path: Path) -> None:
    notes = webdataset.write(cohort, None, tmp_path / "out").notes
    assert "dce: 4 written anew: several files as one." in notes


def test_several_folds_and_keys_that_fall_together_are_refused(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="2 folds"):
        webdataset.write(cohort, cohort.split(k=2, seed=0), tmp_path / "out")
    with pytest.raises(ExportError, match="at least one sample"):
        webdataset.write(cohort, None, tmp_path / "out", samples_a_shard=0)
    double = Database(cohort.root, index=None).cohort(images={"t2": Q("T2w"), "T2": Q("ADC")}, qc=None, missing="drop")
    with pytest.raises(ExportError, match="lower case"):
        webdataset.write(double, None, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failure_half_way_leaves_nothing(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webdataset, "facts", lambda *_: {"no": object()})
    with pytest.raises(TypeError):
        webdataset.write(cohort, None, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
