"""The sidecar: what is not listed does not leave, whatever a field holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seriesmaker import series, stacks_of

from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.deidentify.sidecar import Sidecar, make_sidecar
from trialbids.exporter.deidentify.times import Clock, as_offset, moment, seconds_of_day
from trialbids.exporter.inventory.instance import Instance
from trialbids.mappings.fields import allow_list
from trialbids.mappings.record import Record

KEY = Pseudonyms(bytes(range(32)))
TEXT_FIELDS = [
    name
    for name, kind in Instance.__annotations__.items()
    if kind == "str" and name[0].isupper() and not name.endswith("UID")
]
WORD_FIELDS = [name for name, kind in Instance.__annotations__.items() if kind == "Words" and name[0].isupper()]


def sidecar(converted: dict[str, Any] | None = None, record: Record | None = None, **header: Any) -> Sidecar:
    stack = stacks_of(series(1, 3, **header)).stacks[0]
    return make_sidecar(
        stack,
        record or Record(sequence="T2w"),
        converted or {},
        acquisition="a01",
        clock=Clock(None),
        pseudonyms=KEY,
        extra={},
    )


def test_the_core_has_62_fields() -> None:
    assert len(allow_list().fields) == 62
    assert len({f.keyword for f in allow_list().fields}) == 62


@pytest.mark.parametrize("keyword", TEXT_FIELDS)
def test_a_name_in_any_text_field_does_not_leave(keyword: str) -> None:
    made = sidecar(**{keyword: "KOWALSKA ANNA"})
    assert "KOWALSKA" not in json.dumps(made.content)


@pytest.mark.parametrize("keyword", WORD_FIELDS)
def test_a_name_among_words_is_dropped_and_listed(keyword: str) -> None:
    made = sidecar(**{keyword: ("ORIGINAL", "KOWALSKA")})
    assert "KOWALSKA" not in json.dumps(made.content)
    if any(f.keyword == keyword and f.bids for f in allow_list().fields):
        assert (keyword, "KOWALSKA") in {(d.keyword, d.value) for d in made.dropped}


@given(st.dictionaries(st.text(max_size=12), st.one_of(st.text(), st.integers(), st.lists(st.text())), max_size=5))
def test_of_the_converters_own_keys_only_the_listed_ones_are_taken(converted: dict[str, Any]) -> None:
    assert set(sidecar(converted).content) <= allow_list().keys


@pytest.mark.parametrize("value", ["KOWALSKA", ["KOWALSKA"], {"a": 1}, float("nan"), True, None])
def test_a_listed_key_takes_numbers_and_its_words_only(value: Any) -> None:
    made = sidecar({"TotalReadoutTime": value, "PhaseEncodingDirection": value})
    assert not {"TotalReadoutTime", "PhaseEncodingDirection"} & set(made.content)


@pytest.mark.parametrize("keyword", [f.keyword for f in allow_list().fields if f.action == "pattern"])
@pytest.mark.parametrize(
    "name",
    [
        "LI WU",
        "seLIWU",
        "fischer_anna_19700101",
        "meierAnna",
        "Lee_Kim_123-456-789",
        "123-456-789",
        "12.03.70",
        "GEMINI TF Anna Meier",
        "HEAD 12-34-56",
        "KIM",
        "Siemens Anna",
        "HEAD KIM",
        "tse_Anna",
        "T1LI",
        "Skyra Kim",
    ],
)
def test_no_vendor_pattern_is_wide_enough_for_a_name(keyword: str, name: str) -> None:
    field = next(f for f in allow_list().fields if f.keyword == keyword)
    assert not field.passes(name)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SequenceName", "*tse2d1_25"), ("SequenceName", "ep_b50_800"), ("SequenceName", "*ep_b1400t"),
        ("SequenceName", "*fl3d1_ns"), ("SequenceName", "*spcir_282ns"), ("SequenceName", "fldyn3d1"),
        ("SequenceName", "*tir2d1rr11"), ("SequenceName", "epfid2d1_72"), ("ReceiveCoilName", "HE1-4;NE1,2;SP1"),
        ("ReceiveCoilName", "8US TORSO"), ("ReceiveCoilName", "SENSE-Torso-32"), ("ReceiveCoilName", "Body_18"),
        ("Manufacturer", "SIEMENS"), ("Manufacturer", "Siemens Healthineers"),
        ("Manufacturer", "GE MEDICAL SYSTEMS"),
        ("Manufacturer", "Philips Medical Systems"), ("ManufacturerModelName", "Ingenia Elition X"),
        ("ManufacturerModelName", "SIGNA Premier"), ("ManufacturerModelName", "MAGNETOM Vida"),
        ("SoftwareVersions", "syngo MR XA20"), ("SoftwareVersions", "5.3.0\\5.3.0.3"),
    ],
)  # fmt: skip
def test_what_vendors_write_passes(keyword: str, value: str) -> None:
    field = next(f for f in allow_list().fields if f.keyword == keyword)
    assert field.passes(value)


def test_known_vendor_words_pass() -> None:
    made = sidecar(
        Manufacturer="SIEMENS",
        ManufacturerModelName="Skyra",
        SoftwareVersions="syngo MR E11",
        SequenceName="*tse2d1_25",
    )
    keys = ("Manufacturer", "ManufacturersModelName", "SoftwareVersions", "SequenceName")
    assert [made.content[k] for k in keys] == ["SIEMENS", "Skyra", "syngo MR E11", "*tse2d1_25"]
    assert not made.dropped


def test_times_in_milliseconds_become_seconds_and_what_bids_does_not_take_stays_out() -> None:
    content = sidecar(RepetitionTime=4000.0, EchoTime=101.0, InversionTime=0.0).content
    assert (content["RepetitionTime"], content["EchoTime"]) == (4.0, 0.101)
    assert "InversionTime" not in content


def test_numbers_that_could_name_somebody_stay_out_and_are_listed() -> None:
    made = sidecar(SeriesNumber=19700101, AcquisitionNumber=87654321, EchoTime=0.0, EchoTrainLength=-1)
    assert not {"SeriesNumber", "AcquisitionNumber", "EchoTime", "EchoTrainLength"} & set(made.content)
    assert {d.keyword for d in made.dropped} >= {"SeriesNumber", "AcquisitionNumber"}
    assert "SAR" not in sidecar({"SAR": 19700101}).content


def test_uids_are_replaced_and_keep_pointing_at_each_other() -> None:
    one, other = sidecar(), sidecar()
    assert one.content["StudyInstanceUID"] == other.content["StudyInstanceUID"]
    assert one.content["FrameOfReferenceUID"] != one.content["StudyInstanceUID"]
    assert all(one.content[k].startswith("2.25.") for k in ("StudyInstanceUID", "SeriesInstanceUID"))


def test_a_key_that_is_not_listed_cannot_be_added() -> None:
    stack = stacks_of(series(1, 3)).stacks[0]
    with pytest.raises(ValueError, match="PatientName"):
        make_sidecar(
            stack, Record(), {}, acquisition="a01", clock=Clock(None), pseudonyms=KEY, extra={"PatientName": "x"}
        )  # fmt: skip


@given(st.integers(0, 86399), st.integers(0, 999_999))
def test_a_clock_time_is_read_to_the_microsecond(seconds: int, micro: int) -> None:
    text = f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}.{micro:06d}"
    assert seconds_of_day(text) == pytest.approx(seconds + micro / 1e6, abs=1e-6)


@pytest.mark.parametrize("text", ["", "2500", "1260", "noon", "12.5.1", "-1", "1"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert seconds_of_day(text) is None


def test_intervals_survive_midnight_and_sessions_start_at_zero() -> None:
    late = Instance(path="", StudyDate="20200101", AcquisitionDate="20200101", AcquisitionTime="235950.5")
    next_day = Instance(path="", StudyDate="20200101", AcquisitionDate="20200102", AcquisitionTime="000010")
    first, second = moment(late), moment(next_day)
    assert first is not None and second is not None and second - first == pytest.approx(19.5)
    assert as_offset(0.0) == "00:00:00.000000" and as_offset(19.5) == "00:00:19.500000"
