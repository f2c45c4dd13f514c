"""Scratch folders: memory where there is room, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trialbids.exporter.convert.scratch import scratch_folder


@pytest.fixture
def places(tmp_path):
    memory = tmp_path / "memory"
    memory.mkdir()
    return tmp_path / "private", memory


def test_memory_is_taken_if_it_has_room(places):
    private, memory = places
    assert scratch_folder(private, memory, room=0).parent == memory
    assert scratch_folder(private, memory, room=2**60).parent == private
    assert scratch_folder(private, memory / "absent", room=0).parent == private


def test_the_folder_is_private_and_named_after_the_process(places):
    folder = scratch_folder(*places, room=0)
    assert folder.name.startswith(f"trialbids-{os.getpid()}-")
    assert folder.stat().st_mode & 0o077 == 0


def test_what_a_killed_process_left_is_removed_and_a_living_ones_is_not(places):
    private, memory = places
    code = "import sys; from pathlib import Path; from trialbids.exporter.convert import scratch_folder;"
    code += "f = scratch_folder(Path(sys.argv[1]), Path(sys.argv[2]), 0); (f / 'x').touch(); print(f, flush=True);"
    code += "import time; time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code, str(private), str(memory)], stdout=subprocess.PIPE, text=True)
    try:
        left = Path(child.stdout.readline().strip())
        scratch_folder(private, memory, room=0)
        assert left.exists()
    finally:
        child.kill()
        child.wait()
    assert left.exists()
    scratch_folder(private, memory, room=0)
    assert not left.exists()


def test_a_process_that_ends_leaves_nothing(places):
    private, memory = places
    code = "import sys; from pathlib import Path; from trialbids.exporter.convert import scratch_folder;"
    code += "f = scratch_folder(Path(sys.argv[1]), Path(sys.argv[2]), 0); (f / 'x').touch()"
    subprocess.run([sys.executable, "-c", code, str(private), str(memory)], check=True)
    assert not list(memory.iterdir())


def test_folders_of_others_stay(places):
    private, memory = places
    for name in ("trialbids-notes-1", "trialbids-x", "other-1-2"):
        (memory / name).mkdir()
    (memory / "trialbids-999999999-a").symlink_to(private)
    scratch_folder(private, memory, room=2**60)
    assert len(list(memory.iterdir())) == 4
