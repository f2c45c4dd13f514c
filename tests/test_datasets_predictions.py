"""Predictions come back: the same voxels on the image's own grid, whatever a pipeline did, and never in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data.meta_tensor import MetaTensor
from monai.data.utils import decollate_batch, list_data_collate
from monai.transforms.compose import Compose
from monai.transforms.croppad.dictionary import BorderPadd, CenterSpatialCropd, CropForegroundd
from monai.transforms.spatial.dictionary import Flipd, Orientationd, Rotate90d, Spacingd
from treemaker import TreeMaker

from trialbids.datasets import Cohort, Database, Q
from trialbids.datasets.errors import PredictionError, QueryError
from trialbids.datasets.predictions import writer as writer_module
from trialbids.datasets.predictions.grid import put_back
from trialbids.datasets.predictions.handler import SavePredictions
from trialbids.datasets.predictions.writer import PredictionWriter
from trialbids.datasets.reading.loading import LoadSequencesd
from trialbids.exporter.release.validate import validate

KEYS = ["t2", "lesion"]
OBLIQUE = np.array([[-1.5, 0.2, 0.1, 40], [0.15, 1.4, -0.3, -50], [0.05, 0.2, 3.5, -20], [0, 0, 0, 1]], dtype=float)
SHAPE = (24, 28, 12)
PIPELINES: Mapping[str, Sequence[Any]] = {
    "nothing": [],
    "orientation, crop, pad, flip": [
        Orientationd(KEYS, "PIL", labels=None),
        CropForegroundd(KEYS, "t2", select_fn=lambda t: t > 400),
        BorderPadd(KEYS, 3),
        Flipd(KEYS, 1),
        Rotate90d(KEYS, spatial_axes=(0, 2)),
    ],
}
SPACED = [Orientationd(KEYS, "LPI", labels=None), Spacingd(KEYS, (1.0, 1.1, 1.3), mode=("bilinear", "nearest"))]


class Case:
    """A tree of one participant with an oblique image and a mask, and the sample that a pipeline makes of them."""

    def __init__(self, root: Path, datatype: str = "anat", tail: str = "acq-tseSag_T2w") -> None:
        maker = TreeMaker(root)
        self.image = maker.image("A", tail, {"sequence": "T2w"}, datatype=datatype, array=ball(1000), affine=OBLIQUE)
        self.mask = maker.mask(self.image, array=lesion())
        self.root = maker.finish()

    def sample(self, steps: Sequence[Any] = ()) -> dict[str, Any]:
        row = {"participant_id": "sub-A", "session_id": "ses-01", "sample_id": "sub-A/ses-01"}
        return Compose([LoadSequencesd(KEYS), *steps])({**row, "t2": str(self.image), "lesion": str(self.mask)})

    def writer(self, **options: Any) -> PredictionWriter:
        return PredictionWriter(self.root, "unet-v1", **{"labels": "lesion", "image": "t2", **options})


def ball(value: int) -> np.ndarray:
    i, j, k = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    inside = ((i - 12) / 9) ** 2 + ((j - 14) / 10) ** 2 + ((k - 6) / 5) ** 2 < 1
    return (inside * value).astype(np.int16)


def lesion() -> np.ndarray:
    i, j, k = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return (((i - 11) / 5) ** 2 + ((j - 16) / 4) ** 2 + ((k - 6) / 3) ** 2 < 1).astype(np.uint8)


def voxels(path: Path) -> np.ndarray:
    return np.asarray(nib.load(path).dataobj)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_a_network_that_is_the_identity_gives_back_exactly_the_mask(tmp_path: Path, steps: Sequence[Any]) -> None:
    case = Case(tmp_path)
    sample = case.sample(steps)
    (path,) = case.writer().write(sample["lesion"], sample)
    written, image = nib.load(path), nib.load(case.image)
    assert np.array_equal(voxels(path), lesion()) and written.get_data_dtype() == np.uint8
    assert written.shape == image.shape and np.array_equal(written.affine, image.affine)
    assert np.array_equal(written.header.get_zooms(), image.header.get_zooms())
    assert path.relative_to(case.root).as_posix() == (
        "derivatives/unet-v1/sub-A/ses-01/anat/sub-A_ses-01_acq-tseSag_label-lesion_desc-unetv1_mask.nii.gz"
    )


def test_another_spacing_costs_little_and_a_plain_tensor_takes_the_grid_of_its_image(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample([*SPACED, *PIPELINES["orientation, crop, pad, flip"][1:]])
    (path,) = case.writer().write(sample["lesion"].as_tensor(), sample)
    assert sample["t2"].shape[1:] != SHAPE and dice(voxels(path), lesion()) > 0.9


def test_probabilities_are_interpolated_and_clipped_at_what_the_network_saw(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample([*SPACED, CenterSpatialCropd(KEYS, (30, 300, 300))])
    ones = torch.stack([torch.zeros(sample["t2"].shape[1:]), torch.ones(sample["t2"].shape[1:])])
    (path,) = case.writer(kind="probseg", labels={1: "lesion"}).write(ones, sample)
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert set(np.unique(voxels(path))) == {0, 1} and 0.5 < said["FieldOfView"] < 1
    assert said["FieldOfView"] == pytest.approx(voxels(path).mean(), abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    axes=st.permutations([0, 1, 2]),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    starts=st.tuples(*[st.integers(-3, 3)] * 3),
    linear=st.booleans(),
)
def test_what_only_moves_voxels_is_undone_to_the_bit(
    axes: list[int], flips: tuple[bool, ...], starts: tuple[int, ...], linear: bool
) -> None:
    image = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    index = np.zeros((4, 4))
    index[3, 3] = 1
    for axis, source in enumerate(axes):
        size = image.shape[source]
        index[source, axis] = -1 if flips[axis] else 1
        index[source, 3] = size - 1 - starts[source] if flips[axis] else starts[source]
    big = np.zeros([size + 6 for size in image.shape], np.float32)  # beyond the image on every side
    big[3:-3, 3:-3, 3:-3] = image
    shape = tuple(image.shape[axis] for axis in axes)
    seen = np.zeros(shape, np.float32)
    for at in np.ndindex(shape):
        source = (index @ (*at, 1))[:3].astype(int) + 3
        seen[at] = big[tuple(np.clip(source, 0, np.array(big.shape) - 1))]
    made = put_back(seen[None], OBLIQUE @ index, image.shape, OBLIQUE, linear=linear)
    back = made.voxels[0]
    expected = np.zeros_like(image)
    for at in np.ndindex(shape):
        source = (index @ (*at, 1))[:3].astype(int)
        if (source >= 0).all() and (source < image.shape).all():
            expected[tuple(source)] = image[tuple(source)]
    assert np.array_equal(back, expected)


def test_the_sidecar_and_the_dataset_say_what_made_it(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    options = {"version": "2.1", "description": "A small net", "parameters": {"lr": 0.001, "arch": "unet"}}
    (path,) = case.writer(part="val", **options).write(sample["lesion"], sample)
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert said == {
        "Type": "ROI",
        "Label": "lesion",
        "LabelCode": {"CodeValue": "52988006", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Lesion"},
        "Method": "automatic",
        "Model": "unet-v1",
        "ModelVersion": "2.1",
        "Sources": ["bids:raw:sub-A/ses-01/anat/sub-A_ses-01_acq-tseSag_T2w.nii.gz"],
        "FieldOfView": 1.0,
        "SplitPart": "val",
    }
    dataset = json.loads((case.root / "derivatives/unet-v1/dataset_description.json").read_text())
    assert dataset["DatasetType"] == "derivative" and dataset["DatasetLinks"] == {"raw": "../.."}
    assert dataset["GeneratedBy"][0] == {
        "Name": "unet-v1",
        "Version": "2.1",
        "Description": "A small net",
        "Parameters": {"lr": 0.001, "arch": "unet"},
    }


def test_the_cohort_names_itself_and_all_files_of_an_acquisition(tmp_path: Path) -> None:
    maker = TreeMaker(tmp_path)
    for phase in (1, 2):
        record = {"sequence": "DCE", "phase_index": phase, "phase_time_s": 30.0 * phase}
        maker.image("A", f"acq-dce{phase}_T1w", record, array=ball(phase), affine=OBLIQUE)
    cohort = Database(maker.finish()).cohort(images={"dce": Q("DCE")})
    sample = LoadSequencesd(["dce"])(cohort[0])
    train = cohort.as_part("fold1/train")
    writer = PredictionWriter(tmp_path, "net", labels="lesion", image="dce", cohort=train)
    (path,) = writer.write(sample["dce"][:1] > 0, sample)
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert (said["CohortFingerprint"], said["SplitPart"]) == (cohort.fingerprint, "train")
    folder = "bids:raw:sub-A/ses-01/anat/sub-A_ses-01_acq-dce"
    assert said["Sources"] == [f"{folder}1_T1w.nii.gz", f"{folder}2_T1w.nii.gz"]


def test_all_kinds_are_valid_bids(tmp_path: Path) -> None:
    for datatype, tail in (("anat", "acq-tseSag_T2w"), ("perf", "acq-x_perfmap"), ("pet", "pet")):
        case = Case(tmp_path, datatype, tail)
        sample = case.sample()
        half = sample["lesion"].float() / 2
        for kind, said, labels in (
            ("mask", sample["lesion"], "lesion"),
            ("dseg", sample["lesion"], {1: "lesion", 2: "prostate"}),
            ("probseg", half, "lesion"),
            ("map", half * 7, ""),
        ):
            case.writer(kind=kind, labels=labels, version="1.0", parameters={"a": 1}).write(said, sample)
    folder = tmp_path / "derivatives/unet-v1"
    assert validate(folder).problems == () and len([*folder.rglob("*.nii.gz")]) == 12


def test_what_is_there_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    (path,) = case.writer().write(sample["lesion"], sample)
    before = path.read_bytes()
    with pytest.raises(PredictionError, match=r"sub-A ses-01.*is there already; say overwrite=True"):
        case.writer().write(1 - sample["lesion"], sample)
    assert path.read_bytes() == before
    case.writer(overwrite=True).write(1 - sample["lesion"], sample)
    assert np.array_equal(voxels(path), 1 - lesion())


def test_of_parallel_writers_of_one_sample_one_wins_and_nothing_half_written_stays(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()

    def attempt(_: int) -> bool:
        try:
            return bool(case.writer().write(sample["lesion"], sample))
        except PredictionError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 1
    (path,) = (case.root / "derivatives/unet-v1").rglob("*.nii.gz")
    assert np.array_equal(voxels(path), lesion()) and not [*case.root.rglob("*.tmp")]


def test_two_images_that_bids_would_name_alike_are_not_mixed_up(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.writer().write((sample := case.sample())["lesion"], sample)
    other = case.image.with_name(case.image.name.replace("T2w", "PDw"))
    case.image.rename(other)
    case.image = other
    with pytest.raises(PredictionError, match=r"PDw.*which is that of bids:raw:.*T2w.*another model's name"):
        case.writer(overwrite=True).write((sample := case.sample())["lesion"], sample)


def test_a_folder_belongs_to_one_model(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    case.writer(version="1").write(sample["lesion"], sample)
    case.writer(version="1")
    with pytest.raises(PredictionError, match=r"holds predictions of .*'Version': '1'.* give the model another name"):
        case.writer(version="2")


def broken(sample: dict[str, Any], kind: str) -> torch.Tensor:
    mask = sample["lesion"]
    far = MetaTensor(mask.as_tensor(), affine=torch.eye(4, dtype=torch.float64) * torch.tensor([1, 1, 1, 1]))
    far.affine[:3, 3] = 5000
    return {
        "empty": mask * 0,
        "nan": mask.float() * float("nan"),
        "channels": torch.cat([mask, mask]),
        "batch": mask[None],
        "values": mask.float() * 0.7,
        "shape": mask[:, 1:],
        "far": far,
        "flat": MetaTensor(mask.as_tensor(), affine=torch.diag(torch.tensor([1.0, 0, 1, 1], dtype=torch.float64))),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("empty", "lesion is empty; where finding nothing is an answer, say empty='write'"),
        ("nan", "8064 of its values are NaN"),
        ("channels", r"shape \[2, 24, 28, 12\], and mask of lesion needs \[1, X, Y, Z\]"),
        ("batch", r"one of \[C, X, Y, Z\] is needed"),
        ("values", "a mask holds 0 and 1; threshold it first"),
        ("shape", r"\[23, 28, 12\] voxels, and the image that the network saw \[24, 28, 12\]"),
        ("far", "nothing of the image lies in what the network saw"),
        ("flat", "an affine that cannot be inverted"),
    ],
)
def test_what_cannot_be_written_is_told_with_participant_and_file(tmp_path: Path, kind: str, sentence: str) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    with pytest.raises(PredictionError, match=sentence) as caught:
        case.writer().write(broken(sample, kind), sample)
    assert "sub-A ses-01" in str(caught.value) and "acq-tseSag_T2w.nii.gz" in str(caught.value)
    assert not [*(case.root / "derivatives/unet-v1").rglob("*.nii.gz")]


def test_finding_nothing_can_be_an_answer_but_losing_something_never_is(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    (path,) = case.writer(empty="write").write(sample["lesion"] * 0, sample)
    assert not voxels(path).any()
    fine = case.sample([Spacingd(KEYS, (0.3, 0.3, 0.3), mode="nearest")])
    speck = fine["lesion"] * 0
    at = np.argwhere(fine["lesion"][0].numpy())[0] + 1
    speck[0, at[0], at[1], at[2]] = 1
    with pytest.raises(PredictionError, match="lesion is so small that nothing of it is left"):
        case.writer(empty="write", overwrite=True).write(speck, fine)


def test_a_missing_image_and_one_of_another_tree_have_no_place(tmp_path: Path) -> None:
    case = Case(tmp_path / "one")
    other = Case(tmp_path / "two")
    sample = case.sample()
    with pytest.raises(PredictionError, match=r"sub-A ses-01: .* is no image of"):
        other.writer().write(sample["lesion"], sample)
    sample["t2"].meta["filename_or_obj"] = ""
    with pytest.raises(PredictionError, match="sub-A ses-01: its image is missing"):
        case.writer().write(sample["lesion"], sample)
    with pytest.raises(QueryError, match=r"no image .* under 'adc'; it has t2 lesion"):
        case.writer(image="adc").write(sample["lesion"], sample)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"kind": "seg"}, "kind='seg' is not known; legal: mask probseg dseg map"),
        ({"labels": ""}, "give each channel from 0 on a name"),
        ({"labels": None}, "labels=None: give a name, names by channel"),
        ({"labels": "left lesion"}, "letters and digits"),
        ({"labels": {0: "a", 2: "b"}}, "channel 1 has no name"),
        ({"labels": {0: "a"}, "kind": "dseg"}, "0 is no value from 1 on"),
        ({"part": "tests"}, "legal: train val test"),
        ({"description": "two\nlines"}, "one line"),
        ({"parameters": {"net": object()}}, "parameters: net="),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_predicted(
    tmp_path: Path, options: dict[str, Any], sentence: str
) -> None:
    case = Case(tmp_path)
    with pytest.raises(QueryError, match=sentence):
        case.writer(**options)
    for name in ("annotations", "../other", "a/b", ""):
        with pytest.raises(QueryError, match="names a folder"):
            PredictionWriter(case.root, name, labels="lesion")
    assert not (case.root / "derivatives/unet-v1").exists()


def test_a_handler_writes_every_prediction_of_an_engine(tmp_path: Path) -> None:
    from ignite.engine import Engine

    case = Case(tmp_path)
    sample = case.sample(PIPELINES["orientation, crop, pad, flip"])
    batch = list_data_collate([sample])
    engine = Engine(lambda engine, given: [{"pred": one["lesion"]} for one in decollate_batch(given)])
    SavePredictions(case.writer()).attach(engine)
    engine.run([batch])
    (path,) = (case.root / "derivatives/unet-v1").rglob("*.nii.gz")
    assert np.array_equal(voxels(path), lesion())
    wrong = Engine(lambda engine, given: [{"logits": one["lesion"]} for one in decollate_batch(given)])
    SavePredictions(case.writer(overwrite=True)).attach(wrong)
    with pytest.raises(PredictionError, match="has no 'pred'; it has logits"):
        wrong.run([batch])


def test_the_short_floats_of_autocast_are_written(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    (path,) = case.writer(kind="probseg").write(sample["lesion"].to(torch.bfloat16) / 2, sample)
    assert np.array_equal(voxels(path), lesion() / 2)


@pytest.mark.parametrize("written", [0, 1])
def test_a_process_that_ends_while_writing_leaves_no_image_that_is_not_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    writer = case.writer()
    left = iter(range(written))

    def ending(real: Callable[..., None]) -> Callable[..., None]:
        def write(*given: Any) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            real(*given)

        return write

    with monkeypatch.context() as patched:
        for name in ("write_new", "write_over"):
            patched.setattr(writer_module, name, ending(getattr(writer_module, name)))
        with pytest.raises(KeyboardInterrupt):
            writer.write(sample["lesion"], sample)
    assert not list((case.root / "derivatives/unet-v1").rglob("*.nii.gz"))
    (path,) = case.writer().write(sample["lesion"], sample)
    with pytest.raises(PredictionError, match="is there already"):
        case.writer().write(sample["lesion"], sample)
    assert np.array_equal(voxels(path), lesion())


def test_what_an_interruption_left_is_completed_and_an_image_of_somebody_is_not_replaced(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    (path,) = case.writer().write(sample["lesion"], sample)
    path.unlink()  # the sidecar comes first
    assert case.writer().write(sample["lesion"], sample) == (path,)
    assert np.array_equal(voxels(path), lesion())
    path.with_name(path.name.replace(".nii.gz", ".json")).unlink()
    with pytest.raises(PredictionError, match="is there already"):
        case.writer().write(sample["lesion"], sample)


@pytest.mark.parametrize("other", [{"participant_id": "sub-B"}, {"session_id": "ses-02"}])
def test_the_image_must_be_of_the_participant_and_session_of_the_sample(tmp_path: Path, other: dict[str, str]) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    with pytest.raises(PredictionError, match=r"read from sub-A/ses-01/.*which is another's"):
        case.writer().write(sample["lesion"], {**sample, **other})
    assert not list((case.root / "derivatives/unet-v1").rglob("*.nii.gz"))


def cohort_of(case: Case) -> Cohort:
    return Database(case.root, index=None).cohort(images={"t2": Q("T2w")}, qc=None).as_part("fold1/val")


def test_the_part_is_that_of_the_cohort_and_nobody_can_say_another(tmp_path: Path) -> None:
    case = Case(tmp_path)
    val = cohort_of(case)
    with pytest.raises(QueryError, match=r"part='test', and the cohort is 'fold1/val'"):
        case.writer(cohort=val, part="test")
    sample = case.sample() | {"sample_id": val[0]["sample_id"]}
    (path,) = case.writer(cohort=val).write(sample["lesion"], sample)
    said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert (said["CohortFingerprint"], said["SplitPart"]) == (val.fingerprint, "val")


def test_a_sample_of_another_cohort_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    case = Case(tmp_path)
    val = cohort_of(case)
    mine = case.sample() | {"sample_id": val[0]["sample_id"]}
    other = mine | {"t2": mine["t2"].clone()}
    other["t2"].meta["filename_or_obj"] = str(shutil.copy(case.image, str(case.image).replace("tseSag", "tseTra")))
    for writer, sample, sentence in (
        (case.writer(cohort=val), mine | {"sample_id": "sub-B_ses-01"}, r"sub-B_ses-01 is not in the cohort .*\(val\)"),
        (case.writer(cohort=val[:0]), mine, "is not in the cohort"),
        (case.writer(cohort=val), other, r"tseTra_T2w.nii.gz is none of the images of sub-A"),
    ):
        with pytest.raises(PredictionError, match=sentence):
            writer.write(mine["lesion"], sample)
    assert not (case.root / "derivatives/unet-v1").exists()


@pytest.mark.parametrize("link", ["derivatives", "derivatives/unet-v1", "derivatives/unet-v1/sub-A"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    case = Case(tmp_path / "bids")
    outside, place = tmp_path / "outside", case.root / link
    outside.mkdir()
    if link == "derivatives":
        place.rename(case.root.parent / "annotated")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside)
    with pytest.raises(PredictionError, match=r"link to .*outside"):
        case.writer().write(torch.from_numpy(lesion()[None]), image_only(case))
    assert not list(outside.iterdir())


def image_only(case: Case) -> dict[str, Any]:
    row: Any = {"participant_id": "sub-A", "session_id": "ses-01", "sample_id": "sub-A_ses-01", "t2": str(case.image)}
    made: Any = LoadSequencesd(["t2"])(row)
    return made


def test_arrays_are_as_good_as_tensors_and_what_is_neither_is_told(tmp_path: Path) -> None:
    case = Case(tmp_path)
    sample = case.sample()
    (path,) = case.writer().write(np.flip(lesion()[None, ::-1], 1), sample)
    assert np.array_equal(voxels(path), lesion())
    writer = case.writer(overwrite=True)
    for wrong, sentence in (
        (sample["lesion"].as_tensor().to_sparse(), "it is a sparse tensor; make it dense first"),
        (lesion()[None].astype(object), "it is an array of object"),
        ([[1]], "it is list, and a tensor or an array of numbers is needed"),
    ):
        with pytest.raises(PredictionError, match=sentence):
            writer.write(wrong, sample)  # pyright: ignore[reportArgumentType]
