"""Identifying text is collected from every depth, encoding and character set while headers are read."""

from __future__ import annotations

import pytest
from inventorymaker import encoded, enhanced, groups, image, item, row, rows
from pydicom.datadict import dictionary_VR
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.pairs import join, split
from trialbids.mappings.identifiers import identifier_rules

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def pairs(instance: Instance) -> set[tuple[str, str]]:
    """Kinds and values."""
    return set(split(instance.identities))


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 30])
def test_names_are_found_at_every_depth(syntax: str, undefined: bool, depth: int) -> None:
    content = item(OperatorsName="Wolkenstein^Ute", AccessionNumber="ACC-77")
    for level in range(depth):
        content.is_undefined_length_sequence_item = undefined
        content = item(ReferencedStudySequence=Sequence([content]))
        content["ReferencedStudySequence"].is_undefined_length = undefined and bool(level % 2)
    data = image(PatientName="Dorrington^Jonathan", ReferencedStudySequence=content.ReferencedStudySequence)
    data["ReferencedStudySequence"].is_undefined_length = undefined
    found = pairs(row(data, syntax))
    assert {("patient_name", "Dorrington^Jonathan"), ("staff_name", "Wolkenstein^Ute"), ("study_id", "ACC-77")} <= found


def test_every_listed_element_is_collected() -> None:
    data = image()
    for number, (tag, kind) in enumerate(identifier_rules().tags.items()):
        data.add_new(tag, *_value(tag, number))
        assert kind in {k for k, _ in pairs(row(data))}, f"{tag:08X}"
    assert len(pairs(row(data))) >= len(identifier_rules().tags) - 2


def _value(tag: int, number: int) -> tuple[str, str]:
    vr = dictionary_VR(tag)
    return vr, f"2019{1 + number % 12:02d}{1 + number % 28:02d}" if vr in ("DA", "DT") else f"V{number}"


def test_a_sequence_of_unknown_vr_is_looked_into() -> None:
    inner = encoded(
        image(ReferencedStudySequence=Sequence([item(RequestingPhysician="Wolkenstein^Ute")])), ImplicitVRLittleEndian
    )
    begin = inner.index(b"\x08\x00\x10\x11")
    length = int.from_bytes(inner[begin + 4 : begin + 8], "little")
    value = inner[begin + 8 : begin + 8 + length]
    data = image()
    data.add_new(0x00090010, "LO", "SOMEBODY")
    data.add_new(0x00091001, "UN", value)
    assert ("staff_name", "Wolkenstein^Ute") in pairs(row(data))


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_names_in_private_elements_and_sequences_are_found(syntax: str) -> None:
    data = image()
    block = data.private_block(0x0029, "SOMEBODY", create=True)
    block.add_new(1, "SQ", Sequence([item(OperatorsName="Wolkenstein^Ute")]))
    block.add_new(2, "PN", "Dorrington^Jonathan")
    found = pairs(row(data, syntax))
    assert ("staff_name", "Wolkenstein^Ute") in found
    assert (syntax == ImplicitVRLittleEndian) or ("staff_name", "Dorrington^Jonathan") in found


def test_large_functional_groups_are_searched_too() -> None:
    frames = [
        groups(
            FrameContentSequence=item(TemporalPositionIndex=n),
            ReferencedImageSequence=item(StationName=f"MR-{n // 50}"),
        )
        for n in range(1, 101)
    ]
    found = rows(encoded(enhanced(groups(MRTimingAndRelatedParametersSequence=item(RepetitionTime=4.0)), frames)))
    assert {("device", "MR-0"), ("device", "MR-1")} <= pairs(found[0])
    assert len({instance.identities for instance in found}) == 1


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("ISO_IR 192", "utf-8"),
        ("ISO_IR 100", "latin-1"),
        ("ISO_IR 100", "utf-8"),
        ("ISO_IR 192", "latin-1"),
        ("", "utf-8"),
    ],
)
def test_a_character_set_that_lies_hides_no_name(declared: str, written: str) -> None:
    raw = encoded(image(SpecificCharacterSet=declared, PatientName="X" * 14)).replace(
        b"X" * 14, "Müller^Jörg".encode(written).ljust(14)
    )
    assert ("patient_name", "Müller^Jörg") in pairs(rows(raw)[0])


def test_an_item_may_have_a_character_set_of_its_own() -> None:
    inner = item(SpecificCharacterSet="ISO_IR 144", OperatorsName="Иванов^Пётр")
    data = image(SpecificCharacterSet="ISO_IR 100", ReferencedStudySequence=Sequence([inner]))
    assert ("staff_name", "Иванов^Пётр") in pairs(row(data))


def test_several_values_are_several_identities_and_control_characters_are_gone() -> None:
    found = pairs(row(image(OtherPatientIDs=["A-1", "B-2"], InstitutionName="Zuyder\x1e veld\n Kliniek")))
    assert {("patient_id", "A-1"), ("patient_id", "B-2"), ("institution", "Zuyder veld Kliniek")} <= found


def test_most_instances_of_a_series_share_one_string() -> None:
    first, second = row(image(1, PatientName="D")), row(image(2, PatientName="D"))
    assert first.identities is second.identities
    assert join(split(first.identities)) == first.identities


def test_a_damaged_sequence_costs_no_image_and_hides_no_name() -> None:
    content = encoded(image(ReferencedStudySequence=Sequence([item(OperatorsName="Wolkenstein^Ute")])))
    at = content.index(b"\x08\x00\x70\x10PN")
    broken = content[: at - 4] + b"\xff\x00\x00\x00" + content[at:]
    (found,) = rows(broken)
    assert ("staff_name", "Wolkenstein^Ute") in pairs(found)
