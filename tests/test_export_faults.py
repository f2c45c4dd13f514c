"""What happens when an export meets a bad place, another export, or its own death."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
import pytest
from conftest import Exported
from test_export_tree import contents, images, rows

from trialbids.exporter import border, places
from trialbids.exporter.cli import app, run_export
from trialbids.exporter.engine import Serial
from trialbids.exporter.inventory import reading
from trialbids.exporter.release import make
from trialbids.exporter.release.validate import validate
from trialbids.exporter.trial import Trial, load_trial

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
    few = [r for r in plan if r["subject"] == subject and r["sequence"] in ("T2w", "ADC")]
    wanted = {uid for r in few for uid in r["series_uid"].split(";")}
    for n, i in enumerate(pq.read_table(exported.trial.work / "inventory" / "instances.parquet").to_pylist()):
        if i["SeriesInstanceUID"] in wanted and not i["member"]:
            shutil.copy(i["path"], folder / f"{n:05d}")
    assert any(folder.iterdir())
    return folder


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str]:
    """Exit code and error stream of a command that is run in this process, which is quicker."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        border.run(lambda: app([str(argument) for argument in arguments]))
    signal.signal(signal.SIGTERM, before)
    return ended.value.code, capsys.readouterr().err


def test_what_cannot_be_used_is_refused_before_anything_is_touched(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.doc").write_text("mine")
    empty_marker = tmp_path / "marked"
    empty_marker.mkdir()
    (empty_marker / ".trialbids").touch()
    (empty_marker / "thesis.doc").write_text("mine")
    a_file = tmp_path / "file"
    a_file.write_text("x")
    cases: list[tuple[tuple[object, ...], str]] = [
        ((tmp_path / "none", tmp_path / "out"), "no such source"),
        ((source, full), "not made by trialbids"),
        ((source, empty_marker), "not made by trialbids"),
        ((source, tmp_path / "out", "--work", full), "no work folder of trialbids"),
        ((source, a_file), "is a file"),
        ((source, "/proc/none/out"), "proc"),
        ((source, tmp_path / "out", "--work", tmp_path / "out" / "work"), "may not lie inside the output"),
        ((source, source / "out"), "lie inside each other"),
        ((source, tmp_path / "out", "--engine", "cloud"), "processes or serial"),
        ((source, tmp_path / "out", tmp_path / "more"), "SRC DST"),
        ((source,), "give a trial.yaml"),
        ((a_file, tmp_path / "out"), "no readable DICOM"),
    ]
    done = trialbids("export", *cases[0][0])
    said = {0: (done.returncode, done.stderr)}
    said |= {n: refusal(capsys, "export", *arguments) for n, (arguments, _) in enumerate(cases[1:], start=1)}
    for n, (arguments, words) in enumerate(cases):
        code, sentence = said[n]
        assert code == 2, (arguments, sentence)
        assert words in " ".join(sentence.split()), sentence
        assert "Traceback" not in sentence
    assert sorted(p.name for p in full.iterdir()) == ["thesis.doc"]
    assert not (tmp_path / "out").exists() and not (source / "out").exists()


def test_two_exports_into_one_output_do_not_meet(exported: Exported, tmp_path: Path) -> None:
    shutil.copytree(exported.made.configuration.parent, tmp_path / "trial", symlinks=True)
    configuration = tmp_path / "trial" / exported.made.configuration.name
    trial = load_trial(configuration)
    with places.hold(trial, places.load_or_make_key(trial.work).fingerprint):
        done = trialbids("export", configuration)
        assert done.returncode == 2 and "another export is writing" in " ".join(done.stderr.split())
    with places.workplace(trial):
        done = trialbids("export", configuration)
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


class Died(BaseException):
    """The end of a run at a chosen step."""


def die_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[str]:
    """Let the run end before the step-th change of a folder or file; returns the steps taken."""
    taken: list[str] = []

    def counted(name: str):
        whole = getattr(Path, name)

        def change(self: Path, *arguments: object, **options: object) -> object:
            if "/bids" in str(self) or any("/bids" in str(a) for a in arguments):
                if len(taken) == step:
                    raise Died
                taken.append(f"{name} {self.name}")
            return whole(self, *arguments, **options)

        return change

    for name in ("rename", "replace", "unlink", "mkdir"):
        monkeypatch.setattr(Path, name, counted(name))
    return taken


def run_to_its_death(trial: Trial, monkeypatch: pytest.MonkeyPatch, step: int) -> bool:
    """Whether the run died before it was through."""
    with monkeypatch.context() as patch:
        die_at(patch, step)
        try:
            run_export(trial, Serial(), json=True)
        except Died:
            return True
    return False


@pytest.fixture
def own(exported: Exported, tmp_path: Path) -> Trial:
    """A copy of the exported trial that a test may change."""
    folder = tmp_path / "trial"
    shutil.copytree(exported.made.configuration.parent, folder, symlinks=True)
    trial = load_trial(folder / exported.made.configuration.name)
    assert run_export(trial, Serial(), json=True) == 0
    return trial


def test_a_death_at_any_step_of_an_update_leaves_a_valid_tree(
    own: Trial, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """One patient leaves, another changes: the run ends before each change of the tree in turn, then goes on.

    Before every second one, unless there is time for all (``make soak``).
    """
    stride = 1 if request.config.pluginmanager.hasplugin("soak") else 2
    plan = rows(own.work / "plan.tsv")
    subjects = sorted({r["subject"] for r in plan})
    of_subject = {uid: r["subject"] for r in plan for uid in r["series_uid"].split(";")}
    for i in pq.read_table(own.work / "inventory" / "instances.parquet").to_pylist():
        path = Path(i["path"])
        if of_subject.get(i["SeriesInstanceUID"]) == subjects[0]:
            path.unlink(missing_ok=True)
        elif path.exists():
            os.utime(path)
    deaths = 0
    while run_to_its_death(own, monkeypatch, deaths):
        assert validate(own.output).problems == (), f"after step {deaths}"
        deaths += stride
    assert deaths > 5
    assert {p.name for p in own.output.glob("sub-*")} == {f"sub-{s}" for s in subjects[1:]}
    assert validate(own.output).problems == ()
    assert not [p for p in own.output.rglob(".*") if p.name != ".bidsignore" and p.name != ".trialbids"]


def test_a_first_export_that_dies_between_two_renames_is_valid_and_completed(
    own: Trial, exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(own.output)
    shutil.rmtree(own.work / "sessions")
    for step in (7, 12, 15):
        run_to_its_death(own, monkeypatch, step)
        if (own.output / "dataset_description.json").exists():
            assert validate(own.output).problems == ()
    assert run_export(own, Serial(), json=True) == 0
    ours, whole = contents(own.output), contents(exported.trial.output)
    assert {k: v for k, v in ours.items() if k != "CHANGES"} == {k: v for k, v in whole.items() if k != "CHANGES"}


def test_sessions_that_were_done_before_an_interruption_are_not_made_again(
    own: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(own.output)
    shutil.rmtree(own.work / "sessions")
    made: list[str] = []
    whole = make.make_image

    def until_the_second_session(job):
        made.append(job.planned.visit.subject)
        if len(set(made)) == 2:
            raise KeyboardInterrupt
        return whole(job)

    with monkeypatch.context() as patch:
        patch.setattr(make, "make_image", until_the_second_session)
        with pytest.raises(KeyboardInterrupt):
            run_export(own, Serial(), json=True)
    assert [p.name for p in own.output.glob("sub-*")] == [f"sub-{made[0]}"]
    assert validate(own.output).problems == ()
    again: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(make, "make_image", lambda job: (again.append(job.planned.visit.subject), whole(job))[1])
        assert run_export(own, Serial(), json=True) == 0
    assert set(again) == {made[-1]}


def test_what_cannot_be_opened_takes_nothing_out_of_the_tree(own: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(own.output)
    instances = pq.read_table(own.work / "inventory" / "instances.parquet").to_pylist()
    closed = {i["path"] for i in instances if i["PatientID"] == instances[0]["PatientID"]}
    opened = reading.FileSource

    def refused(path: str) -> object:
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    for path in closed:
        os.utime(path)
    monkeypatch.setattr(reading, "FileSource", refused)
    assert run_export(own, Serial(), json=True) == 0
    after = contents(own.output)
    assert {k for k in before if k.endswith((".nii.gz", ".tsv"))} <= set(after)
    assert all(after[k] == v for k, v in before.items() if not k.startswith("curation/"))


def test_a_source_of_other_patients_is_refused(own: Trial, source: Path, tmp_path: Path) -> None:
    before = contents(own.output)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    for path in source.iterdir():
        data = pydicom.dcmread(path)
        data.PatientID = "SOMEBODY-ELSE"
        data.save_as(stranger / path.name)
    done = trialbids("export", stranger, own.output, "--work", own.work, "--engine", "serial")
    assert done.returncode == 2 and "none of which is in this source" in " ".join(done.stderr.split())
    assert contents(own.output) == before


def test_a_series_with_a_cut_file_is_not_released_without_it(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "in")
    last = max((tmp_path / "in").iterdir(), key=lambda p: pydicom.dcmread(p, stop_before_pixels=True).InstanceNumber)
    uid = pydicom.dcmread(last, stop_before_pixels=True).SeriesInstanceUID
    last.write_bytes(last.read_bytes()[:-100])
    assert trialbids("export", tmp_path / "in", tmp_path / "out", "--engine", "serial").returncode == 0
    of_series = [r for r in rows(tmp_path / "out.work" / "plan.tsv") if r["series_uid"] == uid]
    assert {r["reason"] for r in of_series} == {"series-incomplete"}
    assert any(r["series_uid"] == uid and r["check"] == "F02" for r in rows(tmp_path / "out.work" / "issues.tsv"))


def test_a_fault_of_the_program_fails_its_session_and_no_other(
    own: Trial, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = own
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
    assert images(exported.trial.output)
