"""A batch that a worker made is the one that the training process would have made, and can be used like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai.data import MetaTensor, decollate_batch
from monai.transforms import Compose, CropForegroundd, Flipd, Spacingd
from torch.utils.data import DataLoader

from trialbids.datasets import collate

AFFINE = torch.tensor([[-0.7, 0.1, 0, 3], [0, 0.8, -0.2, 5], [0.3, 0, 4.1, -7], [0, 0, 0, 1]], dtype=torch.float64)
STEPS = Compose([Flipd("t2", 0), CropForegroundd("t2", "t2", select_fn=lambda x: x > 20), Spacingd("t2", (1, 1, 4))])


def sample(number: int) -> dict[str, Any]:
    values = torch.arange(2000.0).reshape(1, 10, 10, 20).permute(0, 3, 2, 1) + number
    meta = {"affine": AFFINE, "unit": "HU", "filename_or_obj": f"{number}.nii.gz", "fields": {"TE": 80.0 + number}}
    image = STEPS({"t2": MetaTensor(values, meta=meta)})["t2"]
    return {
        "sample_id": f"sub-{number:02d}",
        "t2": image,
        "mask": MetaTensor(values > 1000, meta={"affine": AFFINE}),
        "half": values.to(torch.bfloat16),
        "eight": torch.ones(3).to(torch.float8_e5m2),
        "complex": values[0].to(torch.complex64),
        "none": torch.zeros(0, 6),
        "scalar": torch.tensor(number),
        "age": 50.5 + number,
        "grade": number,
        "flag": bool(number % 2),
        "points": {"a": number},
        "ragged": torch.ones(1 + number),
    }


SAMPLES = [sample(n) for n in range(4)]
make = collate(ragged="list")


def changed(batch: list[Any]) -> Any:
    """What somebody's own collate does with a batch, still in the worker."""
    made = make(batch)
    made["t2"] += 1
    made["first"] = made["t2"][:1, :, ::2]
    made["turned"] = made["mask"].permute(0, 1, 4, 3, 2)
    made["as_plain"] = made["t2"].as_tensor()
    made["bits"] = made["half"].view(torch.int16)
    made["conj"] = made["complex"].conj()
    made["nested"] = {"inner": [made["scalar"], (torch.ones(2, requires_grad=True), torch.eye(60).T)]}
    del made["none"]
    return made


def batches(collating: Callable[[list[Any]], Any], workers: int) -> list[Any]:
    return list(DataLoader(SAMPLES, batch_size=2, collate_fn=collating, num_workers=workers))  # type: ignore[arg-type]


def assert_same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert (a.dtype, a.shape, a.requires_grad) == (b.dtype, b.shape, b.requires_grad)
        if a.numel() > 1 and min(a.shape) > 1:
            assert a.stride() == b.stride()
        one, two = (torch.as_tensor(x).detach().resolve_conj() for x in (a, b))
        assert torch.equal(
            *(x.as_subclass(torch.Tensor).contiguous().view(torch.uint8) if x.ndim else x for x in (one, two))
        )
    if isinstance(a, MetaTensor):
        assert a.is_batch == b.is_batch and a.pending_operations == b.pending_operations
        assert_same(dict(a.meta), dict(b.meta))
        assert_same(a.applied_operations, b.applied_operations)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, two in zip(a, b, strict=True):
            assert_same(one, two)
    elif not isinstance(a, torch.Tensor):
        assert a == b


@pytest.mark.parametrize("collating", [make, changed], ids=["as it is", "changed in the worker"])
def test_a_batch_of_a_worker_is_that_of_the_process(collating: Callable[[list[Any]], Any]) -> None:
    for ours, theirs in zip(batches(collating, 1), batches(collating, 0), strict=True):
        assert_same({**ours}, {**theirs})


def test_images_of_a_batch_are_independent_and_outlive_it() -> None:
    first, second = batches(make, 1)
    expected = batches(make, 0)[0]
    image, mask = first["t2"], first["mask"]
    mask.zero_(), second["t2"].fill_(-1)
    first.clear()
    assert torch.equal(image.as_tensor(), expected["t2"].as_tensor())
    image += 1
    assert not mask.any()


def test_a_batch_of_a_worker_can_be_taken_apart_and_undone() -> None:
    (batch, _), original = batches(make, 1), SAMPLES[1]
    parts = decollate_batch({"t2": batch["t2"]})
    back = STEPS.inverse({"t2": parts[1]["t2"]})["t2"]
    assert back.shape == (1, 20, 10, 10) and torch.allclose(back.affine, AFFINE)
    assert parts[1]["t2"].meta["filename_or_obj"] == original["t2"].meta["filename_or_obj"]
