"""Sidecar fields and verdicts that travel with a sample, and PET in standardised uptake values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from treemaker import TreeMaker

from trialbids.datasets import CohortError, Database, Q, QueryError
from trialbids.datasets.cohorts.uptake import NoUptake, suv_factor

DOSE: dict[str, Any] = {
    "Units": "Bq/mL", "InjectedRadioactivity": 250.0, "InjectedRadioactivityUnits": "MBq", "InjectionStart": 0,
    "ImageDecayCorrected": True, "ImageDecayCorrectionTime": 0, "TracerRadionuclide": "F18",
}  # fmt: skip


def test_fields_and_verdicts_stand_beside_their_image(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.image("01", "T2w", {"sequence": "T2w"}, qc="warn", sidecar={"EchoTime": 0.1, "ImageType": ["ORIGINAL", "M"]})
    tree.image("02", "T2w", {"sequence": "T2w"}, sidecar={"EchoTime": 0.2})
    db = Database(tree.finish())
    one, two = db.cohort(images={"t2": Q("T2w")}, qc="warn", fields=("EchoTime", "ImageType"))
    assert one["t2.fields"] == {"EchoTime": 0.1, "ImageType": ["ORIGINAL", "M"]} and one["t2.qc"] == "warn"
    assert two["t2.fields"] == {"EchoTime": 0.2} and two["t2.qc"] == "pass"
    assert "t2.fields" not in db.cohort(images={"t2": Q("T2w")}, qc="warn")[0]
    with pytest.raises(CohortError, match=r"no image of the cohort has 'EchoTim' .*did you mean 'EchoTime'"):
        db.cohort(images={"t2": Q("T2w")}, qc="warn", fields="EchoTim")
    with pytest.raises(QueryError, match="'t2_fields' begins with 't2_', and MONAI's transforms"):
        db.cohort(images={"t2": Q("T2w"), "t2_fields": Q("T2w")}, qc="warn")


def pet(root: Path, weight: object, **changes: Any) -> Database:
    tree = TreeMaker(root)
    tree.visit("01", weight=weight)
    tree.image("01", "pet", {"sequence": "PET"}, datatype="pet", sidecar={**DOSE, **changes})
    tree.image("01", "T2w", {"sequence": "T2w"})
    return Database(tree.finish())


def test_pet_as_uptake(tmp_path: Path) -> None:
    db = pet(tmp_path / "bids", 80)
    (sample,) = db.cohort(images={"pet": Q("PET", units="SUV")})
    assert sample["pet.unit"] == "SUV" and sample["pet.factor"] == pytest.approx(80_000 / 250e6)
    (stored,) = db.cohort(images={"pet": Q("PET")})
    assert (stored["pet.unit"], stored["pet.factor"]) == ("Bq/mL", 1.0)
    with pytest.raises(CohortError, match="units='SUV' was asked of T2w, which is not PET"):
        db.cohort(images={"t2": Q("T2w", units="SUV")})


@pytest.mark.parametrize(
    ("weight", "changes", "words"),
    [
        (None, {}, r"the column `weight` \(kg\) has no value"),
        (80, {"InjectedRadioactivity": None}, "InjectedRadioactivity is not given in its sidecar"),
        (80, {"InjectedRadioactivity": 0}, "a dose is more than nothing"),
        (80, {"Units": "arbitrary"}, "Units is arbitrary in its sidecar; known: Bq/mL"),
        (80, {"ImageDecayCorrected": False}, "ImageDecayCorrected is not true"),
        (80, {"InjectionStart": -60, "TracerRadionuclide": "X1"}, "TracerRadionuclide is X1"),
    ],
)
def test_an_uptake_is_not_guessed(tmp_path: Path, weight: object, changes: dict[str, Any], words: str) -> None:
    db = pet(tmp_path / "bids", weight, **changes)
    with pytest.raises(CohortError, match=words) as error:
        db.cohort(images={"pet": Q("PET", units="SUV")})
    assert "sub-01 ses-01: pet: sub-01/ses-01/pet/sub-01_ses-01_pet.nii.gz" in str(error.value)


def test_a_dose_decays_until_the_time_of_the_correction() -> None:
    late = {**DOSE, "ImageDecayCorrectionTime": 6586.2}
    assert suv_factor(late, 70.0) == pytest.approx(2 * suv_factor(DOSE, 70.0))
    assert suv_factor({**late, "TracerRadionuclide": "18F"}, 70.0) == suv_factor(late, 70.0)
    with pytest.raises(NoUptake):
        suv_factor(DOSE, 0.0)
