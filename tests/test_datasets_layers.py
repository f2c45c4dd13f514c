"""Read anew, mapped from the cache, or kept after the first steps: the same bits, which are MONAI's and nibabel's."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.data import MetaTensor
from monai.transforms import Compose, Flipd, LoadImaged, ScaleIntensityd, Transposed

from trialbids.datasets import LoadSequencesd, NiftiReader
from trialbids.datasets.reading.blobs import Blob, write_blob
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.reading.codec import decode, encode
from trialbids.datasets.reading.prefix import Prefix, cut

DTYPES = ["int8", "int16", "uint16", "uint8", "int32", "uint32", "int64", "float32", "float64"]


@st.composite
def images(draw: st.DrawFn) -> tuple[nib.Nifti1Image, str]:
    """An image of any stored type, byte order, scale, axis order and number of volumes, and the end of its name."""
    kind = draw(st.sampled_from(DTYPES))
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=5))
    whole = st.integers(-100 if np.dtype(kind).kind != "u" else 0, 100)
    array = draw(hnp.arrays(kind, shape, elements=st.floats(-1e4, 1e4, width=32) if kind[0] == "f" else whole))
    affine = np.zeros((4, 4))
    for row, axis in enumerate(draw(st.permutations([0, 1, 2]))):
        affine[row, axis] = draw(st.sampled_from([-1.0, 1.0])) * draw(st.floats(0.25, 6.0, width=32))
    affine[:3, 3] = draw(st.tuples(*[st.floats(-300, 300, width=32)] * 3))
    affine[3, 3] = 1
    header = nib.Nifti1Header(endianness=draw(st.sampled_from("<>")))
    header.set_data_dtype(array.dtype)
    image = nib.Nifti1Image(array, affine, header, dtype=array.dtype)
    scale = draw(st.one_of(st.none(), st.tuples(st.sampled_from([0.5, 0.001, 3.7]), st.sampled_from([0.0, -1024.0]))))
    if scale:
        image.header.set_slope_inter(*scale)
    return image, draw(st.sampled_from([".nii", ".nii.gz"]))


def bits(tensor: torch.Tensor) -> bytes:
    return np.ascontiguousarray(torch.as_tensor(tensor).to(torch.float32).numpy()).tobytes()


def steps_of(tensor: torch.Tensor) -> list[int]:
    """Strides of the axes along which there is a step to take."""
    return [step for step, size in zip(tensor.stride(), tensor.shape, strict=True) if size > 1][-3:]


@settings(max_examples=20, deadline=None)
@given(images())
def test_all_layers_give_the_same_bits(made: tuple[nib.Nifti1Image, str]) -> None:
    image, extension = made
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"image{extension}"
        nib.save(image, path)
        cache = Cache(Path(folder) / "cache")
        plain = LoadImaged("a", ensure_channel_first=True)({"a": str(path)})["a"]
        stored = np.asanyarray(nib.load(path).dataobj).astype(np.float32)
        expected = np.moveaxis(stored.reshape((*stored.shape[:3], -1)), -1, 0)
        assert bits(plain) == expected.tobytes()
        prefix = Prefix(LoadSequencesd("a"), cut(Compose([]), ()), cache)
        sample = {"a": str(path)}
        ways = {
            "L0": LoadSequencesd("a")(sample)["a"],
            "L1, first": LoadSequencesd("a", cache=cache)(sample)["a"],
            "L1": LoadSequencesd("a", cache=cache)(sample)["a"],
            "L2, first": prefix(sample)["a"],
            "L2": prefix(sample)["a"],
            "reader": LoadImaged("a", reader=NiftiReader(cache=cache), ensure_channel_first=True)(sample)["a"],
        }
        for way, tensor in ways.items():
            assert bits(tensor) == bits(plain), way
            assert torch.equal(tensor.affine, plain.affine), way
        own = [ways[way] for way in ("L0", "L1, first", "L1", "L2, first", "L2")]
        assert len({(tensor.dtype, *steps_of(tensor)) for tensor in own}) == 1
        assert len({str(sorted(map(str, tensor.meta))) for tensor in own}) == 1


@settings(max_examples=10, deadline=None)
@given(images())
def test_kept_steps_give_the_same_bits(made: tuple[nib.Nifti1Image, str]) -> None:
    image, extension = made
    steps = Compose([Flipd("a", 0), Transposed("a", (0, 2, 1, 3)), ScaleIntensityd("a")])
    with tempfile.TemporaryDirectory() as folder:
        sample = {"a": str(Path(folder) / f"image{extension}")}
        nib.save(image, sample["a"])
        prefix = Prefix(LoadSequencesd("a"), cut(steps, ()), Cache(Path(folder) / "cache"))
        plain = steps(LoadSequencesd("a")(sample))["a"]
        for _ in range(2):
            kept = prefix(sample)["a"]
            assert bits(kept) == bits(plain) and steps_of(kept) == steps_of(plain) and kept.dtype == plain.dtype
            assert torch.equal(kept.affine, plain.affine)
            assert [step["class"] for step in kept.applied_operations] == [
                step["class"] for step in plain.applied_operations
            ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5)
    | st.floats(allow_nan=False) | st.sampled_from([np.float32(1.5), np.int16(3), torch.float16, torch.Size([2, 3])])
    | st.builds(lambda n: torch.arange(n), st.integers(0, 2000))
    | st.builds(lambda n: np.arange(n * 2.0).reshape(n, 2).T, st.integers(0, 1500)),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=4) | st.integers(0, 9), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return bool(a == b)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_written_comes_back(value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        words, arrays = encode(value, [])
        write_blob(Path(folder) / "one.blob", words, arrays)
        with Blob(Path(folder) / "one.blob") as blob:
            blob.check()
            assert equal(decode(blob.body, blob, []), value)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float16", "complex64"])
def test_types_that_numpy_has_not_come_back(tmp_path: Path, name: str) -> None:
    value = torch.linspace(-2, 2, 6000).reshape(2, 3000).to(getattr(torch, name)).T
    words, arrays = encode({"small": value[:3], "large": value}, [])
    write_blob(tmp_path / "one.blob", words, arrays)
    with Blob(tmp_path / "one.blob") as blob:
        back = decode(blob.body, blob, [])
    for key, expected in (("small", value[:3]), ("large", value)):
        assert back[key].dtype == expected.dtype and torch.equal(
            back[key].to(torch.complex64), expected.to(torch.complex64)
        )
    assert back["large"].stride() == value.stride()


def test_a_metatensor_keeps_its_notes(tmp_path: Path) -> None:
    tensor = Flipd("a", 0)({"a": MetaTensor(torch.arange(24.0).reshape(1, 2, 3, 4), meta={"unit": "HU", 3: (1, [2])})})
    words, arrays = encode(tensor, [])
    write_blob(tmp_path / "one.blob", words, arrays)
    with Blob(tmp_path / "one.blob") as blob:
        back = decode(blob.body, blob, [])["a"]
    assert torch.equal(back.as_tensor(), tensor["a"].as_tensor()) and back.meta["unit"] == "HU"
    assert back.meta[3] == (1, [2]) and back.applied_operations[0]["class"] == "Flip"
