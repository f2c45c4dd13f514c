"""Who an instance belongs to: subjects, sessions and sites, and what is doubtful about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from seriesmaker import series

from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import Visits, find_visits
from trialbids.exporter.trial import Trial

KEY = Pseudonyms(bytes(range(32)))


def trial(tmp_path: Path, **rules: Any) -> Trial:
    values = {"sources": [tmp_path], "output": tmp_path / "bids", "work": tmp_path / "work", **rules}
    return Trial.model_validate(values)


def one(number: int = 1, **header: Any) -> Instance:
    study = header.pop("study", f"2.25.{header.get('PatientID', '')}{header.get('StudyDate', '')}{number}")
    return series(number, 1, StudyInstanceUID=study, **header)[0]


def visits(rows: list[Instance], tmp_path: Path, ledger: Ledger | None = None, **rules: Any) -> Visits:
    return find_visits(rows, trial(tmp_path, **rules), KEY, ledger or Ledger())


def labels(rows: list[Instance], found: Visits) -> list[tuple[str, str]]:
    return [(found.of(i).subject, found.of(i).session) for i in rows]


def test_sessions_are_numbered_by_the_order_of_the_study_dates(tmp_path: Path) -> None:
    rows = [one(StudyDate=d) for d in ("20210301", "20200101", "20210301", "20190505")]
    assert [s for _, s in labels(rows, visits(rows, tmp_path))] == ["03", "02", "03", "01"]


def test_a_session_once_named_keeps_its_name_when_an_earlier_one_arrives(tmp_path: Path) -> None:
    ledger = Ledger()
    late = one(StudyDate="20210301")
    assert visits([late], tmp_path, ledger).of(late).session == "01"
    early = one(StudyDate="20200101")
    found = visits([early, late], tmp_path, ledger)
    assert (found.of(late).session, found.of(early).session) == ("01", "02")
    assert (found.of(late).day, found.of(early).day) == (425, 0)


def test_two_centres_with_the_same_number_stay_two_people(tmp_path: Path) -> None:
    rows = [one(PatientID="001", InstitutionName="North"), one(2, PatientID="001", InstitutionName="South")]
    found = visits(rows, tmp_path)
    assert found.of(rows[0]).subject != found.of(rows[1]).subject


def test_one_institution_written_in_two_ways_is_one(tmp_path: Path) -> None:
    rows = [one(InstitutionName="St. Mary Hospital"), one(2, InstitutionName="ST MARY  HOSPITAL")]
    found = visits(rows, tmp_path)
    assert found.of(rows[0]).subject == found.of(rows[1]).subject


def test_a_series_that_does_not_name_the_institution_stays_with_its_study(tmp_path: Path) -> None:
    rows = [one(1, study="1.1", InstitutionName="North"), one(2, study="1.1"), one(3, study="1.2")]
    assert len({s for s, _ in labels(rows, visits(rows, tmp_path))}) == 1


def test_one_id_at_two_institutions_is_said(tmp_path: Path) -> None:
    rows = [one(PatientID="001", InstitutionName="North"), one(2, PatientID="001", InstitutionName="South")]
    assert any("several institutions" in n.message for n in visits(rows, tmp_path).notices)


def test_without_an_id_the_study_is_the_subject_and_a_notice_says_so(tmp_path: Path) -> None:
    rows = [one(PatientID="", study="1.1"), one(2, PatientID="", study="1.2")]
    found = visits(rows, tmp_path)
    assert found.of(rows[0]).subject != found.of(rows[1]).subject
    assert sum("taken as the subject" in n.message for n in found.notices) == 2


@pytest.mark.parametrize(
    ("one_header", "other_header", "two_people"),
    [
        ({"PatientName": "Ada^Ley", "PatientBirthDate": "19500101"},
         {"PatientName": "Zoe^Brook", "PatientBirthDate": "19820202"}, True),
        ({"PatientName": "Ada^Ley", "PatientBirthDate": "19500101"},
         {"PatientName": "LEY, ADA", "PatientBirthDate": "19500110"}, False),
        ({"PatientName": "Ada^Ley", "PatientBirthDate": "19500101", "PatientSex": "F"},
         {"PatientName": "Ruth^Moor", "PatientBirthDate": "19500101", "PatientSex": "F"}, False),
        ({"PatientName": "Ley^Ada", "PatientBirthDate": "19700101", "PatientSex": "F"},
         {"PatientName": "Ley^Karl", "PatientBirthDate": "19500101", "PatientSex": "M"}, True),
        ({"PatientBirthDate": "19500101"}, {"PatientBirthDate": "19820202"}, True),
        ({"PatientSex": "F"}, {"PatientSex": "M"}, True),
        ({"PatientName": "Ada^Ley"}, {"PatientName": "Zoe^Brook"}, True),
    ],
)  # fmt: skip
def test_two_people_under_one_id_are_told_from_a_slip_of_the_pen(
    tmp_path: Path, one_header: dict[str, str], other_header: dict[str, str], two_people: bool
) -> None:
    rows = [one(**one_header), one(2, **other_header)]
    found = visits(rows, tmp_path)
    assert bool(found.conflicts) is two_people
    assert any(n.check == "C04" and "two people" in n.message for n in found.notices)
    assert not any(name in n.message for n in found.notices for name in ("Ada", "Zoe", "1950"))


def test_one_person_all_the_same_is_no_notice(tmp_path: Path) -> None:
    rows = [one(PatientName="Ada^Ley"), one(2, PatientName="Ada Ley^")]
    assert not visits(rows, tmp_path, site={"value": "S1"}).notices


def test_a_subject_may_come_from_the_path(tmp_path: Path) -> None:
    rows = [one(path=f"{tmp_path}/c1/p7/x/1.dcm"), one(2, path=f"{tmp_path}/c1/p8/1.dcm")]
    found = visits(rows, tmp_path, subject={"path": "c1/(?P<subject>[^/]+)/"})
    assert len({found.of(i).subject for i in rows}) == 2
    assert "p7" not in {found.of(i).subject for i in rows}


def test_a_subject_may_come_from_a_table_with_labels_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("PatientID;label\nA 1;P001\n", encoding="utf-8")
    rows = [one(PatientID="A  1"), one(2, PatientID="B")]
    found = visits(rows, tmp_path, subject={"table": tmp_path / "t.csv", "by": "PatientID", "column": "label"})
    assert found.of(rows[0]).subject == "P001"
    assert found.of(rows[1]).subject != "P001" and any("no subject id" in n.message for n in found.notices)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("PatientID,other\nA,P1\n", "has no column label"),
        ("PatientID,label\nA,P1\nA,P2\n", "stands twice"),
        ("PatientID,label\nA,P-1\n", "letters and digits"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, table: str, words: str) -> None:
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    rule = {"table": tmp_path / "t.csv", "by": "PatientID", "column": "label"}
    with pytest.raises(UsageError, match=words):
        visits([one(PatientID="A")], tmp_path, subject=rule)


@pytest.mark.parametrize("word", ["V-1", "baseline", "Month 12", "FU3", "week_06"])
def test_a_session_named_by_a_tag_keeps_a_word_for_visits(tmp_path: Path, word: str) -> None:
    row = one(ClinicalTrialTimePointID=word)
    found = visits([row], tmp_path, session={"tag": "ClinicalTrialTimePointID"})
    assert found.of(row).session == "".join(c for c in word if c.isalnum())


@pytest.mark.parametrize("word", ["2020-05-01", "Anna Meier", "AnnaMeier12Jan1970", "12051970"])
def test_any_other_word_of_a_tag_leaves_as_a_keyed_label(tmp_path: Path, word: str) -> None:
    row = one(ClinicalTrialTimePointID=word)
    found = visits([row], tmp_path, session={"tag": "ClinicalTrialTimePointID"})
    assert not {"2020", "Anna", "Meier", "1970"} & {found.of(row).session[n : n + 4] for n in range(8)}
    assert len(found.of(row).session) == 6


def test_a_site_is_a_label_that_does_not_name_the_institution(tmp_path: Path) -> None:
    rows = [one(InstitutionName="North Hospital")]
    found = visits(rows, tmp_path)
    assert found.of(rows[0]).site.startswith("S") and "North" not in found.of(rows[0]).site
    assert any("no site was found" in n.message for n in found.notices)
    assert visits(rows, tmp_path, site={"value": "S01"}).of(rows[0]).site == "S01"
