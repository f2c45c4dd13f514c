"""The engine outlives its workers: work that kills a process is named, and everything else is done."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from inventorymaker import image, write

from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.errors import WorkerDiedError
from trialbids.exporter.inventory import batch as batches
from trialbids.exporter.inventory import run as scanning
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.progress import Silent


def doubled(number: int) -> int:
    """Twice the number; 5 aborts as native code does, 11 is killed as by the kernel where memory runs out."""
    if number == 5:
        os.abort()
    if number == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def doubled_at_second_try(order: tuple[int, Path]) -> int:
    """Twice the number; its process is killed where the mark is not there yet."""
    number, mark = order
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def reading(files):
    """As the reader of the inventory, but one file ends the process."""
    if any(found.path.endswith("3") for found in files):
        os.abort()
    from trialbids.exporter.inventory.reading import read_files

    return read_files(files)


def test_work_that_ends_its_process_gets_a_result_and_all_other_work_is_done():
    with Processes(2) as engine:
        found = dict(engine.map(doubled, range(20), lost=lambda number: -number))
        assert found == {n: -n if n in (5, 11) else 2 * n for n in range(20)}
        assert dict(engine.map(doubled, range(4))) == {n: 2 * n for n in range(4)}  # and the engine can be used again


def test_work_that_was_killed_once_is_done_at_the_second_try(tmp_path: Path):
    with Processes(1) as engine:
        assert [found for _, found in engine.map(doubled_at_second_try, [(4, tmp_path / "mark")])] == [8]


def test_work_that_cannot_be_left_out_ends_in_one_sentence():
    with Processes(2) as engine, pytest.raises(WorkerDiedError, match="fewer workers"):
        list(engine.map(doubled, range(20)))


def test_an_error_of_the_function_is_raised_as_it_is():
    for engine in (Processes(1), Serial()):
        with engine, pytest.raises(ValueError, match="invalid literal"):
            list(engine.map(int, ["1", "x"]))


def test_a_file_that_ends_the_reader_is_listed_and_all_others_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(scanning, "BATCH_FILES", 2)
    monkeypatch.setattr(scanning, "read_batch", reading)
    for number in range(1, 7):
        write(tmp_path / "in" / str(number), image(number))
    with Processes(2) as engine:
        found = scan([tmp_path / "in"], tmp_path / "store", engine=engine, progress=Silent())
        assert len(found.instances) == 5
        assert [(Path(u.path).name, u.reason) for u in found.unreadable] == [("3", "corrupt")]
        monkeypatch.setattr(scanning, "read_batch", batches.read_batch)
        again = scan([tmp_path / "in"], tmp_path / "store", engine=engine, progress=Silent())
        assert (len(again.instances), again.unreadable) == (6, ())  # what may have been the memory is tried again
