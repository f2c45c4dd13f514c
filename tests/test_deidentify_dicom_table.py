"""Every row of PS3.15 Table E.1-1, set once on an MR object at its top level, in a sequence that passes and in one that
does not: the action of the row is observed, and nothing of the value is in the file."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from dicommaker import context, file_bytes, mr_object
from pydicom import dcmread
from pydicom.dataset import Dataset

from trialbids.exporter.deidentify.dicom import deidentify_object
from trialbids.exporter.deidentify.dicom.encode import element
from trialbids.mappings.confidentiality import Row, settled, table
from trialbids.mappings.iods import iods

CLAIMED = ("patient", "modified_dates")
OWN = {0x00120010: "REMOVED", 0x00120020: "REMOVED", 0x00120030: "S1", 0x00120050: "01"}
LABELLED = (0x00100010, 0x00100020, 0x00120040)
EXAMPLES = {"50XXXXXX": 0x50020110, "60XX3000": 0x60003000, "60XX4000": 0x60024000, "ODDXXXXX": 0x00291040}
CANARIES: dict[str, Any] = {
    "DA": "19610812", "TM": "131415.161718", "DT": "19610812131415.161718", "AS": "093W", "DS": "610812.17",
    "IS": "61081217", "UI": "1.2.826.0.1.61081217", "US": 0x5151, "SS": 0x5151, "UL": 0x51525354, "SL": 0x51525354,
    "FL": 610812.125, "FD": 610812.1719, "AT": 0x51535155, "OB": b"CANARYSEVEN!", "OW": b"CANARYSEVEN!",
    "UN": b"CANARYSEVEN!", "OF": b"CANARYSEVEN!", "PN": "Canaryseven^Yolanda", "AE": "CANARYSEVEN", "SH": "CANARYSEVEN",
    "UR": "http://canaryseven.example", "SV": 0x5152535455, "UV": 0x5152535455,
}  # fmt: skip


def canary(vr: str) -> tuple[str, Any]:
    """A VR that can be written, and a value of it."""
    vr = vr.split(" ")[0] or "LO"
    if vr == "SQ":
        item = Dataset()
        item.add_new(0x00080104, "LO", "CANARYSEVEN")
        return vr, [item]
    return vr, CANARIES.get(vr, "CANARYSEVEN")


def planted(row: Row) -> tuple[int, bytes]:
    """The tag, and an object that holds it three times."""
    tag = EXAMPLES[row.pattern] if row.tag is None else row.tag
    vr, value = canary(row.vr or ("OW" if row.pattern.startswith(("5", "60XX3")) else "LO"))
    ds = mr_object()
    if tag == 0x00020003:
        ds.file_meta.MediaStorageSOPInstanceUID = value
        return tag, file_bytes(ds)
    if tag < 0x00020000:
        data = file_bytes(ds)
        at = data.index(bytes.fromhex("08000800"), 132)
        return tag, data[:at] + element(tag, vr.encode(), value.encode()) + data[at:]
    if tag >> 16 & 1:
        ds.add_new(0x00290010, "LO", "CANARYSEVEN")
    for holder in (ds, Dataset(), Dataset()):
        holder.add_new(tag, vr, value)
        if holder is not ds:
            key = (
                "DimensionOrganizationSequence"
                if "DimensionOrganizationSequence" not in ds
                else "ReferencedImageSequence"
            )
            setattr(ds, key, [holder])
    return tag, file_bytes(ds)


def traces(row: Row) -> list[bytes]:
    """What of the canary must not be found in the output."""
    vr, value = canary(row.vr)
    if vr in ("US", "SS", "AS"):  # too short to search for among other bytes
        return [b"CANARYSEVEN"]
    one = value if isinstance(value, bytes) else b"CANARYSEVEN" if vr == "SQ" else None
    if one is None:
        holder = Dataset()
        holder.add_new(0x00091001, vr, value)
        stream = BytesIO()
        holder.save_as(stream, implicit_vr=False, little_endian=True)
        one = stream.getvalue()[8 if vr not in ("UT", "UC", "UR", "SV", "UV") else 12 :].rstrip(b" \0")
    return [one, b"CANARYSEVEN"]


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row.pattern} {row.name}")
def test_the_action_of_the_row_is_observed(row: Row):
    tag, data = planted(row)
    out = deidentify_object(data, context())
    for trace in traces(row):
        assert trace not in out
    ds = dcmread(BytesIO(out))
    mr = iods().iods[str(ds.SOPClassUID)]
    kind = "1" if tag in mr.type1 else "2" if tag in mr.type2 else "3"
    action = settled(row.action(CLAIMED), kind)
    found = ds.file_meta if tag >> 16 == 2 else ds
    value = str(found[tag].value) if tag in found else None
    if tag in LABELLED:
        assert value == "SUB7"
    elif tag in OWN:
        assert value == OWN[tag]
    elif action == "U":
        assert value is None or value.startswith("2.25.")
    elif kind == "2":
        assert value is not None  # a type 2 stays present
    elif action == "X":
        assert value is None
    if action == "Z" and tag not in (*LABELLED, *OWN):
        assert not value or value == "[]"


def test_what_the_profile_empties_stays_present_where_the_iod_has_it():
    ds = mr_object(ConsultingPhysicianName="Canary^Yolanda")
    out = dcmread(BytesIO(deidentify_object(file_bytes(ds), context())))
    for keyword in (
        "AccessionNumber",
        "ReferringPhysicianName",
        "StudyID",
        "PatientBirthDate",
        "ConsultingPhysicianName",
    ):
        assert out[keyword].is_empty


def test_an_age_is_kept_in_years_by_the_option_that_is_claimed():
    out = dcmread(BytesIO(deidentify_object(file_bytes(mr_object(PatientAge="097Y", PatientSize=1.75)), context())))
    assert out.PatientAge == "089Y"
    assert out.PatientSex == "F"
    assert "PatientSize" not in out
