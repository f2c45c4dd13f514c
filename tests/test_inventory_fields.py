"""Which attributes the sources have: gathered with the headers, exact, and kept from run to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from inventorymaker import encoded, enhanced, groups, image, item
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.inventory.attributes import kind_of, name_of, tags_of
from trialbids.exporter.inventory.run import Inventory, scan
from trialbids.exporter.progress import Silent
from trialbids.mappings.fields import allow_list


def scanned(folder: Path, store: Path) -> Inventory:
    return scan([folder], store, engine=Serial(), progress=Silent())


def names(inventory: Inventory) -> set[str]:
    """The names of all attributes that the inventory's objects have."""
    return {name_of(tag) for i in inventory.instances for tag in inventory.layouts[i.layout]}


def keywords(data: Dataset) -> set[str]:
    """The same by pydicom, of the top level."""
    return {name_of(int(tag)) for tag in data.keys() if tag != 0x7FE00010}  # noqa: SIM118


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_attribute_counts_whatever_the_encoding(syntax: str, tmp_path: Path) -> None:
    data = image(SliceLocation=1.5, PatientComments="x")
    data.add_new(0x00091001, "LO", "private")
    data.ReferencedImageSequence = Sequence([image()])
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(encoded(data, syntax))
    inventory = scanned(tmp_path / "in", tmp_path / "store")
    assert names(inventory) == keywords(data) > {"SliceLocation", "PatientComments", "(0009,1001)"}


def test_functional_groups_count_and_every_frame_bears_them(tmp_path: Path) -> None:
    shared = groups(MRTimingAndRelatedParametersSequence=item(RepetitionTime=500.0))
    frame = groups(MREchoSequence=item(EffectiveEchoTime=30.0))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(encoded(enhanced(shared, [frame, frame]), ExplicitVRLittleEndian))
    inventory = scanned(tmp_path / "in", tmp_path / "store")
    assert {"RepetitionTime", "EffectiveEchoTime"} <= names(inventory)
    assert len(inventory.instances) == 2 and len(inventory.layouts) == 1


def test_a_second_run_knows_them_and_a_lost_file_takes_its_own_along(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n, extra in enumerate(({"SliceLocation": 1.0}, {"KVP": 120}), start=1):
        (folder / f"{n}.dcm").write_bytes(encoded(image(n, **extra), ExplicitVRLittleEndian))
    first = scanned(folder, tmp_path / "store")
    again = scanned(folder, tmp_path / "store")
    assert (again.n_reused, again.layouts) == (2, first.layouts) and len(first.layouts) == 2
    (folder / "2.dcm").unlink()
    left = scanned(folder, tmp_path / "store")
    assert "KVP" not in names(left) and "SliceLocation" in names(left)
    (folder / "3.dcm").write_bytes(encoded(image(3, PatientComments="x"), ExplicitVRLittleEndian))
    assert "PatientComments" in names(scanned(folder, tmp_path / "store"))


def test_the_engine_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialbids.exporter.inventory.run.BATCH_FILES", 3)
    folder = tmp_path / "in"
    folder.mkdir()
    extras: list[dict[str, Any]] = [{}, {"SliceLocation": 1.0}, {"KVP": 120}]
    for n in range(12):
        (folder / f"{n}.dcm").write_bytes(encoded(image(n, **extras[n % 3]), ExplicitVRLittleEndian))
    serial = scanned(folder, tmp_path / "one")
    with Processes(2) as engine:
        several = scan([folder], tmp_path / "two", engine=engine, progress=Silent())
    assert (several.layouts, several.instances) == (serial.layouts, serial.instances)


def test_real_headers_count_as_pydicom_counts_them(real_data: Path, tmp_path: Path) -> None:
    inventory = scanned(real_data / "dicom" / "dcm_qa_nih", tmp_path / "store")
    for i in inventory.instances[::40]:
        data = pydicom.dcmread(i.path, stop_before_pixels=True, force=True)
        assert {name_of(t) for t in inventory.layouts[i.layout]} == {
            name for name in keywords(data) if not name.endswith(",0000)") and "GroupLength" not in name
        }


def test_every_field_of_the_allow_list_is_read_from_somewhere() -> None:
    assert all(tags_of(f.keyword) for f in (*allow_list().fields, *allow_list().device))
    assert tags_of("EchoTime") >= {0x00180081, 0x00189082}
    assert 0x0019100C in tags_of("DiffusionBValue")


def test_what_names_a_person_cannot_be_offered_for_release() -> None:
    assert (kind_of(0x00280002), kind_of(0x00280004)) == ("number", "words")
    assert (kind_of(0x00100010), kind_of(0x0019100C)) == ("", "")
