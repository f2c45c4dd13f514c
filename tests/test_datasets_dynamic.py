"""Several volumes as one tensor: phases, stacked images, images brought to one grid, and what a model makes of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose, Flipd, NormalizeIntensityd, RandFlipd, RandSpatialCropd, Rotate90d
from treemaker import AFFINE, TreeMaker, small_trial, voxels

from trialbids.datasets import Cohort, CohortDataset, Database, Q, Resample, Times, collate
from trialbids.datasets.errors import CohortError, QueryError
from trialbids.datasets.reading.cache import Cache


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids"))


def three(db: Database, **options: Any) -> Cohort:
    images = {"t2": Q("T2w"), "dce": Q("DCE", phases=Times([0, 60])), "trace": Q("trace", bvalues=(0, 800))}
    return db.cohort(images=images, qc="warn", **options)


def test_a_crop_of_several_phases_is_a_view_of_their_maps(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for phase in (1, 2):
        record = {"sequence": "DCE", "phase_index": phase, "phase_time_s": 30.0 * phase}
        name = f"acq-dce_run-{phase:02d}_T1w"
        tree.image("01", name, record, acquisition_id="a01", array=voxels((64, 64, 16), seed=phase))
    cohort = Database(tree.finish()).cohort(images={"dce": Q("DCE")})
    cache = Cache(tmp_path / "cache")
    crop = RandSpatialCropd(["dce"], (16, 16, 2), random_size=False)
    expected = CohortDataset(cohort, [crop])[0]["dce"]
    CohortDataset(cohort, cache=cache)[0]
    sample = CohortDataset(cohort, [crop], cache=cache)[0]["dce"]
    assert torch.equal(sample, expected)
    volume = 64 * 64 * 16 * 2
    assert sample.stride()[0] * 2 == volume and sample.untyped_storage().nbytes() >= 2 * volume


def test_images_become_the_channels_of_one_tensor(db: Database, tmp_path: Path) -> None:
    cohort = three(db, labels={"lesion": Q(label="lesion")})
    apart = CohortDataset(cohort)[2]
    expected = torch.cat([apart[key].as_tensor() for key in cohort.image_keys])
    for cache in (None, Cache(tmp_path), Cache(tmp_path)):
        sample = CohortDataset(cohort, stack="image", cache=cache)[2]
        assert sample["image"].shape == (5, 6, 5, 4) and torch.equal(sample["image"].as_tensor(), expected)
        assert not set(cohort.image_keys) & set(sample) and torch.equal(sample["lesion"], apart["lesion"])
        assert sample["dce.times"].tolist() == [0.0, 62.0] and sample["trace.bvalues"].tolist() == [0.0, 800.0]
    batch = collate([CohortDataset(cohort, stack="image")[i] for i in range(3)])
    assert batch["image"].shape == (3, 5, 6, 5, 4)


def test_a_missing_image_is_a_channel_of_zeros(db: Database, tmp_path: Path) -> None:
    cohort = db.cohort(images={"t2": Q("T2w"), "adc": Q("ADC")}, missing="mask", grid="same", qc="warn")
    for cache in (None, Cache(tmp_path), Cache(tmp_path)):
        dataset = CohortDataset(cohort, stack="image", cache=cache)
        image = dataset[2]["image"]
        assert not image[1].any() and bool(image[0].any()) and dataset[2]["present"].tolist() == [True, False]


def test_what_cannot_be_stacked_is_refused_at_once(db: Database, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="is the name of something else"):
        CohortDataset(three(db), stack="site")
    tree = TreeMaker(tmp_path / "bids")
    tree.image("01", "T2w", {"sequence": "T2w"}, array=voxels((6, 5, 4)))
    tree.image("01", "T1w", {"sequence": "T1w"}, array=voxels((6, 5, 3)))
    with pytest.raises(CohortError, match="different grids"):
        CohortDataset(Database(tree.finish()).cohort(images={"t2": Q("T2w"), "t1": Q("T1w")}), stack="image")


@pytest.fixture(scope="module")
def two_grids(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A T2 with a mask, and an ADC of half the resolution."""
    tree = TreeMaker(tmp_path_factory.mktemp("grids") / "bids")
    half = AFFINE @ np.diag([2, 2, 2, 1.0])
    half[:3, 3] = (AFFINE @ [0.5, 0.5, 0.5, 1])[:3]
    for n in (1, 2):
        tree.mask(tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, array=voxels((12, 10, 8), seed=n)))
        low = tree.image(f"{n:02d}", "T1w", {"sequence": "T1w"}, array=np.full((6, 5, 4), 100 * n, np.int16))
        nib.save(nib.Nifti1Image(np.asarray(nib.load(low).dataobj), half), low)
    return Database(tree.finish(manifest=False))


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "cubic"])
def test_a_cohort_is_read_on_the_grid_it_asks_for(two_grids: Database, tmp_path: Path, interpolation: str) -> None:
    cohort = two_grids.cohort(
        images={"t2": Q("T2w"), "t1": Q("T1w")}, labels={"lesion": Q(label="lesion")},
        grid=Resample("t2", interpolation), qc=None,
    )  # fmt: skip
    original = CohortDataset(two_grids.cohort(images={"t2": Q("T2w")}, qc=None))[0]["t2"]
    for cache in (None, Cache(tmp_path), Cache(tmp_path)):
        sample = CohortDataset(cohort, cache=cache)[0]
        assert sample["t1"].shape == sample["t2"].shape == (1, 12, 10, 8)
        assert torch.equal(sample["t1"].affine, sample["t2"].affine) and sample["t1"].meta["unit"] == "arbitrary"
        assert torch.allclose(sample["t1"][:, 2:-2, 2:-2, 2:-2].as_tensor(), torch.tensor(100.0))
        assert torch.equal(sample["t2"].as_tensor(), original.as_tensor().float())
        assert sample["lesion"].dtype == torch.uint8 and "_T1w" in sample["t1"].meta["filename_or_obj"]
    stacked = CohortDataset(cohort, NormalizeIntensityd("image"), stack="image")[0]
    assert stacked["image"].shape == (2, 12, 10, 8) and "t1" not in stacked


