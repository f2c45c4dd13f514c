"""One person under several ids, labels that belong to one for ever, and two visits of one day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_plan_visits import KEY, labels, one, trial, visits

from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import Visits, find_visits


def table(folder: Path, *lines: str, header: str = "id,is,site") -> Path:
    path = folder / "aliases.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def people(rows: list[Instance], folder: Path, *lines: str, ledger: Ledger | None = None, **rules: Any) -> list[str]:
    found = visits(rows, folder, ledger, aliases=table(folder, *lines), **rules)
    return [subject for subject, _ in labels(rows, found)]


def said(found: Visits) -> str:
    return "\n".join(n.message for n in found.notices)


def patients(*ids: str, **header: Any) -> list[Instance]:
    return [one(n, PatientID=name, study=f"1.{n}", **header) for n, name in enumerate(ids, start=1)]


def test_an_alias_joins_two_ids_under_the_label_of_the_second(tmp_path: Path) -> None:
    rows = patients("A", "B", "C")
    plain = [subject for subject, _ in labels(rows, visits(rows, tmp_path))]
    assert people(rows, tmp_path, "A,B") == [plain[1], plain[1], plain[2]]


def test_the_sessions_of_a_joined_person_are_counted_together(tmp_path: Path) -> None:
    rows = [one(1, PatientID="A", StudyDate="20200101"), one(2, PatientID="B", StudyDate="20190101")]
    found = visits(rows, tmp_path, aliases=table(tmp_path, "A,B"))
    assert [session for _, session in labels(rows, found)] == ["02", "01"]
    assert found.patient_ids[found.of(rows[0]).subject, "02"] == ("A",)


def test_a_chain_is_followed_to_its_end_and_said(tmp_path: Path) -> None:
    rows = patients("A", "B", "C")
    found = visits(rows, tmp_path, aliases=table(tmp_path, "A,B", "B,C"))
    assert len({found.of(i).subject for i in rows}) == 1
    assert "1 ids of the table of aliases are an id that is itself an alias" in said(found)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("A,B", "B,A"), "lines 2, 3: go in a circle"),
        (("C,A", "A,B", "B,A"), "lines 2, 3, 4: go in a circle"),
        (("A,B", "A,C"), "lines 2 and 3: one id is said to be two people"),
        (("A,",), "line 2: id and is must both be filled"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_lines_and_names_no_id(
    tmp_path: Path, lines: tuple[str, ...], words: str
) -> None:
    ids = [f"patient-{letter}" for letter in "ABC"]
    spelt = [",".join(f"patient-{cell}" if cell else "" for cell in line.split(",")) for line in lines]
    with pytest.raises(UsageError, match=words) as error:
        people(patients(*ids), tmp_path, *spelt)
    assert "patient-" not in str(error.value)


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no column is; a table of aliases has id, is"):
        visits(patients("A"), tmp_path, aliases=table(tmp_path, "A,B", header="id,person"))


def test_an_id_that_is_not_there_is_counted_and_the_others_are_joined(tmp_path: Path) -> None:
    rows = patients("A", "C")
    found = visits(rows, tmp_path, aliases=table(tmp_path, "A,gone", "C,gone", "x,A"))
    assert found.of(rows[0]).subject == found.of(rows[1]).subject
    assert "3 rows of the table of aliases name an id that is not in this source" in said(found)
    assert "gone" not in said(found)


def test_who_comes_later_has_the_label_that_the_aliases_had(tmp_path: Path) -> None:
    ledger, first = Ledger(), patients("A", InstitutionName="North")
    (before,) = people(first, tmp_path, "A,B", ledger=ledger)
    rows = [*first, one(2, PatientID="B", study="1.2", InstitutionName="North")]
    assert people(rows, tmp_path, "A,B", ledger=ledger) == [before, before]


def test_an_id_of_two_places_needs_its_site(tmp_path: Path) -> None:
    north, south, other = (
        one(n, PatientID=name, study=f"1.{n}", InstitutionName=place)
        for n, (name, place) in enumerate((("001", "North"), ("001", "South"), ("B", "North")), start=1)
    )
    rows = [north, south, other]
    with pytest.raises(UsageError, match="line 2: this id is used at several places; say which in a column site"):
        people(rows, tmp_path, "001,B")
    one_, two, three = people(rows, tmp_path, "001,B,SOUTH")
    assert two == three != one_
    with pytest.raises(UsageError, match="line 2: the id in column is is used at several places; turn the row round"):
        people([north, south, one(4, PatientID="C", study="1.4", InstitutionName="East")], tmp_path, "C,001")


@pytest.mark.parametrize("line", ["001,001", "001,001,South"])
def test_one_id_at_two_places_may_be_said_to_be_one_person(tmp_path: Path, line: str) -> None:
    rows = [one(1, PatientID="001", InstitutionName="North"), one(2, PatientID="001", InstitutionName="South")]
    assert len({subject for subject, _ in labels(rows, visits(rows, tmp_path))}) == 2
    assert len(set(people(rows, tmp_path, line))) == 1


def test_one_person_everywhere_keeps_the_label_when_another_place_is_added(tmp_path: Path) -> None:
    ledger, north = Ledger(), one(1, PatientID="001", InstitutionName="North")
    (before,) = people([north], tmp_path, "001,001", ledger=ledger)
    added = one(2, PatientID="001", InstitutionName="East")
    assert people([north, added], tmp_path, "001,001", ledger=ledger) == [before, before]


def test_other_names_under_aliases_are_a_warning_and_under_one_id_a_conflict(tmp_path: Path) -> None:
    rows = [
        one(1, PatientID="A", PatientName="Ada^Ley", PatientBirthDate="19500101"),
        one(2, PatientID="B", PatientName="Zoe^Brook", PatientBirthDate="19820202"),
    ]
    found = visits(rows, tmp_path, aliases=table(tmp_path, "A,B"))
    assert not found.conflicts and "two people may share it" in said(found)
    rows.append(one(3, PatientID="B", PatientName="Eve^Hill", PatientBirthDate="19720303"))
    assert visits(rows, tmp_path, aliases=table(tmp_path, "A,B")).conflicts


def test_a_label_that_was_given_is_never_given_to_another(tmp_path: Path) -> None:
    ledger, rows = Ledger(), patients("A")
    label = visits(rows, tmp_path, ledger).of(rows[0]).subject
    ledger.write(tmp_path / "names.tsv")
    (tmp_path / "t.csv").write_text(f"PatientID,label\nZ,{label.lower()}\n", encoding="utf-8")
    rule = {"table": tmp_path / "t.csv", "by": "PatientID", "column": "label"}
    with pytest.raises(UsageError, match=f"two subjects would get the label sub-{label.lower()}"):
        visits(patients("Z"), tmp_path, Ledger.read(tmp_path / "names.tsv"), subject=rule)


def test_a_label_of_the_trials_table_survives_another_way_to_find_the_site(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("PatientID,label\nA,P1\n", encoding="utf-8")
    rule = {"table": tmp_path / "t.csv", "by": "PatientID", "column": "label"}
    ledger = Ledger()
    for site in ({}, {"tag": "StationName"}):
        rows = [one(PatientID="A", InstitutionName="North", StationName="MR1")]
        assert visits(rows, tmp_path, ledger, subject=rule, site=site).of(rows[0]).subject == "P1"


class Narrow(Pseudonyms):
    """Labels of so few bits that any two sites meet."""

    __slots__ = ()

    def label(self, kind: str, namespace: str, value: str, length: int = 10) -> str:
        return "A" * 5 + super().label(kind, namespace, value, length)[5:] if kind == "site" else value


def test_two_sites_that_meet_get_labels_of_their_own_which_stay(tmp_path: Path) -> None:
    def sites(rows: list[Instance], ledger: Ledger) -> list[str]:
        found = find_visits(rows, trial(tmp_path), Narrow(KEY.key), ledger)
        return [found.of(i).site for i in rows]

    ledger = Ledger()
    north, south = (one(n, PatientID=f"P{n}", InstitutionName=name) for n, name in enumerate(("North", "South"), 1))
    (first,) = sites([south], ledger)
    assert first == "SAAAAA"
    both = sites([north, south], ledger)
    assert both[1] == first and both[0] != first and both[0].startswith(first)


@pytest.mark.parametrize(("times", "told"), [(("080000", "160000"), True), (("080000", "091500"), False)])
def test_two_studies_of_one_day_far_apart_are_said(tmp_path: Path, times: tuple[str, str], told: bool) -> None:
    rows = [one(n, study=f"1.{n}", StudyDate="20200101", StudyTime=time) for n, time in enumerate(times, start=1)]
    found = visits(rows, tmp_path)
    assert len({found.of(i).session for i in rows}) == 1
    assert ("2 studies of one day, with 8 hours between two of them" in said(found)) is told
    named = [
        one(n, study=f"1.{n}", StudyDate="20200101", StudyTime=time, ClinicalTrialTimePointID="V1")
        for n, time in enumerate(times, start=1)
    ]
    assert "studies of one day" not in said(visits(named, tmp_path, session={"tag": "ClinicalTrialTimePointID"}))
