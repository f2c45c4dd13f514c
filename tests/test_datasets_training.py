"""From a cohort to batches: tensors, units, masking, collating, randomness, MONAI's own classes."""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor, decollate_batch
from monai.transforms import (
    Compose,
    LoadImaged,
    RandCropByPosNegLabeld,
    RandFlipd,
    RandGaussianNoised,
    RandLambdad,
    RandSpatialCropd,
)
from treemaker import AFFINE, TreeMaker, small_trial, voxels, write_nifti

from trialbids.datasets import CohortDataset, Database, LoadSequencesd, NiftiReader, Q, ReadError, Times, collate
from trialbids.datasets.errors import CollateError, QueryError


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids"))


def values(path: str) -> np.ndarray:
    return np.asanyarray(nib.load(path).dataobj)


def test_shapes_values_and_units_of_a_sample(db: Database) -> None:
    cohort = db.cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE", phases=Times([0, 60, 120])),
                "trace": Q("trace", bvalues=(0, 800))},
        labels={"lesion": Q(label="lesion")},
        missing="drop",
    )  # fmt: skip
    dataset = CohortDataset(cohort)
    assert isinstance(dataset, Dataset) and len(dataset) == 4
    row, sample = cohort[1], dataset[1]
    assert all(type(sample[key]) is MetaTensor for key in cohort.keys)
    assert {key: tuple(sample[key].shape) for key in cohort.keys} == {
        "t2": (1, 6, 5, 4), "adc": (1, 6, 5, 4), "dce": (3, 6, 5, 4), "trace": (2, 6, 5, 4), "lesion": (1, 6, 5, 4),
    }  # fmt: skip
    assert torch.equal(sample["t2"][0].as_tensor(), torch.from_numpy(values(row["t2"])))
    assert sample["t2"].dtype == torch.int16 and sample["lesion"].dtype == torch.uint8
    for channel, path in enumerate(row["dce"]):
        assert np.array_equal(sample["dce"][channel].numpy(), values(path))
    assert np.array_equal(sample["trace"].numpy(), np.moveaxis(values(row["trace"])[..., [0, 2]], -1, 0))
    assert sample["dce.times"].tolist() == [0.0, 62.0, 124.5] and sample["trace.bvalues"].tolist() == [0.0, 800.0]
    assert torch.allclose(sample["adc"].affine, torch.from_numpy(AFFINE), atol=1e-5)
    assert not [key for key in sample if key.endswith((".factor", ".volumes", ".unit"))]


def test_adc_is_in_one_unit_whatever_was_stored(db: Database) -> None:
    cohort = db.cohort(images={"adc": Q("ADC")}, missing="drop")
    micro, milli = CohortDataset(cohort)[0]["adc"], CohortDataset(cohort)[1]["adc"]
    assert micro.dtype == torch.int16 and np.array_equal(micro[0].numpy(), values(cohort[0]["adc"]))
    assert milli.dtype == torch.float32
    assert np.allclose(milli[0].numpy(), values(cohort[1]["adc"]) * 1000.0, rtol=1e-6)
    assert micro.meta["unit"] == milli.meta["unit"] == "1e-6 mm2/s"


def test_missing_becomes_zeros_on_the_grid_and_present_says_so(db: Database) -> None:
    cohort = db.cohort(
        images={"adc": Q("ADC"), "t2": Q("T2w"), "dce": Q("DCE", phases=Times([0, 60]))}, missing="mask", grid="same"
    )
    batch = collate([CohortDataset(cohort)[i] for i in range(6)])
    assert batch["present"].dtype == torch.bool
    assert batch["present"][:, 0].tolist() == [True, True, False, True, True, True]
    assert batch["present"][:, 1].tolist() == [True, True, True, False, True, True]
    assert not batch["adc"][2].any() and batch["adc"].shape == (6, 1, 6, 5, 4)
    assert torch.equal(batch["adc"].meta["affine"][2], batch["t2"].meta["affine"][2])


def test_a_sample_survives_a_safe_load_and_a_pickle(db: Database) -> None:
    dataset = CohortDataset(db.cohort(images={"dce": Q("DCE")}))
    buffer = io.BytesIO()
    torch.save(dataset[0], buffer)
    buffer.seek(0)
    back = torch.load(buffer, weights_only=True)
    assert torch.equal(back["dce"].as_tensor(), dataset[0]["dce"].as_tensor()) and back["dce"].meta["unit"]
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[0]["dce"], dataset[0]["dce"])


