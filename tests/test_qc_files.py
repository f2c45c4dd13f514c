"""Checks of files and headers: each fault is found where it is, and sound objects raise nothing."""

from __future__ import annotations

from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inventorymaker import UID, encoded, image, row, rows, write
from pydicom.uid import ExplicitVRLittleEndian
from seriesmaker import CT, records_of, series, stacks_of

from trialbids.exporter.engine import Serial
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.private import disagreeing
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.inventory.syntax import fits, is_decodable
from trialbids.exporter.inventory.unreadable import Unreadable
from trialbids.exporter.plan.visits import Visit, Visits
from trialbids.exporter.progress import Silent
from trialbids.exporter.qc.check import run_checks
from trialbids.exporter.qc.headers.files import file_checks, unreadable_findings
from trialbids.exporter.qc.headers.run import check_headers
from trialbids.exporter.qc.views import Series
from trialbids.mappings.iods import iods

SOUND = {
    "SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12, "PixelRepresentation": 0,
    "transfer_syntax": ExplicitVRLittleEndian, "ScanningSequence": ("SE",), "SequenceVariant": ("SK",),
    "EchoTime": 90.0, "RepetitionTime": 4000.0, "FlipAngle": 150.0, "SliceThickness": 3.0,
}  # fmt: skip

PYDICOM = "1.2.826.0.1.3680043.8.498."
VISITS = Visits({("P", "S"): Visit("A1", "01", "1", "P", "S", "", None)}, (), {}, lambda i: "P", lambda i: "S")


def found(instances, layouts=None):
    """Code and severity of all that the checks of files say of a series."""
    view = Series("1.2", tuple(instances), ())
    return {(f.check, f.severity): f for f in run_checks(file_checks(layouts or {}), view, "1.2")}


def sound(**changes):
    return series(1, 5, **SOUND | changes)


def test_a_sound_series_raises_nothing():
    assert found(sound()) == {}


@pytest.mark.parametrize("change", [{"pixel_length": 127}, {"Columns": 9}, {"NumberOfFrames": 2}])
def test_pixel_data_shorter_than_their_shape_are_found_in_the_one_object(change):
    instances = sound()
    instances[2] = replace(instances[2], **change)
    finding = found(instances)["F02", "error"]
    assert finding.evidence.instances == (instances[2].key,)


def test_compressed_pixel_data_and_bitmaps_are_not_measured_as_bytes():
    assert found(sound(pixel_length=-1)) == {}
    assert found(sound(pixel_length=8, BitsAllocated=1, BitsStored=1)) == {}
    assert found(sound(pixel_length=100, transfer_syntax="1.2.840.10008.1.2.4.50")) == {}


