"""Pseudonyms: keyed, stable, apart by kind and namespace; the key is private, one, and never replaced in silence."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.deidentify.key import (
    FILE_VARIABLE,
    KEY_FILE,
    KEY_VARIABLE,
    PIN_FILE,
    load_key,
    load_or_make_key,
)
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.errors import UsageError
from trialbids.exporter.places import check_places, workplace
from trialbids.exporter.trial import Trial

KEYS = st.binary(min_size=32, max_size=32)
UIDS = st.lists(st.integers(0, 10**12), min_size=2, max_size=4).map(lambda parts: ".".join(map(str, parts)))
ONE, OTHER = bytes(range(32)).hex(), bytes(range(1, 33)).hex()


def key_file(path: Path, text: str = ONE, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    return path


def trial(folder: Path, **more: object) -> Trial:
    (folder / "in").mkdir(exist_ok=True)
    places = {"sources": [folder / "in"], "output": folder / "out", "work": folder / "work"}
    return Trial.model_validate(places | more)


@given(KEYS, st.text(), st.text())
def test_the_same_key_gives_the_same_label_and_a_legal_one(key: bytes, namespace: str, value: str) -> None:
    label = Pseudonyms(key).label("subject", namespace, value)
    assert label == Pseudonyms(key).label("subject", namespace, value)
    assert len(label) == 10 and label.isalnum() and label.isascii()


@given(KEYS, KEYS, UIDS)
def test_two_keys_share_no_uid(one: bytes, other: bytes, value: str) -> None:
    if one != other:
        assert Pseudonyms(one).uid(value) != Pseudonyms(other).uid(value)


@given(KEYS, st.text(), st.text())
def test_one_value_of_two_kinds_or_two_namespaces_gives_two_labels(key: bytes, value: str, namespace: str) -> None:
    names = Pseudonyms(key)
    assert names.label("subject", namespace, value) != names.label("session", namespace, value)
    assert names.label("subject", namespace + "x", value) != names.label("subject", namespace, "x" + value)


@given(KEYS, UIDS)
def test_uids_are_uuids_under_2_25(key: bytes, value: str) -> None:
    uid = Pseudonyms(key).uid(value)
    assert uid.startswith("2.25.") and len(uid) <= 64
    assert uuid.UUID(int=int(uid[5:])).version == 4


@given(KEYS, st.lists(UIDS, unique=True, min_size=2))
def test_different_uids_stay_different_and_padding_makes_no_other(key: bytes, values: list[str]) -> None:
    names = Pseudonyms(key)
    assert len({names.uid(v) for v in values}) == len(values)
    assert all(names.uid(f"{v}\0") == names.uid(f" {v} ") == names.uid(v) for v in values)


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.1", "1.2.840.10008.1.4.1.1", ""])
def test_what_the_standard_registers_stays_and_no_uid_stays_none(uid: str) -> None:
    assert Pseudonyms(bytes(range(32))).uid(uid) == uid


def test_a_uid_that_only_begins_like_the_standards_does_not_stay() -> None:
    assert Pseudonyms(bytes(range(32))).uid("1.2.840.10008.5.1.4.1.1.4.77").startswith("2.25.")


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = load_or_make_key(tmp_path, environ={})
    assert load_or_make_key(tmp_path, environ={}) == load_key(tmp_path, environ={}) == first
    for name in (KEY_FILE, PIN_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_key_shows_in_no_representation(tmp_path: Path) -> None:
    names = load_or_make_key(tmp_path, environ={})
    assert names.key.hex() not in repr(names) and repr(names.key) not in repr(names)


@pytest.mark.parametrize("content", [b"", b"not hex", b"abcd", b"\xff\xfe", b"0" * 64, ONE.encode() + b"00"])
def test_a_broken_key_is_refused_left_alone_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(UsageError, match="key") as error:
        load_or_make_key(tmp_path, environ={})
    assert (tmp_path / KEY_FILE).read_bytes() == content
    assert not content or content.decode("latin-1") not in str(error.value)


@pytest.mark.parametrize("way", ["file", "variable", "file variable"])
def test_a_key_given_from_outside_is_used_and_none_is_made(tmp_path: Path, way: str) -> None:
    outside, work = key_file(tmp_path / "k"), tmp_path / "work"
    work.mkdir()
    environ = {"file": {}, "variable": {KEY_VARIABLE: ONE}, "file variable": {FILE_VARIABLE: str(outside)}}[way]
    names = load_or_make_key(work, outside if way == "file" else None, environ)
    assert names.key.hex() == ONE
    assert [path.name for path in work.iterdir()] == [PIN_FILE]


def test_two_keys_that_differ_are_both_named_and_two_that_agree_are_fine(tmp_path: Path) -> None:
    outside = key_file(tmp_path / "k")
    with pytest.raises(UsageError, match=r"k and TRIALBIDS_KEY hold two different keys"):
        load_or_make_key(tmp_path, outside, {KEY_VARIABLE: OTHER})
    assert load_or_make_key(tmp_path, outside, {KEY_VARIABLE: f" {ONE.upper()}\n"}).key.hex() == ONE


def test_a_variable_that_arrived_empty_makes_no_second_key(tmp_path: Path) -> None:
    for variable, what in ((KEY_VARIABLE, "not a key"), (FILE_VARIABLE, "cannot be read")):
        with pytest.raises(UsageError, match=what):
            load_or_make_key(tmp_path, environ={variable: ""})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_key_file_is_named_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such key file"):
        load_or_make_key(tmp_path, tmp_path / "typo", {})
    assert list(tmp_path.iterdir()) == []


def test_a_key_outside_that_everybody_reads_is_refused_and_the_folders_own_is_closed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="everybody on this machine can read the key"):
        load_or_make_key(tmp_path, key_file(tmp_path / "open", mode=0o644), {})
    assert load_or_make_key(tmp_path, key_file(tmp_path / "group", mode=0o640), {}).key.hex() == ONE
    own = key_file(tmp_path / KEY_FILE, mode=0o644)
    assert load_or_make_key(tmp_path, environ={}).key.hex() == ONE
    assert stat.S_IMODE(own.stat().st_mode) == 0o600


def test_a_work_folder_keeps_to_its_key(tmp_path: Path) -> None:
    mark = load_or_make_key(tmp_path, environ={KEY_VARIABLE: ONE}).fingerprint
    with pytest.raises(UsageError, match=f"is not the key .* was made with, whose fingerprint is {mark}"):
        load_or_make_key(tmp_path, environ={KEY_VARIABLE: OTHER})


def test_a_lost_key_is_not_replaced_in_silence(tmp_path: Path) -> None:
    load_or_make_key(tmp_path, environ={})
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(UsageError, match=r"is gone; put it back from its backup"):
        load_or_make_key(tmp_path, environ={})
    assert not (tmp_path / KEY_FILE).exists()


def test_a_damaged_fingerprint_is_named(tmp_path: Path) -> None:
    load_or_make_key(tmp_path, environ={})
    (tmp_path / PIN_FILE).write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is damaged"):
        load_or_make_key(tmp_path, environ={})


@pytest.mark.parametrize("place", ["out/k", "in/k", "other/k"])
def test_a_key_in_the_tree_a_source_or_any_bids_dataset_is_refused(tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    (tmp_path / "other").mkdir(exist_ok=True)
    (tmp_path / "other" / "dataset_description.json").write_text("{}")
    key_file(path)
    with pytest.raises(UsageError, match="the key is secret and may not lie inside"):
        check_places(trial(tmp_path, key=path))


def test_a_key_that_only_leads_into_the_tree_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    link = tmp_path / "link"
    link.symlink_to(key_file(tmp_path / "out" / "k"))
    monkeypatch.setenv(FILE_VARIABLE, str(link))
    with pytest.raises(UsageError, match="may not lie inside the output"):
        check_places(trial(tmp_path))


def test_a_work_folder_in_a_bids_dataset_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(UsageError, match="the work folder is private and may not lie inside the BIDS dataset"):
        check_places(trial(tmp_path))


def test_the_workplace_takes_the_key_that_the_trial_names(tmp_path: Path) -> None:
    with workplace(trial(tmp_path, key=key_file(tmp_path / "k"))) as names:
        assert names.key.hex() == ONE
    assert not (tmp_path / "work" / KEY_FILE).exists()