def test_a_lazy_pipeline_resamples_once(two_grids: Database) -> None:
    cohort = two_grids.cohort(images={"t2": Q("T2w"), "t1": Q("T1w")}, grid=Resample("t2"), qc=None)
    step = RandFlipd(["t2", "t1"], prob=1.0, spatial_axis=0)
    eager = CohortDataset(cohort, Compose([step]))[0]
    lazy = CohortDataset(cohort, Compose([step], lazy=True))[0]
    inner = (slice(None), *[slice(2, -2)] * 3)  # what lies outside the image is padded otherwise
    assert torch.allclose(eager["t1"][inner].as_tensor(), lazy["t1"][inner].as_tensor(), atol=1e-3)
    assert torch.equal(eager["t2"].as_tensor().float(), lazy["t2"].as_tensor().float())


@pytest.mark.parametrize("steps", [[], [Flipd(["t2", "t1", "lesion"], 0)], [Rotate90d(["t2", "t1", "lesion"])]])
def test_a_mask_has_no_fractions_in_a_lazy_pipeline_either(tmp_path: Path, steps: list[Any]) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.image("01", "T2w", {"sequence": "T2w"}, array=voxels((12, 10, 8)))
    other = AFFINE @ np.diag([1.3, 1.2, 1, 1])
    tree.mask(tree.image("01", "T1w", {"sequence": "T1w"}, array=voxels((9, 8, 8)), affine=other))
    cohort = Database(tree.finish()).cohort(
        images={"t2": Q("T2w"), "t1": Q("T1w")}, labels={"lesion": Q(label="lesion")}, grid=Resample("t2"), qc=None
    )
    eager, lazy = (CohortDataset(cohort, Compose(steps, lazy=way))[0]["lesion"] for way in (False, True))
    assert lazy.unique().tolist() == [0, 1]
    assert torch.equal(eager.as_tensor(), lazy.as_tensor().to(torch.uint8))
    cast = CohortDataset(cohort, Compose(steps), dtype=torch.float32)[0]["lesion"]
    assert cast.dtype == torch.float32 and torch.equal(cast.as_tensor(), eager.as_tensor().float())


def test_a_batch_is_safe_to_save_and_to_compile(db: Database, tmp_path: Path) -> None:
    cohort = three(db)
    dataset = CohortDataset(cohort, [NormalizeIntensityd(["t2"]), RandFlipd(["t2"])], cache=Cache(tmp_path))
    batch = [collate([dataset[0], dataset[1]]) for _ in range(2)][1]
    buffer = io.BytesIO()
    torch.save(batch, buffer)
    buffer.seek(0)
    back = torch.load(buffer, weights_only=True)
    assert torch.equal(back["t2"].as_tensor(), batch["t2"].as_tensor())
    assert back["t2"].meta["filename_or_obj"] == [cohort[0]["t2"], cohort[1]["t2"]]
    model = torch.compile(torch.nn.Conv3d(1, 2, 3, padding=1), backend="eager")
    assert model(batch["t2"].float()).shape == (2, 2, 6, 5, 4)