@pytest.mark.parametrize(
    "keyword", ["SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "PixelRepresentation", "Rows"]
)
def test_an_attribute_without_which_pixels_cannot_be_decoded_is_an_error(keyword):
    instances = sound()
    instances[0] = replace(instances[0], **{keyword: "" if keyword[:2] == "Ph" else None})
    finding = found(instances)["F05", "error"]
    assert finding.evidence.key == keyword and len(finding.evidence.instances) == 1


@pytest.mark.parametrize(
    ("change", "code"), [({"Rows": None}, "F05"), ({"pixel_length": None}, "F02"), ({"pixel_length": 0}, "F02")]
)
def test_a_slice_that_is_no_image_for_what_it_lacks_blocks_the_volume_that_lacks_it(change, code):
    instances = sound()
    instances[4] = replace(instances[4], **change)
    stacking = stacks_of(instances)
    found = check_headers(stacking, records_of(instances), VISITS)
    (finding,) = (f for f in found if (f.check, f.severity) == (code, "error"))
    (volume,) = [s for s in stacking.stacks if s.is_image]
    assert volume.stack_id in finding.stacks and len(volume.instances) == 4


def test_a_required_attribute_that_is_absent_or_empty_is_a_warning():
    required = iods().iods[CT].type1
    whole = sound(
        SOPClassUID=CT, Modality="CT", layout="a", RescaleSlope=1.0, RescaleIntercept=0.0, StudyDate="20200101"
    )
    assert found(whole, {"a": required}) == {}
    slope = 0x00281053
    assert found(whole, {"a": required - {slope}})["F05", "warning"].evidence.key == "RescaleSlope"
    empty = [replace(i, ImageType=()) for i in whole]
    assert found(empty, {"a": required})["F05", "warning"].evidence.key == "ImageType"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"EchoTime": 0.09}, "EchoTime"),
        ({"EchoTime": 90_000.0}, "EchoTime"),
        ({"EchoTime": -1.0}, "EchoTime"),
        ({"EchoTime": 4000.0}, "EchoTime"),
        ({"EchoTime": 2900.0, "RepetitionTime": 2900.0}, "EchoTime-RepetitionTime"),
        ({"RepetitionTime": 0.0}, "RepetitionTime"),
        ({"RepetitionTime": 4.0}, "RepetitionTime"),
        ({"FlipAngle": 0.0}, "FlipAngle"),
        ({"FlipAngle": -5.0}, "FlipAngle"),
        ({"MagneticFieldStrength": 30_000.0}, "MagneticFieldStrength"),
        ({"MagneticFieldStrength": 0.01}, "MagneticFieldStrength"),
        ({"SliceThickness": 0.0}, "SliceThickness"),
        ({"SliceThickness": 0.003}, "SliceThickness"),
        ({"PatientAge": "112Y"}, "PatientAge"),
        ({"PatientBirthDate": "19000101", "StudyDate": "20200101"}, "PatientAge"),
    ],
)
def test_figures_that_cannot_be_are_found_on_originals_alone(change, key):
    view = Series("1.2", tuple(sound(**change)), ())
    assert key in {f.evidence.key for f in run_checks(file_checks({}), view) if f.check == "F06"}
    assert found(sound(**change, ImageType=("DERIVED", "SECONDARY"))) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"ScanningSequence": ("GR",), "EchoTime": 0.03, "RepetitionTime": 4.0, "FlipAngle": 5.0},
        {"EchoTime": 1200.0, "RepetitionTime": 4500.0, "SliceThickness": 60.0},
        {"ScanningSequence": ("EP",), "EchoTime": 60.0, "RepetitionTime": 15_000.0, "FlipAngle": 90.0},
        {"MagneticFieldStrength": 0.064},
        {"PatientAge": "011M"},
    ],
)
def test_rare_but_possible_figures_raise_nothing(change):
    assert found(sound(**change)) == {}


def test_the_reader_notes_another_uid_in_the_file_meta():
    assert row(image()).remarks == ()
    content = encoded(image()).replace(f"{UID}.3.1".encode(), f"{UID}.3.2".encode(), 1)
    instance = rows(content)[0]
    assert instance.remarks == ("meta-uid",)
    finding = found([replace(instance, layout="")])["F07", "error"]
    assert "another SOP instance" in finding.message and UID not in finding.message


@pytest.mark.parametrize(
    ("count", "root", "severity"), [(3, "1.2.3.", "warning"), (1, "1.2.3.", "error"), (1, f"{PYDICOM}1.", "warning")]
)
def test_only_a_series_given_new_identifiers_as_a_whole_may_keep_its_old_file_meta(count, root, severity):
    objects = [
        replace(i, remarks=("meta-uid",), SOPInstanceUID=f"{root}{k}", path=f"/data/{k % count}", frame=k + 1)
        for k, i in enumerate(sound())
    ]
    assert ("F07", severity) in found(objects)


@pytest.mark.parametrize(
    ("keywords", "remark"),
    [
        ({"SOPInstanceUID": "1.2.03"}, "syntax:SOPInstanceUID"),
        ({"StudyDate": "20201340"}, "syntax:StudyDate"),
        ({"Modality": ["MR", "CT"]}, "vm:Modality"),
        ({"PatientAge": "40"}, "syntax:PatientAge"),
    ],
)
def test_the_reader_notes_what_is_misspelled(keywords, remark):
    content = _unchecked(keywords)
    instance = rows(content)[0]
    assert remark in instance.remarks
    finding = found([replace(instance, layout="")])["F04", "info"]
    assert remark.partition(":")[2] in finding.message


def _unchecked(keywords):
    from pydicom import config

    before = config.settings.writing_validation_mode
    config.settings.writing_validation_mode = config.IGNORE
    config.settings.reading_validation_mode = config.IGNORE
    try:
        return encoded(image(**keywords))
    finally:
        config.settings.writing_validation_mode = before
        config.settings.reading_validation_mode = config.WARN


def test_the_reader_notes_text_that_its_character_set_cannot_have_written():
    content = encoded(image(PatientName="M?ller", SpecificCharacterSet="ISO_IR 192"))
    latin = rows(content.replace(b"M?ller", "Müller".encode("latin-1")))[0]
    assert latin.remarks == ("charset",)
    assert ("F08", "warning") in found([replace(latin, layout="")])
    declared = encoded(image(ReferringPhysicianName="M?ller", SpecificCharacterSet="ISO_IR 100"))
    assert rows(declared.replace(b"M?ller", "Müller".encode("latin-1")))[0].remarks == ()
    undeclared = encoded(image(ReferringPhysicianName="M?ller"))
    assert rows(undeclared.replace(b"M?ller", "Müller".encode("latin-1")))[0].remarks == ("charset",)


