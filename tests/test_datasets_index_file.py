"""Where the index is kept, and what happens where it is damaged, foreign or cannot be kept."""

from __future__ import annotations

import os
import shutil
import sqlite3
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_datasets_index import make
from treemaker import write_json

from trialbids.datasets import Database
from trialbids.datasets.files import slowness
from trialbids.datasets.index import store
from trialbids.datasets.index.found import pack


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIALBIDS_CACHE", str(tmp_path / "cache"))
    return make(tmp_path / "trial" / "bids")


def beside(root: Path) -> Path:
    return root.parent / ".bids.trialbids-index.sqlite"


def contents(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_it_lies_beside_the_tree_and_never_in_it(root: Path, tmp_path: Path) -> None:
    before = contents(root)
    Database(root)
    assert contents(root) == before
    assert sorted(path.name for path in root.parent.iterdir()) == [".bids.trialbids-index.sqlite", "bids"]
    assert not (tmp_path / "cache").exists()
    with sqlite3.connect(beside(root)) as base:
        assert base.execute("SELECT sum(images) FROM participants WHERE scope = 'raw'").fetchone() == (3,)
    assert str(tmp_path).encode() not in beside(root).read_bytes()


def test_a_path_or_none(root: Path, tmp_path: Path) -> None:
    Database(root, index=None)
    Database(root, index=tmp_path / "own" / "index.sqlite")
    assert (tmp_path / "own" / "index.sqlite").is_file() and not beside(root).exists()


def test_a_dataset_within_a_dataset_is_indexed_elsewhere(root: Path, tmp_path: Path) -> None:
    before = contents(root)
    Database(root / "derivatives" / "annotations")
    assert contents(root) == before
    assert len(list((tmp_path / "cache" / "indexes").iterdir())) == 1


def test_where_nothing_can_be_written_it_goes_on_in_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    db = Database(root)
    assert len(db.images) == 3 and not db.problems
    assert [path.name for path in root.parent.iterdir()] == ["bids"]


def test_a_folder_that_cannot_be_written_uses_the_cache(root: Path, tmp_path: Path) -> None:
    beside(root).mkdir()  # in the way, also of the administrator, whom no permission stops
    Database(root)
    (kept,) = (tmp_path / "cache" / "indexes").iterdir()
    stamp = kept.stat().st_mtime_ns
    assert len(Database(root).images) == 3 and kept.stat().st_mtime_ns == stamp


DAMAGE = {
    "nothing": b"",
    "no database": b"hello" * 1000,
    "cut": None,
    "another database": "CREATE TABLE participants (a)",
    "another version": "UPDATE facts SET value = '0' WHERE name = 'version'",
    "no object": "UPDATE participants SET sessions = '{]'",
    "no packed rows": "UPDATE participants SET packed = x'00ff'",
    "a pickle": "UPDATE participants SET packed = x'80049529'",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_or_foreign_index_is_made_anew(root: Path, kind: str) -> None:
    sound = Database(root).images
    file, damage = beside(root), DAMAGE[kind]
    if damage is None:
        file.write_bytes(file.read_bytes()[:5000])
    elif isinstance(damage, bytes):
        file.write_bytes(damage)
    else:
        if kind == "another database":
            file.unlink()
        with sqlite3.connect(file) as base:
            base.execute(damage)
    db = Database(root)
    assert db.images == sound and not db.problems
    write_json(root / "sub-01" / "ses-01" / "anat" / "sub-01_ses-01_T2w.json", {"Units": "b"})
    assert [image.units for image in Database(root).images] == ["b", "a", "a"]


def test_an_index_is_not_taken_for_a_copy_of_the_tree(root: Path) -> None:
    Database(root)
    copy = root.parent / "copy"
    shutil.copytree(root, copy)
    shutil.copy(beside(root), root.parent / ".copy.trialbids-index.sqlite")
    write_json(copy / "sub-01" / "ses-01" / "anat" / "sub-01_ses-01_T2w.json", {"Units": "c"})
    assert [image.units for image in Database(copy).images] == ["c", "a", "a"]


def test_many_open_at_once(root: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: len(Database(root).images), range(8)))
    assert found == [3] * 8
    assert [path.name for path in root.parent.iterdir() if path.name.endswith(".part")] == []
    assert len(Database(root).images) == 3


def test_another_vocabulary_makes_it_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Database(root)
    packed = beside(root).read_bytes()
    monkeypatch.setattr(store, "_version", lambda: "99 other")
    assert len(Database(root).images) == 3
    assert beside(root).read_bytes() != packed


def test_what_is_shared_is_kept_once(root: Path) -> None:
    rows = next(iter(Database(root)._index.entries("raw"))).rows() * 50
    assert len(pack(rows)) < 2 * len(pack(rows[:1]))
    first, second, _ = Database(root).images
    assert first.record is second.record and first.affine is second.affine


def test_indexed_gzip_is_told_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slowness.warn_of_indexed_gzip.cache_clear()
    monkeypatch.setattr(slowness, "find_spec", lambda name: object())
    with pytest.warns(UserWarning, match="three times slower"):
        Database(root)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Database(root)
    slowness.warn_of_indexed_gzip.cache_clear()


def test_file_names_that_are_no_text(root: Path) -> None:
    (root / "sub-01" / "ses-01" / "anat" / os.fsdecode(b"caf\xe9.nii.gz")).write_bytes(b"")
    assert "does not follow BIDS" in Database(root).problems[0].reason
    assert len(Database(root).images) == 3