def test_a_corrupt_file_names_participant_session_and_file(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    path = tree.image("07", "T2w", {"sequence": "T2w"}, array=voxels((30, 30, 10)))
    dataset = CohortDataset(Database(tree.finish()).cohort(images={"t2": Q("T2w")}))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ReadError, match=r"^sub-07 ses-01: t2: .*sub-07_ses-01_T2w\.nii\.gz"):
        dataset[0]


# --- MONAI's own classes


def test_a_cohort_goes_into_monai_as_it_is(db: Database) -> None:
    cohort = db.cohort(images={"t2": Q("T2w"), "dce": Q("DCE")}, qc="warn")
    ours = CacheDataset(cohort, Compose([LoadSequencesd(cohort.keys)]), num_workers=1, progress=False)
    plain = CacheDataset(cohort, LoadImaged(cohort.keys, ensure_channel_first=True), num_workers=1, progress=False)
    for key in cohort.keys:
        assert torch.equal(ours[3][key].float(), plain[3][key])
        assert torch.allclose(ours[3][key].affine, plain[3][key].affine)


def test_the_reader_is_a_drop_in(tmp_path: Path) -> None:
    cases: dict[str, tuple[np.ndarray, tuple[float, float] | None]] = {
        "plain.nii.gz": (voxels((5, 4, 3)), None),
        "scaled.nii.gz": (voxels((5, 4, 3)), (0.37, -5.0)),
        "four.nii": (voxels((5, 4, 3, 2), dtype=np.uint16), None),
    }
    for name, (array, scale) in cases.items():
        path = tmp_path / name
        write_nifti(path, array, AFFINE, scale)
        for channel_first in (True, False):
            ours = LoadImaged("a", reader=NiftiReader, ensure_channel_first=channel_first)({"a": path})["a"]
            theirs = LoadImaged("a", ensure_channel_first=channel_first)({"a": path})["a"]
            assert torch.equal(ours, theirs) and torch.equal(ours.affine, theirs.affine)
            assert ours.meta["filename_or_obj"] == theirs.meta["filename_or_obj"]
    pair = [tmp_path / "plain.nii.gz", tmp_path / "scaled.nii.gz"]
    ours = LoadImaged("a", reader=NiftiReader(), ensure_channel_first=True)({"a": pair})["a"]
    assert torch.equal(ours, LoadImaged("a", ensure_channel_first=True)({"a": pair})["a"])


def test_the_reader_reports_damage_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "sub-01_T2w.nii.gz"
    path.write_bytes(b"\x1f\x8bbroken")
    with pytest.raises(ReadError, match=r"sub-01_T2w\.nii\.gz"):
        LoadImaged("a", reader=NiftiReader)({"a": path})


# --- collate


def sample(name: str, **values: Any) -> dict[str, Any]:
    return {"sample_id": name, **values}


def test_a_key_is_never_dropped() -> None:
    batch = [sample("sub-01"), sample("sub-02", t2=torch.zeros(1, 2, 2, 2))]
    for order in (batch, batch[::-1]):
        with pytest.raises(CollateError, match="'t2' is missing in sub-01 but not in sub-02"):
            collate(order)


def test_shapes_that_differ() -> None:
    small, large = torch.ones(1, 2, 3, 4), torch.ones(2, 2, 3, 4)
    batch = [sample("sub-01", t2=small), sample("sub-02", t2=large)]
    with pytest.raises(CollateError, match=r"shapes of 't2' differ \(sub-01 \[1, 2, 3, 4\]; sub-02 \[2, 2, 3, 4\]\)"):
        collate(batch)
    assert [tuple(t.shape) for t in collate(batch, ragged="list")["t2"]] == [(1, 2, 3, 4), (2, 2, 3, 4)]
    padded = collate(ragged="pad")(batch)["t2"]
    assert padded.shape == (2, 2, 2, 3, 4) and padded[0, 1].sum() == 0 and padded[0, 0].sum() == 24
    with pytest.raises(QueryError, match="legal: raise list pad"):
        collate(batch, ragged="crop")
    with pytest.raises(CollateError, match="is a tensor in some samples only"):
        collate([sample("sub-01", t2=small), sample("sub-02", t2="")])


def test_an_affine_is_not_lost_beside_a_plain_tensor() -> None:
    batch = [sample("sub-01", t2=torch.zeros(1, 2, 2, 2)), sample("sub-02", t2=MetaTensor(torch.zeros(1, 2, 2, 2)))]
    for order in (batch, batch[::-1]):
        with pytest.raises(CollateError, match="'t2' has no affine in sub-01, where"):
            collate(order)


