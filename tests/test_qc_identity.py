"""Checks of identity: who and what an image says it is, within a series, a session and a person."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from seriesmaker import CT, records_of, repeat, series, stacks_of, uid
from stackmaker import stacks_below

from trialbids.exporter.clinical.schedule import Schedule
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.harmonise import Harmonised, harmonise
from trialbids.exporter.plan.labels import NO_ID
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import Visit, find_visits
from trialbids.exporter.qc.check import about, run_checks
from trialbids.exporter.qc.headers.bodypart import can_agree
from trialbids.exporter.qc.headers.files import file_checks
from trialbids.exporter.qc.headers.identity import (
    IDENTITY_SERIES,
    IDENTITY_SESSION,
    SINGLE_IN_SERIES,
    identity_checks,
    person_checks,
)
from trialbids.exporter.qc.headers.run import check_headers, tables_of
from trialbids.exporter.qc.views import Person, Series, Session
from trialbids.exporter.trial import Trial
from trialbids.exporter.trial.clinical import VisitWindow
from trialbids.mappings.bodyparts import body_parts
from trialbids.mappings.record import Record
from trialbids.mappings.rules import load_rules

DATES = {"StudyDate": "20200310", "SeriesDate": "20200310", "AcquisitionDate": "20200310", "ContentDate": "20200310",
         "AcquisitionTime": "101500", "ContentTime": "101800", "PatientBirthDate": "19600101"}  # fmt: skip

TRIAL = Trial(sources=[Path("/nowhere")], output=Path("/nowhere/bids"), work=Path("/nowhere/work"))


def judged(*rows, table=IDENTITY_SERIES):
    """Check, severity and key of all that the checks say of the first series."""
    together = [i for part in rows for i in part]
    stacks = tuple(h for h in records_of(*rows) if h.stack.is_image)
    return {(f.check, f.severity, f.evidence.key) for f in run_checks(table, Series("1.2", tuple(together), stacks))}


def with_one(rows, **changes):
    return [*rows[:-1], replace(rows[-1], **changes)]


def person(*days, site="S1", keys=()):
    """A person with a session at each of these days, with one image."""
    sessions = []
    for n, day in enumerate(days):
        key = keys[n] if keys else f"2020010{n + 1}"
        visit = Visit("A1", f"{n + 1:02d}", site, "x", key, "20200101", day)
        sessions.append(Session(visit, tuple(records_of(series(n + 1, StudyInstanceUID=uid("s", n))))))
    return Person("A1", tuple(sessions))


def of_person(who, windows=None, is_listed=False):
    checks = person_checks(Schedule(windows or {}), is_listed)
    return {(f.check, f.severity, f.evidence.key) for f in run_checks(checks, who)}


def test_a_sound_series_raises_nothing():
    assert judged(series(1, 5, **DATES)) == set()


def test_images_of_two_modalities_are_an_error_and_reports_beside_images_a_warning():
    mixed = with_one(series(1, 5), Modality="CT", SOPClassUID=CT)
    assert judged(mixed) == {("C05", "error", "images")}
    report = with_one(series(1, 5), Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", pixel_length=None)
    assert judged(report) == {("C05", "warning", "beside")}
    screen = with_one(series(1, 5), Modality="OT", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    assert judged(screen) == {("C05", "warning", "beside")}


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"PatientBirthDate": "20210101"}, "birth"),
        ({"AcquisitionDate": "20200305"}, "acquisition-study"),
        ({"AcquisitionDate": "20200605", "ContentDate": "20200605"}, "study-acquisition"),
        ({"SeriesDate": "20200101"}, "series-study"),
        ({"ContentDate": "20200307"}, "content"),
        ({"ContentTime": "081500"}, "content"),
    ],
)
def test_dates_in_an_impossible_order_are_found_in_one_image(changes, key):
    assert judged(with_one(series(1, 5, **DATES), **changes)) - _single(changes) == {("C06", "warning", key)}


def _single(changes):
    names = {single.keyword for single in SINGLE_IN_SERIES}
    return {("C07", "warning", name) for name in changes if name in names}


def test_midnight_and_derived_images_made_later_are_in_order():
    late = DATES | {"AcquisitionDate": "20200311", "ContentDate": "20200311", "AcquisitionTime": "000500",
                    "ContentTime": "000900"}  # fmt: skip
    assert judged(series(1, 5, **late)) == set()
    derived = DATES | {"ContentTime": "090000", "ImageType": ("DERIVED", "SECONDARY")}
    assert judged(series(1, 5, **derived)) == set()


@pytest.mark.parametrize("single", SINGLE_IN_SERIES, ids=lambda s: s.keyword)
def test_each_attribute_of_a_series_has_one_value(single):
    number = single.keyword in ("SeriesNumber", "MagneticFieldStrength")
    values = (3, 4) if number else ("20200310", "20200311")
    rows = series(1, 5, **{single.keyword: values[0]})
    assert ("C07", "warning", single.keyword) in judged(with_one(rows, **{single.keyword: values[1]}))
    assert judged(with_one(rows, **{single.keyword: None if number else ""})) == set()


def test_a_body_part_that_all_else_speaks_against_is_found():
    named = {"SeriesDescription": "t2_tse_tra prostate", "StudyDescription": "MR PROSTATE"}
    assert judged(series(1, 5, BodyPartExamined="HEAD", **named)) == {("C08", "warning", "head-prostate")}
    for fitting in ("PELVIS", "ABDOMEN", "PROSTATE", "WHOLEBODY", ""):
        assert judged(series(1, 5, BodyPartExamined=fitting, **named)) == set()


def test_a_body_part_outside_the_protocol_is_found():
    rows = series(1, 5, BodyPartExamined="KNEE")
    assert ("C08", "warning", "protocol-extremity") in judged(rows, table=identity_checks(["prostate"]))
    assert judged(series(1, 5, BodyPartExamined="PELVIS"), table=identity_checks(["prostate"])) == set()
    with pytest.raises(ValueError, match="elbowroom"):
        identity_checks(["elbowroom"])


@pytest.mark.parametrize("text", ["t2_tse_tra prostate", "t2_tse_tra"])
def test_one_wrong_body_part_is_one_finding(text):
    rows = [series(n, BodyPartExamined="LIVER" if n == 4 else "PROSTATE", SeriesDescription=text) for n in range(1, 6)]
    visits = find_visits([i for part in rows for i in part], TRIAL, Pseudonyms(bytes(range(32))), Ledger())
    found = check_headers(stacks_of(*rows), records_of(*rows), visits, tables=tables_of(bodyparts=["prostate"]))
    (finding,) = [f for f in found if f.check == "C08"]
    assert finding.message.startswith("BodyPartExamined says liver")


def test_a_body_part_unlike_that_of_all_neighbours_is_found():
    stacks = records_of(*(series(n, BodyPartExamined="HEAD" if n == 4 else "PELVIS") for n in range(1, 6)))
    visit = Visit("A1", "01", "S1", "x", "20200101", "20200101", 0)
    (found,) = run_checks(IDENTITY_SESSION, Session(visit, tuple(stacks)))
    assert found.check == "C08"
    assert [h.stack.first.SeriesNumber for h in stacks if h.stack.stack_id in found.stacks] == [4]


def test_body_parts_agree_both_ways():
    parts = list(body_parts())
    assert all(can_agree(one, other) == can_agree(other, one) for one in parts for other in parts)
    assert all(can_agree(part, part) for part in parts)


@pytest.mark.parametrize(
    ("keyword", "values", "key"),
    [
        ("PatientSex", ("F", "M"), "sexes"),
        ("PatientBirthDate", ("19600101", "19610101"), "birth-dates"),
        ("ClinicalTrialSiteID", ("1", "2"), "sites"),
        ("InstitutionName", ("St. Elsewhere", "General"), "sites"),
    ],
)
def test_sex_birth_date_and_site_conflict_within_a_person(keyword, values, key):
    who = person(0, 90)
    sessions = []
    for session, value in zip(who.sessions, values, strict=True):
        stacks = [replace(h.stack, instances=tuple(replace(i, **{keyword: value}) for i in h.stack.instances))
                  for h in session.stacks]  # fmt: skip
        sessions.append(replace(session, stacks=tuple(Harmonised(s, Record(), ()) for s in stacks)))
    assert of_person(replace(who, sessions=tuple(sessions))) == {("C04", "warning", key)}
    assert of_person(who) == set()


WINDOWS = {
    "baseline": VisitWindow(day=0, window=3),
    "month3": VisitWindow(day=90, window=14),
    "month6": VisitWindow(day=180, window=14, optional=True),
}


ABSENT = f"visit-{about(['month3'])}"


def test_an_expected_visit_that_is_absent_is_found_and_an_optional_one_is_not():
    assert of_person(person(0, 95), WINDOWS) == set()
    assert of_person(person(0), WINDOWS) == {("C10", "warning", ABSENT)}


def test_the_issue_of_an_absent_visit_is_that_of_its_name_wherever_it_stands_in_the_schedule():
    def absent(*days, of):
        (found,) = run_checks(person_checks(Schedule(of)), person(*days), "A1")
        return found

    every = {name: VisitWindow(day=window.day, window=14) for name, window in WINDOWS.items()}
    other_way = dict(reversed(every.items()))
    third, sixth = absent(0, 180, of=every), absent(0, 90, of=other_way)
    assert third.id != sixth.id and "month" not in repr(third)
    again = absent(0, 180, of=other_way)
    assert (again.id, again.digest) == (third.id, third.digest)


def test_a_visit_or_subject_that_is_not_in_the_list_is_found():
    assert of_person(person(0, 90, 140), WINDOWS) == {("C09", "error", "03")}
    named = person(None, None, keys=("baseline", "surprise"))
    assert of_person(named, WINDOWS) == {("C09", "error", "02"), ("C10", "warning", ABSENT)}
    nobody = person(0, 90)
    sessions = [replace(s, visit=replace(s.visit, subject_key=f"{NO_ID}\x002.25.1")) for s in nobody.sessions]
    strangers = replace(nobody, sessions=tuple(sessions))
    assert of_person(strangers, WINDOWS, is_listed=True) == {("C09", "error", "subject")}
    assert of_person(strangers, WINDOWS) == set()
    assert of_person(nobody, WINDOWS, is_listed=True) == set()


def test_dynamic_series_with_times_of_their_own_are_sound():
    rows = repeat(series(1, 4, **DATES), 5, AcquisitionTime=[f"1015{n}0" for n in range(5)])
    assert judged(rows) == set()


def test_sound_series_of_real_data_raise_no_error(real_data):
    truth = list(csv.DictReader((real_data / "expected_series.csv").open()))
    sound = {row["series_uid"] for row in truth if row["sound"] == "yes"}
    warned, seen = set(), set()
    for folder in ("picai_prep", "dcm_qa_enh"):
        by_series: dict[str, list] = {}
        for h in harmonise(stacks_below(real_data / "dicom" / folder), load_rules()):
            by_series.setdefault(h.stack.first.SeriesInstanceUID, []).append(h)
        for series_uid, stacks in by_series.items():
            view = Series(series_uid, tuple(i for h in stacks for i in h.stack.instances), tuple(stacks))
            found = run_checks((*file_checks({}), *IDENTITY_SERIES), view)
            if series_uid in sound:
                seen.add(series_uid)
                assert not [f.message for f in found if f.severity == "error"]
                warned |= {series_uid for f in found if f.severity == "warning"}
    assert len(seen) >= 20 and len(warned) <= len(seen) / 20
