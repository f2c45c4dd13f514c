"""The linkage table: whole, sealed, private, and read in both directions."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkmaker import ROWS, planned
from test_plan_visits import one

from trialbids.exporter.deidentify.key import KEY_FILE, LINKAGE_FILE, PIN_FILE
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.release.linkage import (
    COLUMNS,
    Link,
    as_written,
    find_links,
    linkage_bytes,
    read_linkage,
)
from trialbids.exporter.release.uidlinks import find_uid, is_uid
from trialbids.exporter.tables import read_tsv, tsv_bytes

KEY, OTHER = Pseudonyms(bytes(range(32))), Pseudonyms(bytes(range(1, 33)))


def by_id(work: Path, names: Pseudonyms, name: str) -> set[tuple[str, str]]:
    return {link.key for link in find_links(read_linkage(work, names), name)}


def test_every_visit_has_a_row_and_only_the_owner_reads_them(tmp_path: Path) -> None:
    work, visits, names = planned(tmp_path)
    links = read_linkage(work, names)
    assert {link.key for link in links} == {(v.subject, v.session) for v in visits.all}
    assert sorted(link.id for link in links) == ["1.2.4", "A 1", "A 1", "B-2"]
    assert stat.S_IMODE((work / LINKAGE_FILE).stat().st_mode) == 0o600


def test_a_session_whose_source_is_gone_stays(tmp_path: Path) -> None:
    work, visits, names = planned(tmp_path)
    planned(tmp_path, ROWS[2:])
    assert {link.key for link in read_linkage(work, names)} == {(v.subject, v.session) for v in visits.all}


def test_the_table_of_another_key_is_refused(tmp_path: Path) -> None:
    work, _, _ = planned(tmp_path)
    with pytest.raises(UsageError, match="was written under another key"):
        read_linkage(work, OTHER)


def test_a_folder_that_lost_its_mark_takes_no_other_key_for_its_own(tmp_path: Path) -> None:
    work, _, names = planned(tmp_path)
    (work / PIN_FILE).unlink()
    right = (work / KEY_FILE).read_bytes()
    (work / KEY_FILE).write_text(OTHER.key.hex())
    with pytest.raises(UsageError, match="was written under another key"):
        planned(tmp_path)
    (work / KEY_FILE).write_bytes(right)
    planned(tmp_path)
    assert (work / PIN_FILE).read_text().strip() == names.fingerprint


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edited_cell_is_found_by_its_line(tmp_path: Path, column: str) -> None:
    work, _, names = planned(tmp_path)
    rows = read_tsv(work / LINKAGE_FILE)
    rows[1][column] += "0"
    (work / LINKAGE_FILE).write_bytes(tsv_bytes(COLUMNS, rows))
    with pytest.raises(UsageError, match="line 3: was changed"):
        read_linkage(work, names)


def test_cells_that_only_moved_between_columns_break_the_seal() -> None:
    row = Link("S", "01", "ab", "c", "v", "d")
    assert row.seal(KEY) != Link("S", "01", "a", "bc", "v", "d").seal(KEY)
    assert row.seal(KEY) != row.seal(OTHER)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"subject\tsession\nS\n", b"subject\tid\nS\tA\n"])
def test_what_is_no_linkage_table_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LINKAGE_FILE).write_bytes(content)
    with pytest.raises(UsageError, match=r"linkage table"):
        read_linkage(tmp_path, KEY)


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=())) for _ in range(7)]), max_size=4))
def test_whatever_a_header_holds_comes_back_and_its_seal_holds(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, ...]]
) -> None:
    work = tmp_path_factory.mktemp("work")
    links = {link.key: link for link in (Link(*map(as_written, row)) for row in cells)}
    (work / LINKAGE_FILE).write_bytes(linkage_bytes(links.values(), KEY))
    assert {link.key: link for link in read_linkage(work, KEY)} == links


def test_a_label_in_any_form_leads_to_the_id_and_the_id_to_the_label(tmp_path: Path) -> None:
    work, visits, names = planned(tmp_path)
    first = visits.of(ROWS[0])
    sub, ses = f"sub-{first.subject}", f"ses-{first.session}"
    one_session = {(first.subject, first.session)}
    for name in (
        f"{sub}_{ses}",
        f"{sub}/{ses}/anat/{sub}_{ses}_T2w.nii.gz",
        f"bids/{sub}/{ses}",
        f"{sub}_{ses}_scans.tsv",
    ):
        assert by_id(work, names, name) == one_session
    both = {(v.subject, v.session) for v in visits.all if v.subject == first.subject}
    assert len(both) == 2
    for name in (sub, first.subject, first.subject.lower(), f"{sub}/", "A 1", " A  1 ", "a 1"):
        assert by_id(work, names, name) == both
    assert by_id(work, names, "B") == by_id(work, names, "sub-") == set()


def test_an_alias_is_found_by_its_own_id(tmp_path: Path) -> None:
    (tmp_path / "aliases.csv").write_text("id,is\nB-2,A 1\n", encoding="utf-8")
    work, visits, names = planned(tmp_path, aliases=tmp_path / "aliases.csv")
    assert by_id(work, names, "B-2") == {(visits.of(ROWS[2]).subject, visits.of(ROWS[2]).session)}
    assert visits.of(ROWS[2]).subject == visits.of(ROWS[0]).subject


def test_a_subject_named_by_the_trials_table_is_found_by_its_patient_id(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("PatientID,label\nA 1,P001\nB-2,P002\n", encoding="utf-8")
    rule = {"table": tmp_path / "t.csv", "by": "PatientID", "column": "label"}
    work, _, names = planned(tmp_path, ROWS[:3], subject=rule)
    assert {subject for subject, _ in by_id(work, names, "B-2")} == {"P002"}


def test_uids_are_linked_in_both_directions(tmp_path: Path) -> None:
    work, _, names = planned(tmp_path)
    uid = ROWS[0].SeriesInstanceUID
    there = find_uid(work, names, uid)
    assert (there.pseudonym, there.keyword) == (names.uid(uid), "SeriesInstanceUID")
    assert find_uid(work, names, names.uid(uid)) == there
    unknown = find_uid(work, names, "1.2.77")
    assert (unknown.original, unknown.pseudonym, unknown.keyword) == ("1.2.77", names.uid("1.2.77"), "")


def test_a_well_known_uid_is_its_own_pseudonym(tmp_path: Path) -> None:
    frame = "1.2.840.10008.1.4.1.1"
    rows: tuple[Instance, ...] = (one(1, PatientID="A", FrameOfReferenceUID=frame),)
    work, _, names = planned(tmp_path, rows)
    found = find_uid(work, names, frame)
    assert (found.original, found.pseudonym, found.keyword) == (frame, frame, "FrameOfReferenceUID")


@pytest.mark.parametrize(
    ("word", "is_one"), [("1.2.3", True), ("001", False), ("1.2." + "3" * 64, False), ("A.1", False)]
)
def test_a_uid_is_told_from_an_id(word: str, is_one: bool) -> None:
    assert is_uid(word) is is_one
