"""Laws of the pseudonyms, the dates and the tree: what must hold for every key, every value and every order."""

from __future__ import annotations

import re
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import Exported
from hypothesis import given
from hypothesis import strategies as st
from stackmaker import axial, write_series
from test_export_again import add_series, export, subject_of
from test_export_tree import contents, rows

from trialbids.exporter.cli import run_export
from trialbids.exporter.deidentify.dates import shift_of
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.trial import Trial, load_trial, trial_for

KEYS = st.binary(min_size=32, max_size=32)
TWO_KEYS = st.lists(KEYS, min_size=2, max_size=2, unique=True)
UIDS = st.lists(st.integers(0, 10**9), min_size=2, max_size=6).map(lambda parts: "1.2." + ".".join(map(str, parts)))
DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))
WELL_KNOWN = ("1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.4.90")


@given(KEYS, st.lists(UIDS, min_size=1, max_size=20, unique=True), st.data())
def test_the_graph_of_references_is_the_same_before_and_after(
    key: bytes, nodes: list[str], data: st.DataObject
) -> None:
    edges = data.draw(st.lists(st.tuples(st.sampled_from(nodes), st.sampled_from(nodes)), max_size=30))
    names = Pseudonyms(key)
    renamed = {node: names.uid(node) for node in nodes}
    assert len(set(renamed.values())) == len(nodes), "two objects became one"
    assert not set(renamed.values()) & set(nodes), "a UID stayed"
    after = {(names.uid(a), names.uid(b)) for a, b in edges}
    back = {new: old for old, new in renamed.items()}
    assert {(back[a], back[b]) for a, b in after} == set(edges)


@given(KEYS, UIDS)
def test_a_new_uid_is_legal(key: bytes, uid: str) -> None:
    new = Pseudonyms(key).uid(uid)
    assert len(new) <= 64 and re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", new)


@given(KEYS, UIDS, st.sampled_from(["\0", " ", "\0\0"]))
def test_padding_makes_no_other_uid(key: bytes, uid: str, padding: str) -> None:
    assert Pseudonyms(key).uid(uid + padding) == Pseudonyms(key).uid(uid)


@given(KEYS, st.sampled_from(WELL_KNOWN))
def test_what_says_the_kind_of_an_object_stays(key: bytes, uid: str) -> None:
    assert Pseudonyms(key).uid(uid) == uid


@given(TWO_KEYS, UIDS, st.text(), st.text())
def test_two_keys_share_nothing(keys: list[bytes], uid: str, namespace: str, value: str) -> None:
    one, other = map(Pseudonyms, keys)
    assert one.uid(uid) != other.uid(uid)
    assert one.label("subject", namespace, value) != other.label("subject", namespace, value)
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint not in (one.key.hex(), other.key.hex())


@given(KEYS, st.text(), st.text(), st.text())
def test_where_one_part_ends_and_the_next_begins_matters(key: bytes, kind: str, namespace: str, value: str) -> None:
    names = Pseudonyms(key)
    if namespace:
        assert names.digest(kind, namespace, value) != names.digest(kind + namespace, "", value)
        assert names.digest(kind, namespace, value) != names.digest(kind, "", namespace + value)


@given(KEYS, st.text(min_size=1), DAYS, DAYS)
def test_days_between_dates_stay_and_all_lie_in_1925_or_before(
    key: bytes, subject: str, one: date, other: date
) -> None:
    shift = shift_of(Pseudonyms(key), subject)
    moved = [shift.date(f"{day:%Y%m%d}") for day in (one, other)]
    first, second = (date(int(d[:4]), int(d[4:6]), int(d[6:])) for d in moved)
    assert second - first == other - one
    assert max(first, second) <= date(1925, 12, 31)
    assert shift == shift_of(Pseudonyms(key), subject)


@given(KEYS, st.text().filter(lambda t: not re.fullmatch(r"\s*\d{4}\.?\d{2}\.?\d{2}\s*", t)))
def test_what_is_no_date_becomes_none(key: bytes, text: str) -> None:
    assert shift_of(Pseudonyms(key), "S").date(text) == ""


@given(KEYS, st.sampled_from(["20190231", "20191301", "00000000", "99991231", "20190100", "２０１９０１０１"]))
def test_what_only_looks_like_a_date_becomes_none(key: bytes, text: str) -> None:
    assert shift_of(Pseudonyms(key), "S").date(text) == ""


def test_the_shift_cannot_be_guessed_from_another_subjects() -> None:
    shifts = {shift_of(Pseudonyms(bytes(32)), f"S{n}").days for n in range(500)}
    assert len(shifts) > 450 and max(shifts) - min(shifts) > 30_000