def test_numbers_become_tensors_and_words_a_list() -> None:
    batch = collate([sample("a", age=3.5, score=1, flag=True, n=1), sample("b", age=4, score=2, flag=False, n=2.5)])
    assert batch["age"].dtype == torch.float32 and batch["n"].tolist() == [1.0, 2.5]
    assert batch["score"].dtype == torch.int64 and batch["flag"].dtype == torch.bool
    assert batch["sample_id"] == ["a", "b"]


@settings(max_examples=60, deadline=None)
@given(st.permutations([0, 1, 2, 3]), st.integers(1, 3), st.sampled_from([torch.int16, torch.float32]))
def test_stacking_keeps_values_and_memory_order(order: list[int], count: int, other: torch.dtype) -> None:
    tensors = [torch.arange(120, dtype=other if n else torch.int16).reshape(2, 3, 4, 5) + n for n in range(count)]
    tensors = [t.permute(order).contiguous().permute(*[order.index(i) for i in range(4)]) for t in tensors]
    stacked = collate([sample(str(n), x=t) for n, t in enumerate(tensors)])["x"]
    assert torch.equal(stacked, torch.stack([t.to(stacked.dtype) for t in tensors]))
    assert stacked[0].stride() == tensors[0].stride()


def test_crops_of_one_sample_and_metadata_of_all(db: Database) -> None:
    cohort = db.cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")}, missing="drop")
    crop = RandCropByPosNegLabeld(["t2", "lesion"], label_key="lesion", spatial_size=(3, 3, 2), num_samples=2)
    batch = collate([CohortDataset(cohort, crop)[i] for i in range(3)])
    assert batch["t2"].shape == (6, 1, 3, 3, 2) and batch["sample_id"][0] == batch["sample_id"][1]
    pieces = decollate_batch({"t2": batch["t2"]})
    assert len(pieces) == 6 and pieces[5]["t2"].meta["filename_or_obj"] == cohort[2]["t2"]


# --- randomness


def _global_noise(image: torch.Tensor) -> torch.Tensor:
    return image + random.random() + float(np.random.rand()) + float(torch.rand(()))


class _Wrapped:
    """A transform that is not Randomizable itself but holds one, in a list."""

    def __init__(self) -> None:
        self.inner = [RandFlipd(["t2"], prob=0.5, spatial_axis=0)]

    def __call__(self, data: Mapping[str, Any]) -> Any:
        return self.inner[0](data)


def augmented(db: Database, seed: int = 0) -> CohortDataset:
    cohort = db.cohort(images={"t2": Q("T2w")}, qc="warn")
    steps = [
        RandSpatialCropd(["t2"], roi_size=(4, 4, 3), random_size=False),
        RandGaussianNoised(["t2"], prob=0.7, std=10.0),
        RandLambdad(["t2"], func=_global_noise, prob=0.9),
        _Wrapped(),
    ]
    return CohortDataset(cohort, steps, seed=seed, dtype=torch.float32)


def epoch_of(dataset: CohortDataset, epoch: int, **loader: Any) -> dict[str, torch.Tensor]:
    dataset.set_epoch(epoch)
    batches = list(DataLoader(dataset, batch_size=2, collate_fn=collate, **loader))
    return {name: image for batch in batches for name, image in zip(batch["sample_id"], batch["t2"], strict=True)}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name].as_tensor(), b[name].as_tensor()) for name in a)


def test_augmentation_is_a_function_of_seed_epoch_and_sample(db: Database) -> None:
    dataset = augmented(db)
    alone = epoch_of(dataset, 0)
    assert same(alone, epoch_of(dataset, 0, shuffle=True))
    assert same(alone, epoch_of(augmented(db), 0, num_workers=2))
    assert same(alone, epoch_of(pickle.loads(pickle.dumps(dataset)), 0))
    assert not same(alone, epoch_of(dataset, 1))
    assert same(alone, epoch_of(dataset, 0))
    assert not same(alone, epoch_of(augmented(db, seed=1), 0))
    images = list(alone.values())
    assert len({float(image.sum()) for image in images}) == len(images)


def test_kept_workers_see_the_epoch(db: Database) -> None:
    dataset = augmented(db)
    expected = [epoch_of(dataset, epoch) for epoch in (0, 1)]
    loader = DataLoader(dataset, batch_size=2, collate_fn=collate, num_workers=1, persistent_workers=True)
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        got = {name: image for batch in loader for name, image in zip(batch["sample_id"], batch["t2"], strict=True)}
        assert same(got, expected[epoch])


def test_global_random_states_are_left_as_they_were(db: Database) -> None:
    dataset = augmented(db)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = (random.random(), np.random.rand(), torch.rand(1))
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    dataset[0]
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected
