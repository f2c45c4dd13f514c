"""The proof of a tree: clean trees pass, a planted leak fails wherever it is, and clean files are not read twice."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from trialbids.exporter.deidentify.identifiers import Identifier, Known
from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.release.searches import own_words, searches_of
from trialbids.exporter.release.verify import (
    LEAKS_FILE,
    VERIFIED_FILE,
    Verification,
    read_states,
    verify,
    write_verification,
)

IMAGE = "sub-A1/ses-01/dwi/sub-A1_ses-01_dwi"
KNOWN = Known(
    {
        "A1": frozenset([Identifier("patient_name", "Dorrington^Jonathan"), Identifier("patient_id", "88123456")]),
        "B2": frozenset([Identifier("patient_name", "Wolkenstein^Ute"), Identifier("staff_name", "Zimmerling^Karla")]),
    }
)


class Silent:
    """No progress is shown."""

    def start(self, what: str, total: int | None) -> None: ...

    def advance(self, by: int = 1) -> None: ...

    def done(self) -> None: ...


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small clean tree of two subjects."""
    root = tmp_path / "bids"
    for path, text in {
        "README": "Subjects, sessions and UIDs are pseudonyms.\n",
        "participants.tsv": "participant_id\tsex\nsub-A1\tF\nsub-B2\tM\n",
        f"{IMAGE}.json": '{"EchoTime": 0.1}',
        f"{IMAGE}.bval": "0 800\n",
        f"{IMAGE}_qc.json": '{"verdict": "pass"}',
        "sub-B2/sub-B2_sessions.tsv": "session_id\tdays\nses-01\t0\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def proof(root: Path, known: Known = KNOWN, **more: object) -> Verification:
    """The verification of a tree in this process."""
    return verify(root, searches_of(known), Serial(), Silent(), **more)  # pyright: ignore[reportArgumentType]


def append(path: str, text: str) -> Callable[[Path], object]:
    """Plants a text at the end of a file."""

    def plant(root: Path) -> None:
        (root / path).write_text((root / path).read_text() + text)

    return plant


def test_a_clean_tree_passes_with_its_counts(tree: Path) -> None:
    done = proof(tree)
    assert not done.leaks
    assert (done.n_files, done.n_read, done.n_identifiers) == (6, 6, 4)
    assert len(done.states) == 6


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (append("README", "for Jonathan Dorrington"), "patient_name"),
        (append("README", "and Ute Wolkenstein"), "patient_name"),
        (append(f"{IMAGE}_qc.json", " "), ""),
        (append("README", "A friend of the trial came by.\n"), "unknown-text"),
        (append("README", "1.2.840.113619.2.1.99.4\n"), "foreign-uid"),
        (append("participants.tsv", "sub-88123456\tF\n"), "patient_id"),
        (lambda root: (root / f"{IMAGE}_qc.json").write_text('{"by": "K. Zimmerling"}'), "staff_name"),
        (lambda root: (root / f"{IMAGE}.json").write_text('{"Note": 1}'), "unknown-key"),
        (lambda root: (root / "sub-A1" / "DORRINGTON").mkdir(), "empty-folder"),
        (lambda root: (root / "scans").mkdir(), "unknown-folder"),
        (lambda root: (root / "sub-C3").symlink_to(root / "sub-A1"), "not-a-file"),
        (lambda root: (root / "sub-A1" / "notes.txt").write_text("x"), "unknown-file"),
    ],
)
def test_a_planted_leak_fails(tree: Path, plant: Callable[[Path], object], kind: str) -> None:
    plant(tree)
    assert kind in proof(tree).counts() if kind else not proof(tree).leaks


def test_workers_find_the_same(tree: Path) -> None:
    append("README", "for Jonathan Dorrington")(tree)
    append(f"{IMAGE}.bval", "88123456\n")(tree)
    with Processes(2) as engine:
        parallel = verify(tree, searches_of(KNOWN), engine, Silent())
    assert parallel.leaks == proof(tree).leaks and len(parallel.counts()) == 3


def test_what_was_clean_is_not_read_again_unless_it_or_the_search_changed(tree: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    write_verification(work, proof(tree))
    assert proof(tree, skip=read_states(work)).n_read == 0
    (tree / f"{IMAGE}.bval").write_text("0 900\n\n")
    assert proof(tree, skip=read_states(work)).n_read == 1
    more = KNOWN.merged(Known({"A1": frozenset([Identifier("patient_id", "77665544")])}))
    again = proof(tree, more, skip=read_states(work))
    assert again.n_read == 5, "the other subject's file is as it was"


def test_a_leak_is_read_again_until_it_is_gone(tree: Path, tmp_path: Path) -> None:
    append("README", "for Jonathan Dorrington")(tree)
    write_verification(tmp_path, proof(tree))
    again = proof(tree, skip=read_states(tmp_path))
    assert again.n_read == 1 and set(again.counts()) == {"patient_name", "unknown-text"}


def test_records_are_private_and_counts_say_nothing(tree: Path, tmp_path: Path) -> None:
    append("README", "for Jonathan Dorrington")(tree)
    done = proof(tree)
    write_verification(tmp_path, done)
    for name in (LEAKS_FILE, VERIFIED_FILE):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert "dorrington" in (tmp_path / LEAKS_FILE).read_text()
    assert "orrington" not in f"{done!r} {done.counts()} {done.unsearched}"


@pytest.mark.parametrize("text", ["", "path\tsize\n", "path\tsize\tmtime_ns\tsearched\nREADME\tx\ty\tz\n"])
def test_a_damaged_record_means_that_everything_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / VERIFIED_FILE).write_text(text)
    assert read_states(tmp_path) == {}


def test_our_own_prose_names_nobody() -> None:
    assert {"faces", "harmonised", "participant"} <= own_words()
    assert not {"dorrington", "doe", "jonathan"} & own_words()


def test_kept_dates_and_devices_are_no_leaks(tree: Path) -> None:
    known = Known({"A1": frozenset([Identifier("date", "20190314"), Identifier("device", "SN4711XY")])})
    page = tree / "curation" / "certificate.html"
    page.parent.mkdir()
    page.write_text("<p>2019-03-14, SN4711XY</p>")
    page.with_suffix(".json").write_text('{"date": "2019-03-14", "trial": "SN4711XY"}')
    assert set(proof(tree, known).counts()) == {"date", "device"}
    kept = verify(tree, searches_of(known, keep_dates=True, device=True), Serial(), Silent())
    assert not kept.leaks
