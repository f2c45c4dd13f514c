"""Cohorts: units, conditions, policies, and what fails before training starts."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from treemaker import AFFINE, TreeMaker, small_trial, voxels

from trialbids.datasets import (
    Categorical,
    Cohort,
    CohortError,
    Database,
    Q,
    QueryError,
    Regression,
    Require,
    Times,
)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids"))


def ids(cohort: Cohort) -> list[str]:
    return [sample["participant_id"][-2:] for sample in cohort]


def test_a_session_with_image_map_dynamic_mask_and_targets(db: Database) -> None:
    cohort = db.cohort(
        images={"t2": Q("T2w", plane="sag"), "adc": Q("ADC"), "dce": Q("DCE", phases=Times([0, 60], tolerance=5))},
        labels={"lesion": Q(label="lesion", scope="annotations", reader="consensus")},
        targets={"orads": Categorical("orads_score"), "age": Regression("age")},
        where="site != 'S03' and age >= 18",
        missing="drop",
    )
    assert ids(cohort) == ["01", "02", "06"]
    sample = cohort[0]
    assert sample["sample_id"] == "sub-01_ses-01" and sample["site"] == "S01"
    assert Path(sample["t2"]).is_file() and Path(sample["lesion"]).name.endswith("_mask.nii.gz")
    assert [Path(p).name for p in sample["dce"]] == [
        f"sub-01_ses-01_acq-dceAx_ce-GADOLINIUM_run-{run}_T1w.nii.gz" for run in ("01", "03")
    ]
    assert sample["dce.times"] == [0.0, 62.0]
    assert (sample["age"], sample["orads"], cohort.classes["orads"]) == (31.0, 1, (2, 3, 4))
    assert cohort.keys == ("t2", "adc", "dce", "lesion")


def test_the_report_counts_after_each_condition_by_site(db: Database) -> None:
    cohort = db.cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC")},
        targets={"orads": Categorical("orads_score")},
        where="age > 31",
        missing="drop",
    )
    report = cohort.report()
    assert [(count.left, dict(count.by_site)) for count in report.counts] == [
        (6, {"S01": 3, "S02": 3}),
        (5, {"S01": 2, "S02": 3}),
        (4, {"S01": 2, "S02": 2}),
        (3, {"S01": 1, "S02": 2}),
        (2, {"S01": 1, "S02": 1}),
    ]
    reasons = {dropped.sample_id[4:6]: dropped.reason for dropped in report.dropped}
    assert "QC verdict is warn" in reasons["04"] and reasons["05"] == "orads_score is empty"
    assert "where age > 31" in str(report) and "S02" in str(report)


def test_raise_names_who_lacks_what(db: Database) -> None:
    with pytest.raises(CohortError) as error:
        db.cohort(images={"t2": Q("T2w"), "adc": Q("ADC")}, targets={"orads": Categorical("orads_score")})
    message = str(error.value)
    assert "sub-03 ses-01: adc: no image matches Q('ADC')" in message
    assert (
        "sub-04 ses-01: t2: sub-04/ses-01/anat/sub-04_ses-01_acq-tseSag_T2w.nii.gz: its QC verdict is warn" in message
    )
    assert "sub-05 ses-01: orads: orads_score is empty" in message


def test_qc_levels(db: Database) -> None:
    assert ids(db.cohort(images={"t2": Q("T2w")}, missing="drop")) == ["01", "02", "03", "05", "06"]
    assert len(db.cohort(images={"t2": Q("T2w")}, qc="warn")) == 6


def test_masking_keeps_who_lacks_something_and_says_so(db: Database) -> None:
    cohort = db.cohort(images={"t2": Q("T2w"), "adc": Q("ADC")}, missing="mask", grid="same")
    assert len(cohort) == 6
    assert [sample["present"] for sample in cohort][2:4] == [[True, False], [False, True]]
    assert cohort[2]["adc"] == "" and {frozenset(sample) for sample in cohort} == {frozenset(cohort[0])}
    both = db.cohort(images={"t2": Q("T2w"), "adc": Q("ADC")}, missing=Require("t2", any_of=2), grid="same")
    assert ids(both) == ["01", "02", "05", "06"]
    assert ids(db.cohort(images={"t2": Q("T2w"), "adc": Q("ADC")}, missing=Require("adc"), grid="same")) == [
        "01", "02", "04", "05", "06",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "visit"}, "unit='visit' is not known; legal: 'image', 'session', 'participant', 'lesion'"),
        ({"unit": "lesion"}, "a sample is one mask of the first of labels="),
        ({"missing": "skip"}, "legal: 'raise', 'drop', 'mask'"),
        ({"missing": "mask"}, "need grid='same' or Resample"),
        ({"missing": Require("t1")}, "not among the keys"),
        ({"duplicates": "all"}, "legal: 'raise', 'first', 'last', 'best-qc'"),
        ({"grid": "resample"}, "legal: 'any', 'same'"),
        ({"qc": "fail"}, "legal: 'pass', 'warn', None"),
        ({"images": {}}, "names no image"),
        ({"images": {"site": Q("T2w")}}, "'site' is used twice, reserved"),
        ({"targets": {"t2.unit": Regression("age")}}, "'t2.unit' is used twice, reserved"),
        ({"labels": {"lesion": Q("T2w")}}, "must be a Q with scope 'annotations'"),
        (
            {"targets": {"x": Regression("weight")}},
            "no column 'weight' for a session; there are: acq_time age orads_score",
        ),
        ({"targets": {"x": Regression("site")}}, "holds text such as 'S01'"),
        ({"targets": {"x": Categorical("orads_score", classes=(2, 3))}}, "4 is not one of the classes"),
        ({"where": "weight > 3"}, "no column 'weight'"),
        ({"unit": "participant", "where": "orads_score > 3"}, "no column 'orads_score'"),
    ],
)
def test_what_cannot_be_meant(db: Database, changes: dict, words: str) -> None:
    with pytest.raises(QueryError) as error:
        db.cohort(**{"images": {"t2": Q("T2w")}, "missing": "drop", **changes})
    assert words in str(error.value)


def test_a_sequence_nobody_has(db: Database) -> None:
    with pytest.raises(CohortError, match=r"flair: no image in .* matches Q\('FLAIR'\). There are: DCE \(30\)"):
        db.cohort(images={"flair": Q("FLAIR")}, missing="drop")
    with pytest.raises(CohortError, match=r"mask of lesion \(6\)"):
        db.cohort(images={"t2": Q("T2w")}, labels={"tumour": Q(label="tumour")}, missing="drop")


def test_nobody_is_left(db: Database) -> None:
    with pytest.raises(CohortError, match="No sample is left"):
        db.cohort(images={"t2": Q("T2w")}, where="age > 100", missing="drop")


def two_candidates(root: Path) -> Database:
    tree = TreeMaker(root)
    for session, qc in (("01", "warn"), ("02", "pass"), ("10", "pass")):
        tree.image("01", "T2w", {"sequence": "T2w"}, session=session, qc=qc, acquisition_id="a01")
    tree.image("02", "run-1_T2w", {"sequence": "T2w"}, acquisition_id="a02")
    tree.image("02", "run-2_T2w", {"sequence": "T2w"}, acquisition_id="a10")
    return Database(tree.finish())


def test_duplicates_among_visits_and_runs(tmp_path: Path) -> None:
    db = two_candidates(tmp_path / "bids")
    with pytest.raises(CohortError, match=r"sub-02 ses-01: t2: .*run-1_T2w\.nii\.gz, .*run-2_T2w"):
        db.cohort(images={"t2": Q("T2w")}, qc="warn")

    def chosen(duplicates: str) -> list[str]:
        cohort = db.cohort(unit="participant", images={"t2": Q("T2w")}, duplicates=duplicates, qc="warn")
        return [Path(sample["t2"]).name.split("_", 1)[1].removesuffix("_T2w.nii.gz") for sample in cohort]

    assert chosen("first") == ["ses-01", "ses-01_run-1"]
    assert chosen("last") == ["ses-10", "ses-01_run-2"]
    assert chosen("best-qc") == ["ses-02", "ses-01_run-1"]


def test_unit_image_is_one_acquisition(db: Database, tmp_path: Path) -> None:
    assert len(db.cohort(unit="image", images={"dce": Q("DCE")})) == 6
    cohort = db.cohort(unit="image", images={"image": Q("T2w")}, labels={"lesion": Q(label="lesion")}, missing="drop")
    assert len(cohort) == 5 and cohort[0]["sample_id"] == "sub-01_ses-01_acq-tseSag_T2w"
    assert len(two_candidates(tmp_path / "bids").cohort(unit="image", images={"image": Q("T2w")}, qc="warn")) == 5
    with pytest.raises(QueryError, match="exactly one key"):
        db.cohort(unit="image", images={"a": Q("T2w"), "b": Q("ADC")})


def test_phases_and_bvalues_that_are_not_there(db: Database) -> None:
    with pytest.raises(CohortError, match=r"no phase within 10 s of 200 s, nearest at 124\.5 s"):
        db.cohort(images={"dce": Q("DCE", phases=Times([0, 200], tolerance=10))})
    with pytest.raises(CohortError, match="no volume at b=1400 s/mm², nearest at 800"):
        db.cohort(images={"trace": Q("trace", bvalues=(0, 1400))})
    with pytest.raises(CohortError, match="nearest to two of the times"):
        db.cohort(images={"dce": Q("DCE", phases=Times([0, 5], tolerance=10))})
    assert db.cohort(images={"trace": Q("trace", bvalues=(0, 810))})[0]["trace.bvalues"] == [0.0, 800.0]


def test_bvalues_in_files_of_their_own_are_one_acquisition(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for b in (800, 0):
        tree.image("01", f"acq-b{b}_trace", {"sequence": "trace", "bvalues": (float(b),)}, datatype="dwi")
    (sample,) = Database(tree.finish()).cohort(images={"dwi": Q(family="diffusion")})
    assert sample["dwi.bvalues"] == [0.0, 800.0]
    assert [Path(path).name[14:20] for path in sample["dwi"]] == ["acq-b0", "acq-b8"]


def test_an_adc_of_unknown_scale_is_not_guessed(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.image("01", "ADC", {"sequence": "ADC"}, datatype="dwi")
    db = Database(tree.finish())
    with pytest.raises(CohortError, match="no ADCScale"):
        db.cohort(images={"adc": Q("ADC")})
    assert db.cohort(images={"adc": Q("ADC", units="stored")})[0]["adc.factor"] == 1.0


def test_grids_are_compared_before_training(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for subject, shift in (("01", 0.0), ("02", 3.0)):
        moved = AFFINE.copy()
        moved[0, 3] += shift
        tree.image(subject, "T2w", {"sequence": "T2w"})
        tree.image(subject, "ADC", {"sequence": "ADC"}, datatype="dwi", affine=moved, sidecar={"ADCScale": 1e-6})
    db = Database(tree.finish())
    images = {"t2": Q("T2w"), "adc": Q("ADC")}
    assert len(db.cohort(images=images, grid="any")) == 2
    with pytest.raises(CohortError, match=r"sub-02 ses-01: .*ADC\.nii\.gz") as error:
        db.cohort(images=images, grid="same")
    assert "sub-01" not in str(error.value)


def test_masks_on_another_grid_or_of_another_image(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    t2 = tree.image("01", "T2w", {"sequence": "T2w"})
    tree.image("01", "T1w", {"sequence": "T1w"}, array=voxels((3, 3, 3)))
    tree.mask(t2)
    tree.mask(t2, "cyst", array=np.zeros((6, 5, 9), np.uint8))
    db = Database(tree.finish())
    with pytest.raises(CohortError, match=r"it was drawn on sub-01/ses-01/anat/sub-01_ses-01_T2w\.nii\.gz"):
        db.cohort(images={"t1": Q("T1w")}, labels={"lesion": Q(label="lesion")})
    with pytest.raises(CohortError, match="is on the grid of no image of the sample"):
        db.cohort(images={"t2": Q("T2w")}, labels={"cyst": Q(label="cyst")})


def test_a_tree_without_verdicts_asks_for_none(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.image("01", "T2w", {"sequence": "T2w"}, qc="n/a")
    db = Database(tree.finish())
    with pytest.raises(CohortError, match="ask for qc=None"):
        db.cohort(images={"t2": Q("T2w")})
    assert len(db.cohort(images={"t2": Q("T2w")}, qc=None)) == 1


def test_an_unreadable_image_is_missing_not_a_crash(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    paths = [tree.image(subject, "T2w", {"sequence": "T2w"}) for subject in ("01", "02")]
    root = tree.finish(manifest=False)
    paths[1].write_bytes(b"broken")
    with pytest.raises(CohortError, match=r"sub-02 ses-01: t2: .*its header cannot be read"):
        Database(root).cohort(images={"t2": Q("T2w")})


def test_a_cohort_is_an_immutable_sequence(db: Database) -> None:
    cohort = db.cohort(images={"t2": Q("T2w"), "dce": Q("DCE")}, qc="warn")
    cohort[0]["dce"].clear()
    assert len(cohort[0]["dce"]) == 5
    with pytest.raises(TypeError):
        cohort[0] = {}  # type: ignore[index]
    assert isinstance(cohort[1:3], Cohort) and ids(cohort[1:3]) == ["02", "03"]
    assert ids(cohort[[5, 0]]) == ["06", "01"] == ids(cohort[np.array([5, 0])])
    for mask in ([True] * 6, np.array([True] * 6), True):
        with pytest.raises(QueryError, match=r"position; of a mask take the positions, as numpy.flatnonzero"):
            cohort[mask]
    assert cohort[-1]["sample_id"] == cohort[np.int64(5)]["sample_id"]
    with pytest.raises(IndexError):
        cohort[6]
    assert cohort[0] in cohort and len(list(reversed(cohort))) == 6


def test_codes_of_sites_are_text_also_where_they_are_numbers(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for subject, site in (("01", "7"), ("02", "12")):
        tree.participant(subject, site=site)
        tree.image(subject, "T2w", {"sequence": "T2w"})
    db = Database(tree.finish())
    assert ids(db.cohort(images={"t2": Q("T2w")}, where="site != '7'")) == ["02"]
    with pytest.raises(QueryError, match="compares text with a number"):
        db.cohort(images={"t2": Q("T2w")}, where="site != 7")


def test_pickle_and_fingerprint(db: Database, tmp_path: Path) -> None:
    make = lambda base: base.cohort(images={"t2": Q("T2w")}, qc="warn")  # noqa: E731
    cohort = make(db)
    again = pickle.loads(pickle.dumps(cohort))
    assert list(again) == list(cohort) and again.fingerprint == cohort.fingerprint
    assert len(pickle.dumps(cohort)) < 10_000
    shutil.copytree(db.root, tmp_path / "moved")
    assert make(Database(tmp_path / "moved")).fingerprint == cohort.fingerprint
    assert cohort[:3].fingerprint != cohort.fingerprint
    assert db.cohort(images={"t2": Q("T2w", plane="sag")}, qc="warn").fingerprint != cohort.fingerprint


def test_the_fingerprint_follows_the_voxels(tmp_path: Path) -> None:
    prints = []
    for seed in (1, 2):
        tree = TreeMaker(tmp_path / str(seed))
        tree.image("01", "T2w", {"sequence": "T2w"}, array=voxels((6, 5, 4), seed))
        prints.append(Database(tree.finish()).cohort(images={"t2": Q("T2w")}).fingerprint)
    assert prints[0] != prints[1]
