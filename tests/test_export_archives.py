"""Sources in archives: each is passed over a few times, however many stacks and copies lie in it."""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from stackmaker import axial, write_series
from test_export_again import export
from test_export_tree import contents
from test_inventory_archives import tar, zipped

from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory import objects
from trialbids.exporter.pipeline import plan_trial, scan_trial
from trialbids.exporter.places import workplace
from trialbids.exporter.progress import Silent
from trialbids.exporter.release import unpack
from trialbids.exporter.release.export import export_plan
from trialbids.exporter.trial import Trial, trial_for

PACKERS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zipped,
    "tar": tar,
    "tar.gz": lambda members: gzip.compress(tar(members), 1),
}
N_SERIES = 6


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """One patient: some series of five slices."""
    folder = tmp_path_factory.mktemp("raw")
    for n in range(N_SERIES):
        header = {"SeriesNumber": n + 1, "SeriesDescription": "t2_tse_tra", "AcquisitionTime": f"1200{n:02d}"}
        write_series(folder / str(n), axial(5), StudyInstanceUID="1.2.3", **header)
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.dcm"))}


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each archive is passed over from now on, by name."""
    counts: Counter[str] = Counter()
    whole = objects.members

    def counted(path: str, kind: str) -> object:
        counts[Path(path).name] += 1
        return whole(path, kind)

    monkeypatch.setattr(objects, "members", counted)
    return counts


def packed(tmp_path: Path, **archives: bytes) -> Trial:
    (tmp_path / "in").mkdir()
    for name, data in archives.items():
        (tmp_path / "in" / name).write_bytes(data)
    return trial_for(tmp_path / "in", tmp_path / "out", None)


@pytest.mark.parametrize("kind", PACKERS)
def test_all_stacks_of_an_archive_take_one_pass(
    tmp_path: Path, members: dict[str, bytes], passes: Counter[str], kind: str
) -> None:
    trial = packed(tmp_path, one=PACKERS[kind](members))
    assert export(trial).summary.images == N_SERIES
    assert passes == {"one": 1}
    assert not (trial.work / "unpacked").exists()


def test_an_archive_that_came_twice_takes_a_few_passes(
    tmp_path: Path, members: dict[str, bytes], passes: Counter[str]
) -> None:
    data = PACKERS["tar.gz"](members)
    summary = export(packed(tmp_path, one=data, two=data)).summary
    assert (summary.images, summary.instances_set_aside) == (N_SERIES, len(members))
    assert max(passes.values()) <= objects.ONE_BY_ONE + 2


def test_several_processes_make_of_it_what_one_makes_of_plain_files(tmp_path: Path, members: dict[str, bytes]) -> None:
    trial = packed(tmp_path, one=PACKERS["tar.gz"](members))
    plain = trial_for(tmp_path / "plain", tmp_path / "out2", None)
    for name, data in members.items():
        (tmp_path / "plain" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plain" / name).write_bytes(data)
    export(plain)
    trial.work.mkdir(mode=0o700)
    shutil.copy(plain.work / "secret.key", trial.work)
    with Processes(2) as engine, workplace(trial) as pseudonyms:
        inventory = scan_trial(trial, engine, Silent())
        export_plan(plan_trial(trial, inventory, pseudonyms, Silent()), trial, pseudonyms, engine, Silent())
    ours, theirs = contents(trial.output / "curation"), contents(plain.output / "curation")
    assert ours["manifest.parquet"] == theirs["manifest.parquet"]
    assert not (trial.work / "unpacked").exists()


def test_an_archive_that_the_disk_cannot_take_is_named_before_anything_is_touched(
    tmp_path: Path, members: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = PACKERS["tar.gz"](members)
    trial = packed(tmp_path, one=data)
    export(trial)
    before = contents(trial.output)
    (trial.sources[0] / "one").write_bytes(gzip.compress(tar(members), 9))
    monkeypatch.setattr(unpack, "RESERVE", 1 << 60)
    with pytest.raises(UsageError, match=r"one: takes .* GB unpacked, and .* GB free; make room there"):
        export(trial)
    assert contents(trial.output) == before
    assert not (trial.work / "unpacked").exists()


def test_an_archive_that_is_cut_after_the_scan_fails_only_the_stacks_behind_the_cut(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    data = PACKERS["tar"](members)
    trial = packed(tmp_path, one=data)
    with Serial() as engine, workplace(trial) as pseudonyms:
        plan = plan_trial(trial, scan_trial(trial, engine, Silent()), pseudonyms, Silent())
        (trial.sources[0] / "one").write_bytes(data[: data.index(b"3/000.dcm\0")])
        exported = export_plan(plan, trial, pseudonyms, engine, Silent())
    assert exported.summary.images == 3
    assert Counter(r.reason for r in exported.rows) == {"": 3, "source-lost": 3}
    assert json.loads((trial.output / "curation" / "summary.json").read_bytes())["images"] == 3
