"""Pseudonyms: keyed, stable, apart by kind and namespace; the key is private."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.deidentify.pseudonyms import KEY_FILE, Pseudonyms, load_or_make_key
from trialbids.exporter.errors import UsageError

KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS, st.text(), st.text())
def test_the_same_key_gives_the_same_label_and_a_legal_one(key: bytes, namespace: str, value: str) -> None:
    label = Pseudonyms(key).label("subject", namespace, value)
    assert label == Pseudonyms(key).label("subject", namespace, value)
    assert len(label) == 10 and label.isalnum() and label.isascii()


@given(KEYS, KEYS, st.text())
def test_two_keys_share_no_uid(one: bytes, other: bytes, value: str) -> None:
    if one != other:
        assert Pseudonyms(one).uid("series", value) != Pseudonyms(other).uid("series", value)


@given(KEYS, st.text(), st.text())
def test_one_value_of_two_kinds_or_two_namespaces_gives_two_labels(key: bytes, value: str, namespace: str) -> None:
    names = Pseudonyms(key)
    assert names.label("subject", namespace, value) != names.label("session", namespace, value)
    assert names.label("subject", namespace + "x", value) != names.label("subject", namespace, "x" + value)


@given(KEYS, st.text())
def test_uids_are_uuids_under_2_25(key: bytes, value: str) -> None:
    uid = Pseudonyms(key).uid("study", value)
    assert uid.startswith("2.25.") and len(uid) <= 64
    assert uuid.UUID(int=int(uid[5:])).version == 4


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = load_or_make_key(tmp_path)
    assert load_or_make_key(tmp_path) == first
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_the_key_shows_in_no_representation(tmp_path: Path) -> None:
    names = load_or_make_key(tmp_path)
    assert names.key.hex() not in repr(names) and repr(names.key) not in repr(names)


@pytest.mark.parametrize("content", [b"", b"not hex", b"abcd", b"\xff\xfe"])
def test_a_broken_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(UsageError, match="key"):
        load_or_make_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content
