"""What a trial may let leave beyond the default: each option does what it says, and only what ran is claimed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from seriesmaker import series, stacks_of

from trialbids.exporter.clinical.join import ClinicalRows
from trialbids.exporter.deidentify.options import NOT_CLAIMED, Options, options_of
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.deidentify.sidecar import Sidecar, make_sidecar
from trialbids.exporter.deidentify.times import Clock
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.release.people import banded, coarser
from trialbids.exporter.release.said import Said, said
from trialbids.exporter.trial import Trial, load_trial
from trialbids.mappings.record import Record

BASIC, FULL, MODIFIED, PATIENT, DEVICE, FACES = "113100", "113106", "113107", "113108", "113109", "113102"


def trial(tmp_path: Path, text: str = "") -> Trial:
    (tmp_path / "dicom").mkdir(exist_ok=True)
    (tmp_path / "trial.yaml").write_text(f"sources: [dicom]\noutput: bids\n{text}")
    return load_trial(tmp_path / "trial.yaml")


def sidecar(options: Options, *, defaced: bool = False, **header: Any) -> Sidecar:
    stack = stacks_of(series(1, 3, **header)).stacks[0]
    clock = Clock(36000.0, date(1771, 6, 22), options.keep_times)
    return make_sidecar(
        stack, Record(sequence="T2w"), {}, acquisition="a01", clock=clock, pseudonyms=Pseudonyms(bytes(32)), extra={},
        options=options, defaced=defaced,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("", [BASIC, MODIFIED, PATIENT]),
        ("keep_dates: true", [BASIC, FULL, PATIENT]),
        ("device: true", [BASIC, MODIFIED, PATIENT, DEVICE]),
        ("keep_times: true\nweight: true\nfaces: allow", [BASIC, MODIFIED, PATIENT]),
    ],
)
def test_only_what_runs_is_claimed(tmp_path: Path, text: str, claimed: list[str]) -> None:
    options = options_of(trial(tmp_path, text))
    content = sidecar(options).content
    assert [code["CodeValue"] for code in content["DeidentificationMethodCodeSequence"]] == claimed
    assert not set(claimed) & {code.value for code in NOT_CLAIMED}
    assert ("Dates kept" in " ".join(content["DeidentificationMethod"])) == ("keep_dates" in text)


def test_a_removed_face_is_claimed_for_that_image_alone(tmp_path: Path) -> None:
    options = options_of(trial(tmp_path, "deface: [tool, '{input}', '{output}']"))
    values = [
        {c["CodeValue"] for c in sidecar(options, defaced=defaced).content["DeidentificationMethodCodeSequence"]}
        for defaced in (True, False)
    ]
    assert FACES in values[0] and FACES not in values[1]


def test_a_device_is_named_only_if_the_trial_asks_and_only_as_a_plain_word(tmp_path: Path) -> None:
    header = {"DeviceSerialNumber": "41234", "StationName": "AWP 4; Dr Kowalska"}
    assert not {"DeviceSerialNumber", "StationName"} & set(sidecar(Options(), **header).content)
    made = sidecar(options_of(trial(tmp_path, "device: true")), **header)
    assert made.content["DeviceSerialNumber"] == "41234" and "StationName" not in made.content
    assert ("StationName", "AWP 4; Dr Kowalska") in {(d.keyword, d.value) for d in made.dropped}


def test_the_time_of_day_leaves_only_if_the_trial_asks(tmp_path: Path) -> None:
    header = {"AcquisitionTime": "101530.250000", "StudyDate": ""}
    assert sidecar(Options(), **header).content["AcquisitionTime"] == "00:15:30.250000"
    kept = sidecar(options_of(trial(tmp_path, "keep_times: true")), **header)
    assert kept.content["AcquisitionTime"] == "10:15:30.250000"


def test_fields_can_be_added_as_numbers_or_words_and_dropped(tmp_path: Path) -> None:
    asked = (
        "fields:\n  add: [{keyword: KVP}, {keyword: Laterality, action: words, words: [L]}]\n  drop: [SoftwareVersions]"
    )
    options = options_of(trial(tmp_path, asked))
    header = {"KVP": 120.0, "Laterality": "L", "SoftwareVersions": "syngo MR E11"}
    plain, made = sidecar(Options(), **header).content, sidecar(options, **header).content
    assert (made["KVP"], made["Laterality"]) == (120.0, "L") and "SoftwareVersions" not in made
    assert plain["SoftwareVersions"] == "syngo MR E11" and not {"KVP", "Laterality"} & set(plain)
    assert "Laterality" not in sidecar(options, Laterality="KOWALSKA").content


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fields: {add: [{keyword: PatientName}]}", "is text"),
        ("fields: {add: [{keyword: EchoTime}]}", "in the allow-list already"),
        ("fields: {add: [{keyword: Laterality, words: [L]}]}", "give words where"),
        ("fields: {drop: [PatientName]}", "never leaves"),
        ("fields: {drop: [Rows]}", "cannot be dropped"),
        ("deface: [pydeface]", "{input} and {output}"),
        ("deface: [tool, '{input}', '{output}']\nfaces: allow", "give one of the two"),
        ("faces: blur", "'quarantine' or 'allow'"),
        ("generalise_age: 7", "5 or 10"),
        ("suppress: [weight]", "'weight' is no column that is released"),
        ("aliases: none.csv", "there is no file"),
    ],
)
def test_a_wrong_option_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"line \d+") as error:
        trial(tmp_path, text)
    assert words in str(error.value)


def test_what_the_headers_say_of_a_person_leaves_in_coarse_form() -> None:
    old = Instance(path="", PatientSex="F", PatientAge="094Y", PatientWeight=61.53)
    assert said([old]) == Said("F", "89", "n/a")
    assert said([old], weight=True).weight == "62"
    for weight in (60001.0, 320.0, 0.0):
        assert said([Instance(path="", PatientWeight=weight)], weight=True).weight == "n/a"
    assert (banded("67", 5), banded("67", 10), banded("67", None), banded("n/a", 10)) == ("65", "60", "67", "n/a")


def test_a_step_against_small_groups_holds_for_the_clinical_table_too() -> None:
    rows = ClinicalRows(
        ("age", "sex", "age_months", "psa"),
        {"A": {"age": "67", "sex": "F", "age_months": "806", "psa": "4.5"}},
        {("A", "01"): {"age": "n/a", "psa": "9"}},
        (),
        (),
    )
    made = coarser(rows, 10, ("sex", "psa"))
    assert made.participants["A"]["age"] == "60" and made.participants["A"]["sex"] == "n/a"
    assert int(made.participants["A"]["age_months"]) in range(700, 806)
    assert made.sessions["A", "01"] == {"age": "n/a", "psa": "n/a"}
    assert coarser(rows, None, ()) is rows
