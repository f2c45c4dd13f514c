"""The demonstration trial: what it holds, that the real converter reads it, and that it never varies."""

from __future__ import annotations

import csv
import io
import subprocess
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
import pydicom
import pytest
import yaml
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import ImplicitVRLittleEndian

from trialbids.exporter.demo.generate import DemoTrial, make_trial, people_of
from trialbids.exporter.demo.geometry import Grid
from trialbids.exporter.demo.phantom import LESION, Phantom
from trialbids.exporter.demo.signal import Scanner, fit_adc
from trialbids.mappings.vocabulary import vocabulary


@dataclass(frozen=True)
class Trial:
    """The trial of all tests, every file of it, and every readable data set by SeriesInstanceUID."""

    folder: Path
    written: DemoTrial
    files: dict[str, bytes]
    series: dict[str, list[Dataset]]
    raw: dict[str, list[bytes]]
    truth: list[dict[str, str]]

    def rows(self, **cells: str) -> list[dict[str, str]]:
        return [row for row in self.truth if all(row[name] == value for name, value in cells.items())]

    def of(self, row: dict[str, str]) -> list[Dataset]:
        return self.series[row["series_uid"]]


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from ((f"{path.name}/{name}", archive.read(name)) for name in archive.namelist())
    elif path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            for member in archive:
                opened = archive.extractfile(member)
                assert opened is not None
                yield f"{path.name}/{member.name}", opened.read()
    else:
        yield path.name, path.read_bytes()


def read(data: bytes) -> Dataset | None:
    """The data set of a file, also of one without preamble; None where it is no DICOM."""
    try:
        return pydicom.dcmread(io.BytesIO(data))
    except InvalidDicomError:
        if data[:4] != b"\x08\x00\x05\x00":
            return None
        ds = pydicom.dcmread(io.BytesIO(data), force=True)
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        return ds
    except EOFError:
        return None


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("demo trial")
    written = make_trial(folder)
    files: dict[str, bytes] = {}
    series: dict[str, list[Dataset]] = defaultdict(list)
    raw: dict[str, list[bytes]] = defaultdict(list)
    for path in sorted(p for p in written.sources[0].rglob("*") if p.is_file()):
        for name, data in members(path):
            relative = path.parent.relative_to(folder) / name
            files[str(relative)] = data
            ds = read(data)
            if ds is not None and "SeriesInstanceUID" in ds:
                series[ds.SeriesInstanceUID].append(ds)
                raw[ds.SeriesInstanceUID].append(data)
    with written.truth.open(encoding="utf-8", newline="") as opened:
        truth = list(csv.DictReader(opened))
    return Trial(folder, written, files, dict(series), dict(raw), truth)


def convert(files: list[bytes], folder: Path) -> list[nib.Nifti1Image]:
    """What the real dcm2niix makes of some objects."""
    source, out = folder / "in", folder / "out"
    for place in (source, out):
        place.mkdir(parents=True)
    for k, data in enumerate(files):
        (source / f"{k}.dcm").write_bytes(data)
    command = [dcm2niix.bin, "-z", "n", "-b", "n", "-d", "0", "-f", "x", "-o", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    images = [nib.load(path) for path in sorted(out.glob("*.nii"))]
    assert all(isinstance(image, nib.Nifti1Image) for image in images)
    return [image for image in images if isinstance(image, nib.Nifti1Image)]


def pixels(datasets: list[Dataset]) -> np.ndarray:
    """Stored values (slices, rows, columns), in the order of position along the normal."""
    if len(datasets) == 1:
        return np.atleast_3d(datasets[0].pixel_array)
    orientation = np.array(datasets[0].ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    ordered = sorted(datasets, key=lambda ds: float(np.array(ds.ImagePositionPatient, float) @ normal))
    return np.stack([ds.pixel_array for ds in ordered])


def test_same_seed_same_bytes_other_seed_other_patients(tmp_path: Path):
    make_trial(tmp_path / "a", patients=1, seed=3)
    make_trial(tmp_path / "b", patients=1, seed=3)
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*") if p.is_file()}
    second = {p.relative_to(tmp_path / "b"): p.read_bytes() for p in (tmp_path / "b").rglob("*") if p.is_file()}
    assert first == second
    assert people_of(1, seed=3) != people_of(1, seed=4)


def test_no_patients_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="at least one patient"):
        make_trial(tmp_path, patients=0)


def test_more_patients_than_names_are_all_different():
    people = people_of(9)
    assert len({p.name for p in people}) == len({p.id for p in people}) == 9


def test_truth_speaks_the_vocabulary(trial: Trial):
    for row in trial.truth:
        for name, attribute in vocabulary().items():
            for word in row.get(name, "").split("|"):
                assert attribute.kind not in ("word", "words") or word in (*attribute.values, "", "-", "*"), (
                    name,
                    word,
                )


def test_truth_names_every_series_and_counts_its_files(trial: Trial):
    assert {row["series_uid"] for row in trial.truth} == set(trial.series)
    for row in trial.truth:
        assert int(row["n_files"]) == len(trial.of(row))
        assert any(name.startswith(row["path_prefix"] + "/") for name in trial.files), row["path_prefix"]


def test_three_vendors_two_visits_and_small(trial: Trial):
    assert {r["manufacturer"] for r in trial.truth} >= {"SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems"}
    visits = defaultdict(set)
    for datasets in trial.series.values():
        visits[datasets[0].PatientID].add(datasets[0].StudyDate)
    assert sorted(len(v) for v in visits.values()) == [1, 1, 1, 1, 1, 2]
    assert sum(p.stat().st_size for p in trial.folder.rglob("*") if p.is_file()) < 40e6


def test_every_readable_image_decodes(trial: Trial):
    broken = {row["series_uid"] for row in trial.rows(decision="quarantine")}
    for uid, datasets in trial.series.items():
        for ds in datasets:
            if "Rows" in ds and uid not in broken:
                assert ds.pixel_array.size >= ds.Rows * ds.Columns


def test_geometry_of_the_sagittal_t2_and_its_mask_are_those_of_dcm2niix(trial: Trial, tmp_path: Path):
    with trial.written.annotations.open(encoding="utf-8", newline="") as opened:
        drawn = [row for row in csv.DictReader(opened) if row["file"].endswith(".nii.gz")]
    assert len(drawn) == 7
    for k, row in enumerate(drawn):
        (image,) = convert(trial.raw[row["series_uid"]], tmp_path / str(k))
        mask = nib.load(trial.folder / row["file"])
        assert isinstance(mask, nib.Nifti1Image)
        assert mask.shape == image.shape
        assert image.affine is not None
        np.testing.assert_allclose(mask.affine, image.affine, atol=1e-3)
        inside = np.asanyarray(mask.dataobj).astype(bool)
        assert 50 < inside.sum() < 2000
        stored = np.asanyarray(image.dataobj.get_unscaled())
        expected = Grid.to_nifti(pixels(trial.series[row["series_uid"]]).astype(np.uint16))
        np.testing.assert_array_equal(stored, expected)


def test_trace_and_adc_convert_and_follow_the_exponential(trial: Trial, tmp_path: Path):
    with_trace = [row for row in trial.rows(sequence="trace") if row["manufacturer"] == "Philips Medical Systems"][:1]
    with_trace += [row for row in trial.rows(sequence="trace") if row["manufacturer"] != "Philips Medical Systems"][:2]
    for k, row in enumerate(with_trace):
        (adc_row,) = trial.rows(sequence="ADC", acquisition=row["acquisition"])
        (trace,) = convert(trial.raw[row["series_uid"]], tmp_path / f"trace{k}")
        (adc,) = convert(trial.raw[adc_row["series_uid"]], tmp_path / f"adc{k}")
        bvalues = [float(b) for b in row["bvalues"].split()]
        assert trace.shape == (*adc.shape, len(bvalues))
        signal, values = trace.get_fdata(), adc.get_fdata()
        wet = (values > 500) & (signal[..., -1] > 0.05 * signal[..., 0].max())
        measured = np.log(signal[wet, 0] / signal[wet, -1]) / (bvalues[-1] - bvalues[0]) * 1e6
        assert np.corrcoef(measured, values[wet])[0, 1] > 0.95
        assert np.median(np.abs(measured / values[wet] - 1)) < 0.1


@pytest.mark.parametrize(
    ("manufacturer", "tags"),
    [
        ("SIEMENS", {(0x0019, 0x100C): (50, 400, 1000)}),
        ("GE MEDICAL SYSTEMS", {(0x0043, 0x1039): (0, 1000000800)}),
        ("Philips Medical Systems", {(0x2001, 0x1003): (0, 400, 1000), (0x0018, 0x9087): (0, 400, 1000)}),
    ],
)
def test_b_values_stand_in_the_vendor_tags(
    trial: Trial, manufacturer: str, tags: dict[tuple[int, int], tuple[int, ...]]
):
    row = trial.rows(sequence="trace", manufacturer=manufacturer)[0]
    for tag, expected in tags.items():
        in_order = [
            int(np.atleast_1d(ds[tag].value)[0]) for ds in sorted(trial.of(row), key=lambda d: d.InstanceNumber)
        ]
        assert in_order == [b for b in expected for _ in range(len(in_order) // len(expected))]


def test_each_vendor_stores_the_dynamic_scan_in_its_own_way(trial: Trial):
    scans = defaultdict(list)
    for row in trial.rows(sequence="DCE"):
        scans[row["acquisition"]].append(row)
    assert len(scans) == 6 and all(len(rows) >= 5 for rows in scans.values())
    for rows in scans.values():
        series = {row["series_uid"] for row in rows}
        first = trial.of(rows[0])
        match rows[0]["manufacturer"]:
            case "SIEMENS":
                assert len(series) == len(rows)
                times = [trial.of(row)[0].AcquisitionTime for row in rows]
                assert times == sorted(set(times))
                assert [trial.of(row)[0].AcquisitionNumber for row in rows] == list(range(1, len(rows) + 1))
            case "GE MEDICAL SYSTEMS":
                assert len(series) == 1 and "TemporalPositionIdentifier" not in first[0]
                assert len({ds.TriggerTime for ds in first}) == len({ds.AcquisitionNumber for ds in first}) == len(rows)
            case _:
                assert len(series) == 1
                assert len({ds.TemporalPositionIdentifier for ds in first}) == len(rows)


def test_contrast_arrives_and_the_bladder_stays_dark(trial: Trial):
    rows = [row for row in trial.rows(sequence="DCE") if row["manufacturer"] == "SIEMENS"][:6]
    volumes = [pixels(trial.of(row)).astype(float) for row in rows]
    ratio = np.mean(volumes[-2:], axis=0)[volumes[0] > 150] / volumes[0][volumes[0] > 150]
    assert np.percentile(ratio, 99) > 1.5
    assert np.percentile(ratio, 20) < 1.2
    assert [row["agent"] for row in rows[:2]] == ["without|unknown", "with"]


@pytest.mark.parametrize(("score", "bright_t2", "low_adc"), [(2, True, False), (5, False, True)])
def test_the_lesion_looks_as_its_score_says(score: int, bright_t2: bool, low_adc: bool):
    phantom = Phantom(score, (30.0, 2.0, 26.0), 15.0)
    scanner = Scanner(phantom, np.random.default_rng(0))
    grid = Grid("ax", (64, 64), 5.0, 5, 5.0, 5.0, (0.0, 0.0, 26.0))
    labels = phantom.labels(grid.points())
    t2 = scanner.spin_echo(grid, 4500, 100)
    _, adc = scanner.diffusion(grid, (0.0, 400.0, 1000.0), 65)
    assert (np.median(t2[labels == LESION]) > 1.5 * np.median(t2[labels == 5])) == bright_t2
    assert (np.median(adc[labels == LESION]) < 1200) == low_adc


def test_adc_fit_recovers_the_slope_it_was_given():
    truth = np.linspace(400, 3000, 60).reshape(3, 4, 5)
    traces = {b: 2000 * np.exp(-b * truth * 1e-6) for b in (50.0, 400.0, 1000.0)}
    np.testing.assert_allclose(fit_adc(traces, floor=10), truth, rtol=1e-9)


def test_dixon_products_add_up(trial: Trial):
    rows = {row["dixon"]: row for row in trial.truth if row["acquisition"] == "p0v1-dixon"}
    image = {product: pixels(trial.of(row)).astype(float) for product, row in rows.items()}
    assert set(image) == {"inphase", "opposed", "water", "fat"}
    np.testing.assert_allclose(image["water"] + image["fat"], image["inphase"], atol=2)
    np.testing.assert_allclose(np.abs(image["water"] - image["fat"]), image["opposed"], atol=2)
    ge = [row for row in trial.truth if row["acquisition"] == "p1v1-dixon"]
    assert len(ge) == 4 and len({row["series_uid"] for row in ge}) == 1


def test_the_faults_are_there(trial: Trial):
    (resent,) = [row for row in trial.truth if "sent twice" in row["note"]]
    objects = [ds.SOPInstanceUID for ds in trial.of(resent)]
    assert len(objects) == 2 * len(set(objects))
    (lost,) = [row for row in trial.truth if "missing slice" in row["defect"]]
    along = sorted(float(ds.SliceLocation) for ds in trial.of(lost))
    assert np.diff(along).max() == pytest.approx(2 * np.median(np.diff(along)), rel=1e-3)
    (wrong,) = [row for row in trial.truth if "contradicts" in row["note"]]
    ds = trial.of(wrong)[0]
    assert wrong["sequence"] == "T2w" and ds.SeriesDescription.startswith("T1") and ds.EchoTime > 80
    (cut,) = [row for row in trial.truth if "truncated" in row["defect"]]
    ds = trial.of(cut)[0]
    assert len(ds.PixelData) < ds.Rows * ds.Columns * 2


def test_the_delivery_is_a_mess(trial: Trial):
    names = list(trial.files)
    assert any(".zip/" in name for name in names) and any(".tar.gz/" in name for name in names)
    assert any(name.endswith("DICOMDIR") for name in names) and any(name.endswith("Thumbs.db") for name in names)
    assert any(not Path(name).suffix for name in names) and any(" " in name for name in names)
    assert any(len(data) == 0 for data in trial.files.values())
    bare = [data for data in trial.files.values() if data[:4] == b"\x08\x00\x05\x00"]
    assert len(bare) == 1 and b"DICM" not in bare[0][:200]
    assert any(datasets[0].get("NumberOfFrames", 1) > 1 for datasets in trial.series.values())
    assert {ds[0].Modality for ds in trial.series.values()} >= {"MR", "SR", "PR"}
    (shot,) = [ds[0] for ds in trial.series.values() if ds[0].get("PhotometricInterpretation") == "RGB"][:1]
    assert shot.SOPClassUID.name == "Secondary Capture Image Storage"


def test_identifiers_stand_everywhere(trial: Trial):
    for person in people_of():
        own = [ds[0] for ds in trial.series.values() if ds[0].PatientID == person.id]
        image = next(ds for ds in own if ds.Modality == "MR" and "RequestAttributesSequence" in ds)
        assert str(image.PatientName) == person.name and image.PatientBirthDate == f"{person.birth:%Y%m%d}"
        assert person.family in image.StudyDescription and person.family in image.ImageComments
        assert image.RequestAttributesSequence[0].RequestingPhysician == person.centre.referrer
        private = " ".join(str(e.value) for e in image.iterall() if e.tag.is_private)
        assert person.family in private


def test_the_tables_fit_the_images(trial: Trial):
    configuration = yaml.safe_load(trial.written.configuration.read_text(encoding="utf-8"))
    assert list(configuration) == [
        *[
            "trial",
            "sources",
            "output",
            "work",
            "subject",
            "session",
            "site",
            "protocol",
            "clinical",
            "criteria",
            "annotations",
        ]
    ]
    with trial.written.clinical.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    ids = {ds[0].PatientID for ds in trial.series.values()}
    orphans = {row["patient_id"] for row in rows} - ids
    assert len(orphans) == 1 and ids <= {row["patient_id"] for row in rows}
    assert set(configuration["clinical"][0]["columns"]) <= set(rows[0])
    assert all(2 <= int(row["orads_score"]) <= 5 for row in rows)
    with (trial.folder / "sites.csv").open(encoding="utf-8", newline="") as opened:
        sites = {row["InstitutionName"]: row["site"] for row in csv.DictReader(opened)}
    assert {ds[0].InstitutionName for ds in trial.series.values()} == set(sites)
