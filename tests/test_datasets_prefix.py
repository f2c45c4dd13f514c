"""The steps before the first random one are done once, and nothing is kept that cannot be told apart."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.data import MetaTensor
from monai.transforms import (
    CastToTyped,
    CenterSpatialCropd,
    Compose,
    CopyItemsd,
    DeleteItemsd,
    FgBgToIndicesd,
    GridPatchd,
    Lambdad,
    NormalizeIntensityd,
    OneOf,
    Orientationd,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandSpatialCropd,
    SaveImaged,
    ScaleIntensityRanged,
    SelectItemsd,
    Spacingd,
    SplitDimd,
)
from treemaker import small_trial

from trialbids.datasets import Categorical, CohortDataset, Database, Q, collate
from trialbids.datasets.errors import QueryError
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.reading.canonical import describe, versioned
from trialbids.datasets.reading.prefix import cut

KEYS = ["t2", "lesion"]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids"))


def cohort_of(db: Database) -> Any:
    return db.cohort(
        images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")}, targets={"score": Categorical("orads_score")},
        missing="drop",
    )  # fmt: skip


def pipeline() -> list[Any]:
    return [
        Orientationd(KEYS, axcodes="RAS", labels=None),
        Spacingd(KEYS, (1.5, 1.5, 3.0), mode=("bilinear", "nearest")),
        NormalizeIntensityd("t2"),
        RandFlipd(KEYS, prob=0.5, spatial_axis=0),
    ]


def test_samples_are_the_same_with_and_without(db: Database, tmp_path: Path) -> None:
    cohort, cache = cohort_of(db), Cache(tmp_path)
    plain = CohortDataset(cohort, pipeline(), seed=3)
    for _ in range(2):
        kept = CohortDataset(cohort, pipeline(), seed=3, cache=cache)
        for index in range(len(cohort)):
            a, b = plain[index], kept[index]
            assert a.keys() == b.keys() and a["score"] == b["score"]
            for key in KEYS:
                assert torch.equal(a[key].as_tensor(), b[key].as_tensor()) and a[key].stride() == b[key].stride()
                assert torch.equal(a[key].affine, b[key].affine) and a[key].dtype == b[key].dtype
                assert a[key].meta.keys() == b[key].meta.keys()
    assert len(list(tmp_path.rglob("*.blob"))) == len(cohort), "one result a sample, and no volumes beside it"


def test_kept_steps_are_not_done_again(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = cohort_of(db)
    CohortDataset(cohort, pipeline(), cache=Cache(tmp_path))[0]
    monkeypatch.setattr(Spacingd, "__call__", lambda *_: pytest.fail("resampled again"))
    assert CohortDataset(cohort, pipeline(), cache=Cache(tmp_path))[0]["t2"].ndim == 4


def test_kept_steps_can_be_undone(db: Database, tmp_path: Path) -> None:
    cohort = cohort_of(db)
    for _ in range(2):
        dataset = CohortDataset(cohort, pipeline(), cache=Cache(tmp_path))
        sample = dataset[0]
        undone = dataset.transform.inverse({"lesion": sample["lesion"], "t2": sample["t2"]})
        assert undone["lesion"].shape == (1, 6, 5, 4)
        assert torch.allclose(undone["t2"].affine, CohortDataset(cohort)[0]["t2"].affine)


def test_what_the_kept_steps_make_is_kept_too(db: Database, tmp_path: Path) -> None:
    cohort = cohort_of(db)
    steps = [
        FgBgToIndicesd("lesion"),
        RandCropByPosNegLabeld(KEYS, "lesion", (3, 3, 2), num_samples=2, fg_indices_key="lesion_fg_indices",
                               bg_indices_key="lesion_bg_indices"),
    ]  # fmt: skip
    plain = CohortDataset(cohort, steps)[1]
    for _ in range(2):
        kept = CohortDataset(cohort, steps, cache=Cache(tmp_path))[1]
        assert all(torch.equal(a["t2"], b["t2"]) for a, b in zip(plain, kept, strict=True))
        assert all(part["score"] == plain[0]["score"] and part["sample_id"] == plain[0]["sample_id"] for part in kept)
    assert collate([kept])["t2"].shape == (2, 1, 3, 3, 2)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([NormalizeIntensityd("t2"), RandFlipd("t2"), NormalizeIntensityd("t2")], 1),
        ([RandFlipd("t2"), NormalizeIntensityd("t2")], 0),
        ([NormalizeIntensityd("t2"), Compose([NormalizeIntensityd("t2"), RandFlipd("t2")])], 2),
        ([NormalizeIntensityd("t2"), OneOf([NormalizeIntensityd("t2")])], 1),
        ([NormalizeIntensityd("t2"), Lambdad("score", torch.as_tensor), NormalizeIntensityd("t2")], 1),
        ([NormalizeIntensityd("t2"), CenterSpatialCropd("t2", 4)], 2),
    ],
)
def test_where_a_pipeline_is_cut(steps: list[Any], expected: int) -> None:
    assert cut(Compose(steps), {"score"}).cut == expected


def test_lazy_steps_are_left_together() -> None:
    steps = [NormalizeIntensityd("t2"), CenterSpatialCropd("t2", 4), Spacingd("t2", (1, 1, 1))]
    assert cut(Compose(steps, lazy=True), ()).cut == 1
    assert cut(Compose(steps, lazy=False), ()).cut == 3
    assert cut(Compose([*steps[:2], Spacingd("t2", (1, 1, 1), lazy=True)], lazy=None), ()).cut == 2


# --- what is written down


def own_function(image: Any) -> Any:
    return image


class OwnTransform:
    def __call__(self, data: Mapping[str, Any]) -> Any:
        return data


@pytest.mark.parametrize(
    "step",
    [
        Lambdad("t2", lambda image: image),
        Lambdad("t2", own_function),
        OwnTransform(),
        Lambdad("t2", functools.partial(own_function)),
        Compose([OwnTransform()], map_items=False),
    ],
    ids=["lambda", "own function", "own class", "partial", "nested"],
)
def test_what_cannot_be_written_down_is_refused_at_once(db: Database, tmp_path: Path, step: Any) -> None:
    cohort = cohort_of(db)
    with pytest.raises(QueryError, match=r"cannot be written down.*versioned\(transform, 'name-v1'\)"):
        CohortDataset(cohort, [step], cache=Cache(tmp_path))
    CohortDataset(cohort, [step])
    CohortDataset(cohort, [RandFlipd("t2"), step], cache=Cache(tmp_path))


def test_a_declared_name_stands_for_what_is_done(db: Database, tmp_path: Path) -> None:
    cohort, cache = cohort_of(db), Cache(tmp_path)

    def made(factor: int, name: str) -> torch.Tensor:
        step = Lambdad("t2", versioned(lambda image: image * factor, name))
        return CohortDataset(cohort, [step], cache=cache)[0]["t2"].as_tensor()

    once = made(1, "times-v1")
    assert torch.equal(made(2, "times-v2"), 2 * once)
    assert torch.equal(made(2, "times-v1"), once), "the name says that it is the same"
    with pytest.raises(QueryError, match="the name is empty"):
        versioned(own_function, " ")


def test_a_declared_name_speaks_of_these_keys_and_attributes_only(db: Database, tmp_path: Path) -> None:
    cohort, cache = cohort_of(db), Cache(tmp_path)

    def made(key: str) -> Any:
        return CohortDataset(cohort, [versioned(Lambdad(key, lambda x: x * 0 + 7), "seven-v1")], cache=cache)[0]

    assert made("t2")["lesion"].max() == 1 and made("lesion")["lesion"].max() == 7
    assert made("lesion")["t2"].max() != 7
    assert describe(versioned(Clamp(1), "clamp-v1")) != describe(versioned(Clamp(2), "clamp-v1"))
    assert describe(versioned(Clamp(2), "clamp-v1")) == describe(versioned(Clamp(2), "clamp-v1"))


class Clamp:
    def __init__(self, top: float) -> None:
        self.top = top
        self.how = lambda image: image.clamp(max=top)

    def __call__(self, data: Mapping[str, Any]) -> Any:
        return {**data, "t2": self.how(data["t2"])}


def test_bfloat16_can_be_kept_and_described(db: Database, tmp_path: Path) -> None:
    steps = [CastToTyped("t2", torch.bfloat16), NormalizeIntensityd("lesion", torch.ones(1).bfloat16())]
    plain = CohortDataset(cohort_of(db), steps[:1])[0]["t2"]
    for _ in range(2):
        kept = CohortDataset(cohort_of(db), steps[:1], cache=Cache(tmp_path))[0]["t2"]
        assert kept.dtype == torch.bfloat16 and torch.equal(kept.as_tensor(), plain.as_tensor())
    assert describe(steps[1]) != describe(NormalizeIntensityd("lesion", torch.ones(1)))


def kept_only_image(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"t2": data["t2"]}


@pytest.mark.parametrize(
    "step",
    [
        SelectItemsd(["t2"]), SelectItemsd(["t2", "sample_id"]), DeleteItemsd(["lesion"]), DeleteItemsd(["score"]),
        DeleteItemsd(["sc[a-z]+"], use_re=True), versioned(kept_only_image, "only-v1"),
        CopyItemsd("t2", names=["other"]),
    ],
    ids=["select", "select an id", "delete", "delete a target", "delete by pattern", "own", "copy"],
)  # fmt: skip
def test_entries_are_the_same_with_and_without(db: Database, tmp_path: Path, step: Any) -> None:
    cohort = cohort_of(db)
    plain = CohortDataset(cohort, [NormalizeIntensityd("t2"), step])[0]
    for _ in range(2):
        kept = CohortDataset(cohort, [NormalizeIntensityd("t2"), step], cache=Cache(tmp_path))[0]
        assert set(kept) == set(plain) and kept.get("score") == plain.get("score")
    assert list(tmp_path.rglob("*.blob"))


def test_what_a_pipeline_saves_is_saved_each_time(db: Database, tmp_path: Path) -> None:
    cohort, out = cohort_of(db), tmp_path / "out"
    for _ in range(2):
        save = SaveImaged("t2", output_dir=out, print_log=False)
        CohortDataset(cohort, [NormalizeIntensityd("t2"), save], cache=Cache(tmp_path / "cache"))[0]
        (written,) = out.rglob("*.nii.gz")
        written.unlink()


ARGUMENTS = st.fixed_dictionaries(
    {"a_min": st.floats(-10, 10), "a_max": st.floats(11, 20), "b_min": st.sampled_from([0, 0.0, None]),
     "b_max": st.sampled_from([1, 1.0, None]), "clip": st.booleans(), "keys": st.sampled_from(["t2", "adc"])}
)  # fmt: skip


@given(ARGUMENTS, ARGUMENTS)
def test_two_transforms_are_described_alike_only_where_they_are(a: dict[str, Any], b: dict[str, Any]) -> None:
    one, two = describe(ScaleIntensityRanged(**a)), describe(ScaleIntensityRanged(**b))
    assert one == describe(ScaleIntensityRanged(**a))
    assert (one == two) == (repr(sorted(a.items())) == repr(sorted(b.items())))


def test_arrays_are_described_by_their_content() -> None:
    def spec(values: list[float]) -> Any:
        return describe(NormalizeIntensityd("t2", subtrahend=np.array(values), divisor=torch.tensor(values)))

    assert spec([1.0, 2.0]) == spec([1.0, 2.0]) != spec([1.0, 2.5])
    assert describe(Lambdad("t2", np.abs)) != describe(Lambdad("t2", np.sign))
    assert describe(Lambdad("t2", torch.Tensor.abs)) == describe(Lambdad("t2", torch.Tensor.abs))


def test_a_sample_that_cannot_be_kept_says_which_type(db: Database, tmp_path: Path) -> None:
    step = Lambdad("t2", versioned(lambda image: {"image": {1, 2}}, "set-v1"))
    with pytest.raises(QueryError, match="puts a set into the sample"):
        CohortDataset(cohort_of(db), [step], cache=Cache(tmp_path))[0]


def test_words_in_an_array_cannot_be_kept(db: Database, tmp_path: Path) -> None:
    step = Lambdad("t2", versioned(lambda image: {"words": np.array(["a"])}, "words-v1"))
    with pytest.raises(QueryError, match="puts a numpy array of <U1 into the sample"):
        CohortDataset(cohort_of(db), [step], cache=Cache(tmp_path))[0]


def test_steps_that_make_several_samples(db: Database, tmp_path: Path) -> None:
    cohort = cohort_of(db)
    steps = [SplitDimd("t2", dim=0), GridPatchd(["t2"], (3, 5, 4)), RandSpatialCropd(["lesion"], (3, 3, 3))]
    plain = CohortDataset(cohort, steps)[0]
    for _ in range(2):
        kept = CohortDataset(cohort, steps, cache=Cache(tmp_path))[0]
        assert kept.keys() == plain.keys() and isinstance(kept["t2"], MetaTensor)
        assert torch.equal(kept["t2"].as_tensor(), plain["t2"].as_tensor())
