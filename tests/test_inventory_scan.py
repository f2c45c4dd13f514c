"""The whole inventory: what is found, what is listed, and what a second run reads."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from inventorymaker import encoded, image, write
from test_inventory_archives import zipped

from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory import reading
from trialbids.exporter.inventory import run as scanning
from trialbids.exporter.inventory import store as storing
from trialbids.exporter.inventory.find import find_files
from trialbids.exporter.inventory.run import Inventory, scan
from trialbids.exporter.inventory.source import FileSource
from trialbids.exporter.progress import Silent


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write(folder / "P1" / "IM1", image(1))
    write(folder / "P1" / "deep" / "er" / "x.txt", image(2))
    (folder / "README.dcm").write_text("not DICOM")
    (folder / "empty").touch()
    (folder / "upload").write_bytes(zipped({"b/IM3": encoded(image(3)), "../out": encoded(image(4))}))
    return folder


def run(tmp_path: Path, *sources: Path) -> Inventory:
    return scan(sources, tmp_path / "work" / "inventory", engine=Serial(), progress=Silent())


def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are opened from now on."""
    names: list[str] = []

    class Watched(FileSource):
        def __init__(self, path: str | Path) -> None:
            names.append(Path(path).name)
            super().__init__(path)

    monkeypatch.setattr(reading, "FileSource", Watched)
    return names


def test_everything_is_an_instance_or_is_listed(tmp_path: Path, source: Path) -> None:
    found = run(tmp_path, source)
    assert [(Path(i.path).name, i.member, i.InstanceNumber) for i in found.instances] == [
        ("IM1", "", 1),
        ("x.txt", "", 2),
        ("upload", "b/IM3", 3),
    ]
    assert [(Path(u.path).name, u.member, u.reason) for u in found.unreadable] == [
        ("README.dcm", "", "not-dicom"),
        ("empty", "", "empty"),
        ("upload", "../out", "refused-archive-member"),
    ]
    assert (found.n_files, found.n_reused, found.n_folders, found.access_denied) == (5, 0, 3, False)
    assert found.n_bytes == sum(path.stat().st_size for path in source.rglob("*") if path.is_file())


def test_both_engines_give_the_same(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "BATCH_FILES", 2)
    with Processes(2) as engine:
        parallel = scan([source], tmp_path / "p", engine=engine, progress=Silent())
    assert parallel == run(tmp_path, source)