@pytest.mark.parametrize(
    ("term", "codec", "word"),
    [("ISO_IR 144", "iso8859_5", "Юлия"), ("GB18030", "gb18030", "山田"), ("ISO_IR 192", "utf-8", "Ærø"),
     ("ISO_IR 100", "latin-1", "Ærø"), ("ISO_IR 13", "shift_jis", "ﾔﾏﾀﾞ"), ("\\ISO 2022 IR 87", "iso2022_jp", "山田")],
)  # fmt: skip
def test_text_in_its_own_character_set_is_legible(term, codec, word):
    assert is_decodable(word.encode(codec), term.encode())


@pytest.mark.parametrize("term", ["", "ISO_IR 6", "ISO_IR 6  ", "ISO 2022 IR 6\\ISO 2022 IR 87", "ISO_IR 192"])
def test_the_default_repertoire_has_no_umlauts(term):
    assert not is_decodable("Müller".encode("latin-1"), term.encode())
    assert is_decodable(b"Mueller", term.encode())


@given(st.integers(1, 40), st.sampled_from(["1", "1-n", "2-n", "2-2n", "3", "1-3", "3-3n"]))
def test_multiplicities_are_those_of_the_dictionary(n, vm):
    allowed = {
        "1": n == 1,
        "1-n": True,
        "2-n": n >= 2,
        "2-2n": n % 2 == 0,
        "3": n == 3,
        "1-3": n <= 3,
        "3-3n": not n % 3,
    }
    assert fits(n, vm) == allowed[vm]


def test_sources_of_the_b_value_that_disagree_are_all_kept():
    said = image(Manufacturer="SIEMENS", DiffusionBValue=800.0)
    block = said.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "800")
    assert row(said).b_values_said == ()
    block.add_new(0x0C, "IS", "400")
    assert row(said).b_values_said == (400.0, 800.0) and row(said).b_value == 800.0
    assert disagreeing([1000.0, 999.6]) == ()


def test_the_vendors_count_of_slices_is_read():
    ge = image(Manufacturer="GE MEDICAL SYSTEMS")
    ge.private_block(0x0021, "GEMS_RELA_01", create=True).add_new(0x4F, "SS", 28)
    assert row(ge).slices_said == 28
    philips = image(Manufacturer="Philips")
    philips.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x18, "SL", 31)
    assert row(philips).slices_said == 31
    assert row(image()).slices_said is None


@pytest.mark.parametrize(
    ("path", "reason", "code", "severity"),
    [
        ("/x/IM0001", "empty", "F01", "error"),
        ("/x/1.2.840.99", "not-dicom", "F01", "error"),
        ("/x/slice.DCM", "not-dicom", "F01", "error"),
        ("/x/slice.strange", "empty", "F01", "error"),
        ("/x/a.dcm", "truncated", "F02", "error"),
        ("/x/notes.txt", "not-dicom", "F01", "info"),
        ("/x/mask.nii.gz", "not-dicom", "F01", "info"),
        ("/x/README", "not-dicom", "F01", "info"),
        ("/x/.DS_Store", "not-dicom", "F01", "info"),
        ("/x/DICOMDIR", "dicomdir", "F01", "info"),
    ],
)
def test_what_could_not_be_read_is_an_error_unless_its_name_says_that_it_is_no_image(path, reason, code, severity):
    item = Unreadable(path=path, reason=reason, message=f"{path} is private")
    (finding,) = unreadable_findings([item], [Instance(path="/y/1.strange")])
    assert (finding.check, finding.severity) == (code, severity)
    assert path not in finding.message and finding.evidence.instances == ((path, "", 0),)


def test_an_inventory_without_a_column_is_read_anew(tmp_path):
    write(tmp_path / "in" / "a.dcm", image())

    def again():
        return scan([tmp_path / "in"], tmp_path / "store", engine=Serial(), progress=Silent())

    again()
    assert again().n_reused == 1
    kept = tmp_path / "store" / "instances.parquet"
    table = pq.read_table(kept)
    pq.write_table(table.drop_columns(["remarks"]), kept)
    assert again().n_reused == 0 and again().instances[0].remarks == ()
