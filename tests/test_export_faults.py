"""What happens when an export meets a bad place, another export, or its own death."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Exported
from test_export_tree import contents, images, rows

from trialbids.exporter import places
from trialbids.exporter.cli import run_export
from trialbids.exporter.engine import Serial
from trialbids.exporter.release import commit as committing
from trialbids.exporter.release import export as exporting
from trialbids.exporter.release.validate import validate

PROGRAM = Path(sys.executable).with_name("trialbids")


def trialbids(*arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run the program as a user does."""
    command = [str(PROGRAM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="module")
def source(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of DICOM of one patient, small."""
    folder = tmp_path_factory.mktemp("source")
    plan = rows(exported.trial.work / "plan.tsv")
    subject = plan[0]["subject"]
    wanted = {u for r in plan if r["subject"] == subject and r["sequence"] in ("T2w", "ADC") for u in r["series_uid"].split(";")}
    import pyarrow.parquet as pq

    for n, i in enumerate(pq.read_table(exported.trial.work / "inventory" / "instances.parquet").to_pylist()):
        if i["SeriesInstanceUID"] in wanted and not i["member"]:
            shutil.copy(i["path"], folder / f"{n:05d}")
    assert any(folder.iterdir())
    return folder


def test_what_cannot_be_used_is_refused_in_one_sentence_before_anything_is_touched(source: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.doc").write_text("mine")
    a_file = tmp_path / "file"
    a_file.write_text("x")
    cases: list[tuple[tuple[object, ...], str]] = [
        ((tmp_path / "none", tmp_path / "out"), "no such source"),
        ((source, full), "not made by trialbids"),
        ((source, a_file), "is a file"),
        ((source, tmp_path / "out", "--work", tmp_path / "out" / "work"), "may not lie inside the output"),
        ((source, source / "out"), "lie inside each other"),
        ((source, tmp_path / "out", "--engine", "cloud"), "processes or serial"),
        ((source, tmp_path / "out", tmp_path / "more"), "SRC DST"),
        ((source,), "give a trial.yaml"),
        ((a_file, tmp_path / "out"), "no readable DICOM"),
    ]
    for arguments, words in cases:
        done = trialbids("export", *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert words in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(p.name for p in full.iterdir()) == ["thesis.doc"]
    assert not (tmp_path / "out").exists() and not (source / "out").exists()


def test_two_exports_into_one_output_do_not_meet(exported: Exported) -> None:
    with places.hold(exported.trial, places.load_or_make_key(exported.trial.work).fingerprint):
        done = trialbids("export", exported.made.configuration)
        assert done.returncode == 2 and "another export is writing" in " ".join(done.stderr.split())
    with places.workplace(exported.trial):
        done = trialbids("export", exported.made.configuration)
        assert done.returncode == 2 and "another run uses this work folder" in " ".join(done.stderr.split())


def test_a_tree_of_another_key_is_not_touched(source: Path, tmp_path: Path) -> None:
    assert trialbids("export", source, tmp_path / "out", "--engine", "serial").returncode == 0
    before = contents(tmp_path / "out")
    done = trialbids("export", source, tmp_path / "out", "--work", tmp_path / "other", "--engine", "serial")
    assert done.returncode == 2 and "another secret key" in " ".join(done.stderr.split())
    assert contents(tmp_path / "out") == before


def test_after_a_kill_the_tree_is_valid_and_the_next_run_completes_it(source: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert trialbids("export", source, whole, "--engine", "serial").returncode == 0
    (tmp_path / "killed.work").mkdir(mode=0o700)
    shutil.copy(tmp_path / "whole.work" / "secret.key", tmp_path / "killed.work" / "secret.key")
    for delay in (1.2, 2.0, 2.6):
        process = subprocess.Popen(
            [str(PROGRAM), "export", str(source), str(killed)], start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (killed / "dataset_description.json").exists():
            assert validate(killed).problems == ()
    assert trialbids("export", source, killed).returncode == 0
    assert contents(killed) == contents(whole)


def test_ctrl_c_ends_with_130_and_one_sentence(source: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [str(PROGRAM), "export", str(source), str(tmp_path / "out")], start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "out.work" / "inventory").exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted" in errors and "Traceback" not in errors
    assert trialbids("export", source, tmp_path / "out").returncode == 0


@pytest.mark.parametrize("moment", range(6))
def test_a_death_between_any_two_renames_leaves_a_valid_tree(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Every rename of a commit, in turn, is the last thing that a run does; then the tree is validated."""
    from trialbids.exporter.trial import load_trial

    folder = tmp_path / "trial"
    shutil.copytree(exported.made.configuration.parent, folder, symlinks=True)
    trial = load_trial(folder / exported.made.configuration.name)
    shutil.rmtree(trial.work / "sessions")
    if moment % 2:
        shutil.rmtree(trial.output)
    left = moment
    rename = Path.rename

    def until_death(self: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", until_death)
    with pytest.raises(KeyboardInterrupt):
        run_export(trial, Serial(), json=True)
    monkeypatch.undo()
    assert validate(trial.output).problems == ()
    assert run_export(trial, Serial(), json=True) == 0
    assert set(contents(trial.output)) == set(contents(exported.trial.output))
    assert not list(trial.output.rglob(f"{committing.INCOMING}*"))


def test_a_fault_of_the_program_fails_its_session_and_no_other(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from trialbids.exporter.release import make
    from trialbids.exporter.trial import load_trial

    folder = tmp_path / "trial"
    shutil.copytree(exported.made.configuration.parent, folder, symlinks=True)
    trial = load_trial(folder / exported.made.configuration.name)
    shutil.rmtree(trial.output)
    shutil.rmtree(trial.work / "sessions")
    subjects = sorted({r["subject"] for r in rows(trial.work / "plan.tsv")})
    whole = make.make_image

    def faulty(job):
        if job.planned.visit.subject == subjects[0]:
            raise RuntimeError("PRIVATE TEXT")
        return whole(job)

    monkeypatch.setattr(make, "make_image", faulty)
    assert run_export(trial, Serial()) == 3
    assert {p.name for p in trial.output.glob("sub-*")} == {f"sub-{s}" for s in subjects[1:]}
    assert "PRIVATE TEXT" not in "".join(capsys.readouterr())
    assert "PRIVATE TEXT" in (trial.work / "errors.log").read_text()
    assert validate(trial.output).problems == ()


def test_the_work_folder_is_private(exported: Exported) -> None:
    assert exported.trial.work.stat().st_mode & 0o077 == 0
    assert (exported.trial.work / "secret.key").stat().st_mode & 0o077 == 0


def test_nothing_is_left_in_scratch_or_staging(exported: Exported) -> None:
    assert not [p for p in (exported.trial.work / "staging").rglob("*") if p.is_file()]
    assert images(exported.trial.output) and exporting
