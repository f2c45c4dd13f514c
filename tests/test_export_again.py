"""What a later run does to sessions that are in the tree: while part of the source is closed, and after a loss."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from stackmaker import axial, write_series
from test_export_tree import contents, rows

from trialbids.exporter.engine import Serial
from trialbids.exporter.inventory.unreadable import Unreadable
from trialbids.exporter.pipeline import plan_trial, scan_trial
from trialbids.exporter.places import workplace
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.progress import Silent
from trialbids.exporter.release import commit as committing
from trialbids.exporter.release.commit import commit
from trialbids.exporter.release.export import Exported, export_plan
from trialbids.exporter.release.held import Closed
from trialbids.exporter.release.session import Fragment, StagedMasks
from trialbids.exporter.trial import Trial, trial_for


def add_patient(source: Path, name: str, number: int) -> Path:
    """A patient of one T2 series, in a folder of its own."""
    return add_series(source / name, name, f"1.2.3.{number}")


def add_series(folder: Path, patient: str, uid: str, **changes: object) -> Path:
    header = {"SeriesDescription": "t2_tse_tra", "PatientID": patient, "PatientName": patient}
    uids = {"StudyInstanceUID": f"1.2.9.{ord(patient[-1])}", "SeriesInstanceUID": uid}
    write_series(folder, axial(5), **(header | uids | changes))
    return folder


def export(trial: Trial) -> Exported:
    """One whole run, without the validator."""
    with Serial() as engine, workplace(trial) as pseudonyms:
        inventory = scan_trial(trial, engine, Silent())
        return export_plan(plan_trial(trial, inventory, pseudonyms, Silent()), trial, pseudonyms, engine, Silent())


def subject_of(trial: Trial, name: str) -> str:
    return next(r["subject"] for r in rows(trial.work / "linkage.tsv") if r["id"] == name)


def voxels(trial: Trial, name: str) -> dict[str, str]:
    folder = trial.output / f"sub-{subject_of(trial, name)}"
    return {n: digest for n, digest in contents(folder).items() if n.endswith(".nii.gz")}


def sessions(trial: Trial) -> set[str]:
    return {p.name.removeprefix("sub-") for p in trial.output.glob("sub-*")}


def change(folder: Path) -> None:
    """Other pixels in the first file of a folder."""
    path = min(folder.iterdir())
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Three patients, exported."""
    for n, name in enumerate("ABC", start=1):
        add_patient(tmp_path / "in", f"P{name}", n)
    found = trial_for(tmp_path / "in", tmp_path / "out", None)
    assert export(found).run.sessions_written == 3
    return found