def shuffled(original: Path, folder: Path) -> Trial:
    """The same trial with other names of all folders and files, so that everything is met in another order."""
    shutil.copytree(original / "annotations", folder / "annotations")
    for path in original.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    source = original / "incoming"
    places: dict[Path, Path] = {}
    for n, path in enumerate(sorted(source.rglob("*"), reverse=True)):
        if path.is_file():
            place = places.setdefault(path.parent, folder / "incoming" / f"{n:05d}")
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / f"{99_999 - n}{path.suffix}")
    return load_trial(folder / "trial.yaml")


@pytest.mark.parametrize("workers", [0, 2])
def test_any_order_and_any_number_of_workers_give_the_same_bytes(
    exported: Exported, tmp_path: Path, workers: int
) -> None:
    trial = shuffled(exported.made.configuration.parent, tmp_path)
    trial.work.mkdir(mode=0o700)
    shutil.copy(exported.trial.work / "secret.key", trial.work)
    with Processes(workers) if workers else Serial() as engine:
        assert run_export(trial, engine, json=True) == 0
    ours, theirs = contents(trial.output), contents(exported.trial.output)
    counts = {"curation/summary.json"}  # how many folders there were before
    assert {n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n)} <= counts


def test_another_key_gives_a_tree_that_shares_no_label_and_no_uid(exported: Exported, tmp_path: Path) -> None:
    trial = shuffled(exported.made.configuration.parent, tmp_path)
    with Processes(2) as engine:
        assert run_export(trial, engine, json=True) == 0
    ours, theirs = names_in(trial.output), names_in(exported.trial.output)
    assert len(ours) == len(theirs) >= 20
    assert not ours & theirs


def names_in(root: Path) -> set[str]:
    """Subject labels and UIDs of a tree."""
    text = "\n".join(p.read_text() for p in root.glob("sub-*/ses-*/*/*.json")) + str(list(root.glob("sub-*")))
    return set(re.findall(r"2\.25\.\d+", text)) | {p.name for p in root.glob("sub-*")}


def test_labels_and_images_stay_when_patients_are_added(tmp_path: Path) -> None:
    source = tmp_path / "in"
    for name in ("PM", "PK"):
        add_series(source / name, name, f"1.2.3.{ord(name[1])}")
    trial = trial_for(source, tmp_path / "out", None)
    export(trial)
    labels = {name: subject_of(trial, name) for name in ("PM", "PK")}
    before = contents(trial.output)
    for name in ("PA", "PZ", "PL"):
        add_series(source / "0" / name, name, f"1.2.3.{ord(name[1])}")
    assert export(trial).run.sessions_written == 3
    assert {name: subject_of(trial, name) for name in labels} == labels
    after = contents(trial.output)
    assert {n: after.get(n) for n in before if n.startswith("sub-")} == {
        n: before[n] for n in before if n[:4] == "sub-"
    }


def test_a_visit_that_is_added_before_the_first_changes_no_label(tmp_path: Path) -> None:
    source = tmp_path / "in"
    add_series(source / "b", "PA", "1.2.3.1", StudyDate="20200601")
    trial = trial_for(source, tmp_path / "out", None)
    export(trial)
    ((subject, session),) = [(r["subject"], r["session"]) for r in rows(trial.work / "linkage.tsv")]
    add_series(source / "a", "PA", "1.2.3.2", StudyDate="20200101", StudyInstanceUID="1.2.9.7")
    export(trial)
    linkage = {r["date"]: (r["subject"], r["session"]) for r in rows(trial.work / "linkage.tsv")}
    assert linkage["20200601"] == (subject, session)
    assert len(set(linkage.values())) == 2


def test_two_centres_001_are_two_people(tmp_path: Path) -> None:
    for n, institution in enumerate(("Alpha Clinic", "Beta Clinic")):
        changes = {"InstitutionName": institution, "StudyInstanceUID": f"1.2.9.{n}", "SeriesInstanceUID": f"1.2.3.{n}"}
        write_series(tmp_path / "in" / str(n), axial(5), PatientID="001", SeriesDescription="t2_tse_tra", **changes)
    trial = trial_for(tmp_path / "in", tmp_path / "out", None)
    export(trial)
    assert len(list(trial.output.glob("sub-*"))) == 2
    assert {r["id"] for r in rows(trial.work / "linkage.tsv")} == {"001"}


@given(KEYS, st.integers(2, 4), st.integers(0, 60_000))
def test_moved_dates_keep_the_order_of_visits(key: bytes, visits: int, first: int) -> None:
    shift = shift_of(Pseudonyms(key), "S")
    days = [date(1930, 1, 1) + timedelta(days=first + 30 * n) for n in range(visits)]
    moved = [shift.date(f"{d:%Y%m%d}") for d in days]
    assert moved == sorted(moved) and len(set(moved)) == visits