def test_unchanged_files_are_not_opened_again(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(tmp_path, source)
    names = opened(monkeypatch)
    second = run(tmp_path, source)
    assert names == []
    assert (second.instances, second.unreadable, second.n_reused) == (first.instances, first.unreadable, 5)


def test_changes_are_seen(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, source)
    (source / "P1" / "deep" / "er" / "x.txt").unlink()
    write(source / "P1" / "IM1", image(11))
    write(source / "new", image(12))
    (source / "empty").unlink()
    names = opened(monkeypatch)
    found = run(tmp_path, source)
    assert sorted(names) == ["IM1", "new"]
    assert sorted(i.InstanceNumber or 0 for i in found.instances) == [3, 11, 12]
    assert [u.reason for u in found.unreadable] == ["not-dicom", "refused-archive-member"]
    assert run(tmp_path, source).n_reused == 4


@pytest.mark.parametrize("name", ["instances.parquet", "files.parquet", "unreadable.parquet"])
@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_damaged_store_is_rebuilt(tmp_path: Path, source: Path, name: str, content: bytes | None) -> None:
    first = run(tmp_path, source)
    path = tmp_path / "work" / "inventory" / name
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    found = run(tmp_path, source)
    assert (found.n_reused, found.instances, found.unreadable) == (0, first.instances, first.unreadable)


def test_a_store_of_two_runs_is_rebuilt(tmp_path: Path, source: Path) -> None:
    first = run(tmp_path, source)
    path = tmp_path / "work" / "inventory" / "instances.parquet"
    older = path.read_bytes()
    write(source / "more", image(9))
    run(tmp_path, source)
    path.write_bytes(older)
    assert len(run(tmp_path, source).instances) == len(first.instances) + 1


def test_another_reader_reads_anew(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, source)
    monkeypatch.setattr(storing, "READER_VERSION", "another")
    assert run(tmp_path, source).n_reused == 0


def test_a_refusal_by_the_system_is_listed_and_tried_again(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open

    def refuse(path: str, *rest: int, **more: int) -> int:
        if str(path).endswith("IM1"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        found = run(tmp_path, source)
    assert "unreadable" in [u.reason for u in found.unreadable]
    assert len(found.instances) == 2
    again = run(tmp_path, source)
    assert (len(again.instances), "unreadable" in [u.reason for u in again.unreadable]) == (3, False)


def test_an_interrupted_run_keeps_what_it_has_read(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BATCH_FILES", 2)

    class Interrupted(Serial):
        def map(self, function, items, **_how):  # type: ignore[no-untyped-def]
            for number, pair in enumerate(super().map(function, items)):
                if number == 1:
                    raise KeyboardInterrupt
                yield pair

    with pytest.raises(KeyboardInterrupt):
        scan([source], tmp_path / "work" / "inventory", engine=Interrupted(), progress=Silent())
    found = run(tmp_path, source)
    assert (found.n_reused, len(found.instances)) == (2, 3)


def test_saving_takes_a_small_share_of_the_time(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    saved: list[float] = []
    for name, seconds in (("BATCH_FILES", 1), ("CHECKPOINT_SECONDS", 1.0)):
        monkeypatch.setattr(scanning, name, seconds)
    monkeypatch.setattr(scanning.time, "monotonic", lambda: clock[0])

    def save(*_: object) -> None:
        clock[0] += 2.0
        saved.append(clock[0])

    class Slow(Serial):
        def map(self, function, items, **_how):  # type: ignore[no-untyped-def]
            for pair in super().map(function, items):
                clock[0] += 10.0
                yield pair

    monkeypatch.setattr(scanning, "save", save)
    for number in range(20, 40):
        write(source / str(number), image(number))
    scan([source], tmp_path / "store", engine=Slow(), progress=Silent())
    assert 5 <= len(saved) <= 8
    *waits, _ = (later - earlier for earlier, later in pairwise(saved))  # what is read last is saved at once
    assert min(waits) >= 2.0 / scanning.CHECKPOINT_SHARE


def test_a_link_that_led_to_files_is_lost_until_they_are_back_or_it_is_gone(tmp_path: Path, source: Path) -> None:
    disk, away = tmp_path / "disk", tmp_path / "away"
    write(disk / "deep" / "IM7", image(7))
    write(tmp_path / "IM8", image(8))
    (source / "folder").symlink_to(disk)
    (source / "file").symlink_to(tmp_path / "IM8")
    (source / "stray").symlink_to(tmp_path / "nowhere")

    def listed() -> dict[str, str]:
        found = run(tmp_path, source)
        return {Path(u.path).name: u.reason for u in found.unreadable if u.reason.endswith("link")}

    assert listed() == {"stray": "broken-link"}
    disk.rename(away)
    (tmp_path / "IM8").unlink()
    everything = {"folder": "lost-link", "file": "lost-link", "stray": "broken-link"}
    assert [listed(), listed()] == [everything, everything]
    write(source / "new", image(9))
    assert listed() == everything
    away.rename(disk)
    (source / "file").unlink()
    assert listed() == {"stray": "broken-link"}


def test_nothing_to_read_is_one_sentence(tmp_path: Path) -> None:
    empty, other = tmp_path / "empty", tmp_path / "other"
    empty.mkdir()
    other.mkdir()
    (other / "notes.txt").write_text("no DICOM")
    cases = [
        (tmp_path / "absent", "does not exist"),
        (empty, "no file"),
        (other, "no readable DICOM"),
        (other / "notes.txt", "1 not-dicom"),
    ]
    for source, words in cases:
        with pytest.raises(UsageError, match=words) as caught:
            run(tmp_path, source)
        assert caught.value.exit_code == 2


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    assert len(run(tmp_path, write(tmp_path / "IM1", image(1))).instances) == 1


def test_files_reachable_twice_are_read_once_and_circles_end(tmp_path: Path, source: Path) -> None:
    outside = write(tmp_path / "outside" / "IM5", image(5))
    (source / "A_link").symlink_to(source / "P1")
    (source / "P1" / "circle").symlink_to(source)
    (source / "linked").symlink_to(outside.parent)
    (source / "lost").symlink_to(source / "nowhere")
    found = run(tmp_path, source, source / "P1", source)
    assert sorted(i.InstanceNumber or 0 for i in found.instances) == [1, 2, 3, 5]
    assert str(source / "P1" / "IM1") in [i.path for i in found.instances]
    assert str(source / "linked" / "IM5") in [i.path for i in found.instances]
    assert [u.reason for u in found.unreadable if u.path.endswith("lost")] == ["broken-link"]
    assert not found.access_denied


def test_the_store_and_pipes_are_not_searched(tmp_path: Path, source: Path) -> None:
    os.mkfifo(source / "pipe")
    inside = source / "work"
    scan([source], inside, engine=Serial(), progress=Silent())
    walk = find_files([source], inside)
    assert not [found for found in walk.files if "parquet" in found.path]
    assert [u.reason for u in walk.unreadable] == ["not-a-file"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_scandir = os.scandir

    def refuse(path: str):  # type: ignore[no-untyped-def]
        if path.endswith("deep"):
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = run(tmp_path, source)
    assert found.access_denied
    assert len(found.instances) == 2


def test_every_real_file_is_an_instance_or_is_listed(tmp_path: Path, real_data: Path) -> None:
    found = run(tmp_path, real_data / "dicom" / "dicom2nifti", real_data / "dicom" / "rt-utils")
    seen = {i.path for i in found.instances} | {u.path for u in found.unreadable}
    assert len(seen) == found.n_files
    assert len({i.key for i in found.instances}) == len(found.instances)