@pytest.fixture
def close(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Names of folders that cannot be listed and of files that cannot be opened from now on."""
    closed: set[str] = set()
    scandir, open_file = os.scandir, os.open

    def refuse(path: object) -> None:
        if Path(str(path)).name in closed:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", lambda path=".": (refuse(path), scandir(path))[1])
    monkeypatch.setattr(os, "open", lambda path, *rest, **more: (refuse(path), open_file(path, *rest, **more))[1])
    yield closed
    closed.clear()


def held(trial: Trial) -> list[str]:
    return [
        r["message"]
        for r in rows(trial.work / "issues.tsv")
        if "left as it was" in r["message"] and r["state"] == "open"
    ]


def test_a_stray_broken_link_holds_nothing_back(trial: Trial) -> None:
    source = trial.sources[0]
    (source / "PA" / "old").symlink_to(source / "nowhere")
    before = voxels(trial, "PA")
    change(source / "PA")
    gone = subject_of(trial, "PB")
    shutil.rmtree(source / "PB")
    run = export(trial).run
    assert (run.sessions_written, run.sessions_withdrawn, run.access_denied) == (1, 1, False)
    assert voxels(trial, "PA") != before and gone not in sessions(trial)
    assert "broken-link" in {r["reason"] for r in rows(trial.work / "unreadable.tsv")}


def test_a_closed_folder_holds_back_only_the_session_that_lay_there(trial: Trial, close: set[str]) -> None:
    source = trial.sources[0]
    before, everyone = voxels(trial, "PA"), sessions(trial)
    hidden, gone = subject_of(trial, "PB"), subject_of(trial, "PC")
    close.add("PB")
    change(source / "PA")
    shutil.rmtree(source / "PC")
    add_patient(source, "PD", 4)
    for _ in range(2):  # what is known of the hidden session outlives the first run that does not see it
        run = export(trial).run
        assert run.access_denied
        assert sessions(trial) == everyone - {gone} | {subject_of(trial, "PD")}
        assert [hidden in sentence and "/PB" in sentence for sentence in held(trial)] == [True]
    assert voxels(trial, "PA") != before
    close.clear()
    assert not export(trial).run.access_denied
    assert held(trial) == []
    shutil.rmtree(source / "PB")
    assert export(trial).run.sessions_withdrawn == 1


def test_a_closed_file_holds_back_the_session_beside_it(trial: Trial, close: set[str]) -> None:
    source = trial.sources[0]
    first = voxels(trial, "PA"), voxels(trial, "PB")
    (source / "PA" / "000.dcm").rename(source / "PA" / "closed.dcm")
    close.add("closed.dcm")
    change(source / "PB")
    export(trial)
    assert voxels(trial, "PA") == first[0]
    assert voxels(trial, "PB") != first[1]
    assert [subject_of(trial, "PA") in sentence for sentence in held(trial)] == [True]


def test_a_link_that_led_to_a_session_withdraws_nothing_while_it_is_broken(tmp_path: Path) -> None:
    source, disk = tmp_path / "in", tmp_path / "disk"
    add_patient(source, "PA", 1)
    add_patient(disk, "PB", 2)
    (source / "linked").symlink_to(disk)
    trial = trial_for(source, tmp_path / "out", None)
    export(trial)
    everyone = sessions(trial)
    disk.rename(tmp_path / "unmounted")
    for _ in range(2):
        assert export(trial).run.access_denied
        assert sessions(trial) == everyone and len(everyone) == 2
    (source / "linked").unlink()
    assert export(trial).run.sessions_withdrawn == 1


def test_where_a_moved_source_lies_now_is_known(trial: Trial, close: set[str]) -> None:
    source = trial.sources[0]
    moved = source.with_name("moved")
    source.rename(moved)
    there = trial_for(moved, trial.output, None)
    assert export(there).run.sessions_written == 0
    close.add("PB")
    assert export(there).run.sessions_withdrawn == 0
    assert len(sessions(there)) == 3


@pytest.mark.parametrize(
    ("folder", "listed", "reason", "concerned"),
    [
        ("/s/P1/a", "/s/P1", "unreadable-folder", True),
        ("/s/P1/a", "/s/P1/a", "unreadable-folder", True),
        ("/s/P1/a", "/s/P1/b", "unreadable-folder", False),
        ("/s/P1", "/s/P1/new", "unreadable-folder", False),
        ("/s/P10", "/s/P1", "unreadable-folder", False),
        ("/s/P1/a", "/s/P1/a/IM1", "unreadable", True),
        ("/s/P1/a", "/s/P1/IM1", "unreadable", False),
        ("/s/P1/a", "/s/P1", "unreadable", True),
        ("/s/P1/a", "/s/P1", "lost-link", True),
        ("/s/P1/a", "/s/P1", "broken-link", False),
        ("/s/P1/a", "/s/P1/a/IM1", "not-dicom", False),
        ("", "/elsewhere", "unreadable", True),
    ],
)
def test_what_a_closed_place_may_hold(folder: str, listed: str, reason: str, concerned: bool) -> None:
    visit = Visit("01", "01", "S", "p", "v", "", None)
    fragment = Fragment(visit, "f", "", "", (), (), StagedMasks((), ()), (folder,) if folder else ())
    closed = Closed([Unreadable(path=listed, reason=reason, message="")])
    assert closed.concerns(fragment) == (listed if concerned else "")


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def alter(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])


@pytest.mark.parametrize("damage", [lose, cut, alter])
def test_every_file_of_a_session_is_restored(tmp_path: Path, damage) -> None:
    folder = tmp_path / "in" / "PA"
    add_series(folder / "t2", "PA", "1.2.3.1")
    add_diffusion(folder / "dwi")
    trial = trial_for(tmp_path / "in", tmp_path / "out", None)
    export(trial)
    before = contents(trial.output)
    files = [p for p in trial.output.glob("sub-*/ses-*/**/*") if p.is_file()]
    assert {".json", ".bval", ".bvec", ".tsv", ".gz"} == {p.suffix for p in files}
    for path in files:
        if damage is alter and path.suffix == ".gz":
            continue  # its size tells whether it is whole
        damage(path)
        assert export(trial).run.sessions_written == 1, path.name
        after = contents(trial.output)
        assert {n: d for n, d in after.items() if n != "CHANGES"} == {n: d for n, d in before.items() if n != "CHANGES"}


def add_diffusion(folder: Path) -> None:
    """Two b-values of one diffusion series, each of five slices."""
    for n, (b, kind) in enumerate(((0, "NONE"), (800, "DIRECTIONAL"))):
        changes = {
            "SeriesInstanceUID": "1.2.3.77", "StudyInstanceUID": "1.2.9.65", "SeriesNumber": 9,
            "FrameOfReferenceUID": "1.2.3.78", "PatientID": "PA", "PatientName": "PA", "AcquisitionNumber": n + 1,
            "SeriesDescription": "ep2d_diff_b0_b800", "ScanningSequence": "EP", "EchoTime": 70, "RepetitionTime": 5000,
            "ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION"],
            "InstanceNumber": [5 * n + k + 1 for k in range(5)], "DiffusionBValue": float(b),
            "DiffusionDirectionality": kind,
        }  # fmt: skip
        if b:
            changes["DiffusionGradientOrientation"] = [1.0, 0.0, 0.0]
        for path in write_series(folder / str(n), axial(5), **changes):
            path.rename(path.with_name(f"{n}-{path.name}"))


def test_a_tree_that_was_only_copied_is_good(trial: Trial) -> None:
    for path in trial.output.rglob("*"):
        if path.is_file():
            os.utime(path)
    assert export(trial).run.sessions_written == 0


def test_what_was_made_by_an_older_program_is_made_again(trial: Trial) -> None:
    for path in (trial.work / "sessions").iterdir():
        values = json.loads(path.read_bytes())
        path.write_text(json.dumps({name: value for name, value in values.items() if name not in ("files", "folders")}))
    assert export(trial).run.sessions_written == 3
    assert export(trial).run.sessions_written == 0


def test_a_session_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged, target = tmp_path / "staged", tmp_path / "root" / "sub-1" / "ses-1"
    (staged / "anat").mkdir(parents=True)
    (tmp_path / "root").mkdir()
    for name in ("a.nii.gz", "a.json"):
        (staged / "anat" / name).write_text("x")
    done: list[str] = []
    fsync, rename = os.fsync, Path.rename
    monkeypatch.setattr(
        committing.os, "fsync", lambda fd: (done.append(Path(f"/proc/self/fd/{fd}").readlink().name), fsync(fd))
    )
    monkeypatch.setattr(Path, "rename", lambda self, to: (done.append(f"rename {to.name}"), rename(self, to))[1])
    commit(staged, target)
    named = done.index("rename ses-1")
    assert {"a.nii.gz", "a.json", "anat", ".incoming-ses-1"} <= set(done[:named])
    assert done[named + 1 :] == ["sub-1", "root"]
