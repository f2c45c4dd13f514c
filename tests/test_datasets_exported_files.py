"""The file of one key in an export: a link where the tree says the same, else a new file with the cohort's values."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from treemaker import AFFINE, TreeMaker, small_trial, voxels, write_nifti

from trialbids.datasets import Cohort, CohortDataset, Database, Q, ReadError
from trialbids.datasets.exports.files import content, place, read_key, write_by
from trialbids.datasets.reading.loading import LoadSequencesd


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    db = Database(small_trial(tmp_path_factory.mktemp("files") / "bids"), index=None)
    return db.cohort(
        images={
            "t2": Q("T2w"),
            "adc": Q("ADC"),
            "dce": Q("DCE"),
            "high": Q("trace", bvalues=(50, 800)),
            "all": Q("trace"),
        },
        labels={"lesion": Q(label="lesion", scope="annotations")},
        qc=None,
        missing="drop",
    )


def served(cohort: Cohort, key: str, index: int = 0) -> np.ndarray:
    """What the cohort serves, volumes last as in a file."""
    return np.moveaxis(CohortDataset(cohort)[index][key].numpy(), 0, -1)


@pytest.mark.parametrize("key", ["t2", "adc", "dce", "high", "all", "lesion"])
@pytest.mark.parametrize("index", [0, 1])
def test_a_file_read_by_anybody_has_the_values_that_the_cohort_serves(
    cohort: Cohort, tmp_path: Path, key: str, index: int
) -> None:
    placed = place(cohort[index], key, tmp_path / "x.nii.gz")
    image = nib.load(tmp_path / "x.nii.gz")
    values = np.asarray(image.dataobj)
    expected = served(cohort, key, index)
    assert placed.path == tmp_path / "x.nii.gz"
    assert np.array_equal(values.reshape(expected.shape), expected)
    assert np.allclose(image.affine, AFFINE)
    assert image.header["sform_code"] or image.header["qform_code"]


def test_what_is_written_anew_has_the_types_that_a_dataset_reads(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.nii.gz" for name in "ab"]
    for n, path in enumerate(paths):
        write_nifti(path, np.full((3, 4, 2), 60_000 + n, np.uint16), AFFINE)
    sample = {"sample_id": "s", "x": tuple(map(str, paths))}
    for side in ({}, {"x.union": True}, {"x.factor": (1.0, 0.5)}):
        read, _ = read_key({**sample, **side}, "x", paths)
        dataset = LoadSequencesd("x")({**sample, **side})["x"].numpy()
        assert read.dtype == dataset.dtype
        assert np.array_equal(np.moveaxis(read.reshape((*read.shape, 1)[:4]), -1, 0), dataset)


def test_what_the_tree_holds_as_it_is_served_is_a_link(cohort: Cohort, tmp_path: Path) -> None:
    anew = {key: place(cohort[1], key, tmp_path / f"{key}.nii.gz").anew for key in cohort.keys}
    assert anew == {
        "t2": "", "all": "", "lesion": "", "dce": "several files as one", "high": "some of its volumes",
        "adc": "scaled to 1e-6 mm2/s",
    }  # fmt: skip
    links = {key for key in anew if (tmp_path / f"{key}.nii.gz").is_symlink()}
    assert links == {"t2", "all", "lesion"}
    assert (tmp_path / "t2.nii.gz").resolve() == Path(cohort[1]["t2"])


def test_an_adc_that_is_already_in_the_unit_is_not_written_anew(cohort: Cohort, tmp_path: Path) -> None:
    factors = {sample["sample_id"]: sample["adc.factor"] for sample in cohort}
    unscaled = next(n for n, sample in enumerate(cohort) if factors[sample["sample_id"]] == 1.0)
    assert place(cohort[unscaled], "adc", tmp_path / "x.nii.gz").anew == ""


def test_a_copy_is_no_link_and_has_the_same_bytes(cohort: Cohort, tmp_path: Path) -> None:
    place(cohort[0], "t2", tmp_path / "x.nii.gz", copy=True)
    assert not (tmp_path / "x.nii.gz").is_symlink()
    assert (tmp_path / "x.nii.gz").read_bytes() == Path(cohort[0]["t2"]).read_bytes()


def test_the_same_file_is_the_same_bytes_and_the_bytes_those_of_content(cohort: Cohort, tmp_path: Path) -> None:
    for key in cohort.keys:
        first, second = tmp_path / f"1-{key}.nii.gz", tmp_path / f"2-{key}.nii.gz"
        place(cohort[0], key, first)
        place(cohort[0], key, second)
        assert first.read_bytes() == second.read_bytes() == content(cohort[0], key)[0]


def test_several_lesions_become_their_union_and_regions_a_mask(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    image = tree.image("01", "T2w", {"sequence": "T2w"})
    one, two = np.zeros((2, 6, 5, 4), np.uint8)
    one[1, 1, 1] = two[2, 2, 2] = 1
    for name, array in (("lesion1", one), ("lesion2", two)):
        path = tree.mask(image, name, array=array)
        sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
        sidecar.write_text(sidecar.read_text().replace('"Label": "' + name, '"Label": "lesion'))
    cohort = Database(tree.finish(), index=None).cohort(
        images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion", scope="annotations")}
    )
    placed = place(cohort[0], "lesion", tmp_path / "x.nii.gz")
    assert placed.anew == "the union of several masks"
    assert np.array_equal(np.asarray(nib.load(tmp_path / "x.nii.gz").dataobj), one | two)


def test_what_is_missing_is_not_there_and_is_said(cohort: Cohort, tmp_path: Path) -> None:
    sample = {**cohort[0], "t2": ""}
    assert place(sample, "t2", tmp_path / "x.nii.gz").path is None
    assert content(sample, "t2") == (None, "")
    assert list(tmp_path.iterdir()) == []


def test_an_uncompressed_image_is_compressed_not_linked_under_a_wrong_name(cohort: Cohort, tmp_path: Path) -> None:
    write_nifti(tmp_path / "in.nii", voxels((3, 3, 2)), AFFINE)
    sample = {**cohort[0], "t2": str(tmp_path / "in.nii")}
    assert place(sample, "t2", tmp_path / "x.nii.gz").anew == "compressed"
    assert np.array_equal(np.asarray(nib.load(tmp_path / "x.nii.gz").dataobj), voxels((3, 3, 2)))


def test_the_rows_of_one_label_of_a_table_are_taken(tmp_path: Path) -> None:
    table = tmp_path / "boxes.tsv"
    table.write_text("label\tlesion\ti1\tj1\tk1\ti2\tj2\tk2\nnodule\t1\t0\t0\t0\t2\t2\t2\ncyst\t1\t1\t1\t1\t3\t3\t3\n")
    sample = {"sample_id": "a", "box": str(table), "box.table": "boxes", "box.rows": ["cyst"]}
    assert place(sample, "box", tmp_path / "out.tsv").anew == "some of its rows"
    assert (tmp_path / "out.tsv").read_text().splitlines() == [
        "label\tlesion\ti1\tj1\tk1\ti2\tj2\tk2", "cyst\t1\t1\t1\t1\t3\t3\t3",
    ]  # fmt: skip
    assert place({**sample, "box.rows": []}, "box", tmp_path / "all.tsv").anew == ""


def test_a_damaged_file_is_named_with_participant_and_session_and_nothing_is_left(
    cohort: Cohort, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(Path(cohort[0]["adc"]).read_bytes()[:60])
    sample = {**cohort[1], "adc": str(bad)}
    with pytest.raises(ReadError, match=r"sub-02 ses-01: adc: .*bad\.nii\.gz"):
        place(sample, "adc", tmp_path / "out" / "x.nii.gz")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_by(target, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["x"] and target.read_text() == "old"


@settings(max_examples=25, deadline=None)
@given(
    dtype=st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]),
    slope=st.sampled_from([1.0, 0.5, 3.0]),
    inter=st.sampled_from([0.0, -10.0]),
    factor=st.sampled_from([1.0, 1000.0, 1e-3]),
    count=st.integers(1, 3),
)
def test_whatever_the_type_and_scale_an_exported_file_is_physical(
    dtype: type, slope: float, inter: float, factor: float, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("law")
    arrays = [voxels((3, 4, 2), seed, dtype) % 100 for seed in range(count)]
    paths = [folder / f"{n}.nii.gz" for n in range(count)]
    for path, array in zip(paths, arrays, strict=True):
        write_nifti(path, array, AFFINE, None if (slope, inter) == (1.0, 0.0) else (slope, inter))
    sample = {"sample_id": "a", "x": [str(path) for path in paths], "x.factor": factor, "x.unit": "u"}
    place(sample, "x", folder / "out.nii.gz")
    values = np.asarray(nib.load(folder / "out.nii.gz").dataobj).reshape(3, 4, 2, count)
    for n, array in enumerate(arrays):
        expected = (array.astype(np.float64) * slope + inter) * factor
        assert np.allclose(values[..., n], expected, rtol=1e-6, atol=1e-6)
