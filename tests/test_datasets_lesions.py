"""One sample a lesion: its own mask, the images of its session, what its reader says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from treemaker import TreeMaker

from trialbids.datasets import Categorical, CohortDataset, CohortError, Database, Q, QueryError, Regression

LESION = Q(label="lesion", reader="R1")


def lesion(tree: TreeMaker, image: Path, number: int, reader: str = "R1", **said: int) -> None:
    """One lesion of one reader: one more voxel than its number."""
    array = np.zeros((6, 5, 4), np.uint8)
    array[: number + 1, 0, 0] = 1
    path = tree.mask(image, f"lesion{number}", reader, array=array)
    sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
    meta: dict[str, Any] = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**meta, "Label": "lesion", "Lesion": number, "Characteristics": said}))


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """01: two lesions of R1, one of R2. 02: one on T2, one on ADC. 03: none."""
    tree = TreeMaker(tmp_path_factory.mktemp("lesions") / "bids")
    for label, age in (("01", 40), ("02", 50), ("03", 60)):
        tree.participant(label, age=age)
    images = {label: tree.image(label, "T2w", {"sequence": "T2w"}) for label in ("01", "02", "03")}
    adc = tree.image("02", "ADC", {"sequence": "ADC"}, datatype="dwi", sidecar={"ADCScale": 1e-6})
    lesion(tree, images["01"], 1, malignancy=4)
    lesion(tree, images["01"], 2, malignancy=2)
    lesion(tree, images["01"], 1, "R2", malignancy=5)
    lesion(tree, images["02"], 1, malignancy=3)
    lesion(tree, adc, 1)
    tree.mask(images["01"], "prostate", "R1")
    return Database(tree.finish())


def test_one_sample_a_lesion_with_its_own_mask(db: Database) -> None:
    cohort = db.cohort(
        unit="lesion",
        images={"t2": Q("T2w")},
        labels={"lesion": LESION},
        targets={"malignancy": Categorical("malignancy"), "age": Regression("age")},
    )
    assert [sample["sample_id"] for sample in cohort] == [
        "sub-01_ses-01_label-lesion1_desc-R1_mask",
        "sub-01_ses-01_label-lesion2_desc-R1_mask",
        "sub-02_ses-01_label-lesion1_desc-R1_mask",
    ]
    assert cohort[0]["t2"] == cohort[1]["t2"] and cohort[0]["lesion"] != cohort[1]["lesion"]
    assert cohort.column("malignancy") == (4, 2, 3) and cohort.column("age") == (40, 40, 50)
    assert cohort.column("lesion__number") == (1, 2, 1) and set(cohort.column("reader")) == {"R1"}
    loaded = CohortDataset(cohort)
    assert [int(loaded[n]["lesion"].sum()) for n in range(3)] == [2, 3, 2]


def test_a_lesion_drawn_on_another_image_is_left_out_and_listed(db: Database) -> None:
    report = db.cohort(unit="lesion", images={"t2": Q("T2w")}, labels={"lesion": LESION}).report()
    (dropped,) = report.dropped
    assert dropped.condition == "lesion: drawn on an image of the sample" and "ADC.nii.gz" in dropped.reason


def test_two_readers_are_two_drawings_of_the_same_lesions(db: Database) -> None:
    ask: dict[str, Any] = {"unit": "lesion", "images": {"t2": Q("T2w")}, "labels": {"lesion": Q(label="lesion")}}
    with pytest.raises(CohortError, match=r"sub-01 ses-01 .*label-lesion1_desc-R1_mask.nii.gz, .*desc-R2_mask"):
        db.cohort(**ask)
    first, last = (db.cohort(**ask, duplicates=choice) for choice in ("first", "last"))
    assert first.column("reader") == ("R1", "R1", "R1") and last.column("reader") == ("R2", "R1")
    assert "lesion: one drawing a session" in str(first.report())


def test_conditions_on_a_lesion_and_other_labels_of_its_session(db: Database) -> None:
    ask: dict[str, Any] = {"unit": "lesion", "images": {"t2": Q("T2w")}, "where": "malignancy >= 3 and age < 60"}
    assert len(db.cohort(**ask, labels={"lesion": LESION})) == 2
    both = db.cohort(**ask, labels={"lesion": LESION, "gland": Q(label="prostate")}, missing="drop")
    assert both.column("participant_id") == ("sub-01",)
    assert Path(both[0]["gland"]).name == "sub-01_ses-01_label-prostate_desc-R1_mask.nii.gz"


def test_what_a_lesion_cannot_be(db: Database) -> None:
    with pytest.raises(QueryError, match="one mask of the first of labels="):
        db.cohort(unit="lesion", images={"t2": Q("T2w")})
    with pytest.raises(QueryError, match=r"no column 'malignanc' for a lesion.*did you mean 'malignancy'"):
        db.cohort(
            unit="lesion",
            images={"t2": Q("T2w")},
            labels={"lesion": LESION},
            targets={"x": Regression("malignanc")},
        )
    with pytest.raises(CohortError, match=r"lesion: no image in .* matches Q\(label='polyp'\)"):
        db.cohort(unit="lesion", images={"t2": Q("T2w")}, labels={"lesion": Q(label="polyp")})


def test_a_name_that_a_table_uses_too_asks_for_the_lesions_own(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.participant("01", malignancy=1)
    lesion(tree, tree.image("01", "T2w", {"sequence": "T2w"}), 1, malignancy=5)
    db = Database(tree.finish())
    ask: dict[str, Any] = {"unit": "lesion", "images": {"t2": Q("T2w")}, "labels": {"lesion": LESION}}
    with pytest.raises(QueryError, match="ask for lesion__malignancy"):
        db.cohort(**ask, where="malignancy > 1")
    cohort = db.cohort(**ask, where="lesion__malignancy > 1")
    assert len(cohort) == 1 and cohort.column("lesion__malignancy") == (5,)
    with pytest.raises(QueryError, match="ask for lesion__malignancy"):
        cohort.column("malignancy")


def test_a_label_nobody_has_suggests_one_that_is_there(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.mask(tree.image("01", "T2w", {"sequence": "T2w"}), reader="R1")
    db = Database(tree.finish(), index=None)
    with pytest.raises(CohortError, match=r"Q\(label='lesoin'\) \(did you mean 'lesion'\?\)\. There are"):
        db.cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesoin")})
    with pytest.raises(CohortError, match=r"did you mean 'R1'\?"):
        db.cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion", reader="R11")})


@pytest.mark.parametrize("consensus", [True, False])
def test_several_readers_name_their_consensus(tmp_path: Path, consensus: bool) -> None:
    tree = TreeMaker(tmp_path / "bids")
    image = tree.image("01", "T2w", {"sequence": "T2w"})
    for reader in ("R1", "R2", *["consensus"] * consensus):
        tree.mask(image, reader=reader)
    with pytest.raises(CohortError, match="More than one acquisition answers") as error:
        Database(tree.finish(), index=None).cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")})
    assert ("lesion: reader='consensus' takes what they agree on" in str(error.value)) is consensus
