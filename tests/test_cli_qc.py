"""The commands of ``trialbids qc``: run, look, repair or waive, run again."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stackmaker import axial, write_series
from typer.testing import CliRunner

from trialbids.exporter.cli_qc import qc
from trialbids.exporter.errors import UsageError
from trialbids.exporter.places import locked
from trialbids.exporter.tables import read_tsv

WITH_A_GAP = [place for n, place in enumerate(axial(12)) if n not in (5, 6)]


def write(folder: Path, patient: str, positions: list[tuple[float, float, float]]) -> None:
    uids = {"StudyInstanceUID": f"1.2.9.{ord(patient[-1])}", "SeriesInstanceUID": f"1.2.3.{ord(patient[-1])}"}
    shutil.rmtree(folder / patient, ignore_errors=True)
    names = {"PatientID": patient, "PatientName": patient, "SeriesDescription": "t2_tse_tra"}
    write_series(folder / patient, positions, **names, **uids)


def make_trial(folder: Path) -> Path:
    """A trial of two patients, of whom one has a series with a gap."""
    write(folder / "dicom", "PA", WITH_A_GAP)
    write(folder / "dicom", "PB", axial(12))
    path = folder / "trial.yaml"
    path.write_text("sources: [dicom]\noutput: bids\nwork: work\n", encoding="utf-8")
    return path


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A trial to change."""
    return make_trial(tmp_path)


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a trial after one cycle, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("checked")
    path = make_trial(folder)
    run("run", path, "--engine", "serial", "--json")
    return path


def run(*words: object) -> str:
    """What a command prints; its error is raised."""
    done = CliRunner().invoke(qc, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command and returns what a person sees."""
    from rich.console import Console

    from trialbids.exporter import screen

    def show(*words: object) -> str:
        with monkeypatch.context() as patch:
            console = Console(highlight=False, markup=False, record=True, width=300)
            patch.setattr(screen, "OUT", console)
            run(*words)
            return console.export_text()

    return show


def asked(shown: Callable[..., str], *words: object) -> dict[str, Any]:
    """The answer of a command as a machine gets it."""
    return json.loads(shown(*words, "--json"))


def cycle(shown: Callable[..., str], trial: Path) -> dict[str, Any]:
    return asked(shown, "run", trial, "--engine", "serial")


def gap(trial: Path) -> dict[str, str]:
    """The one issue of missing slices."""
    (row,) = [r for r in read_tsv(trial.parent / "work" / "issues.tsv") if r["check"] == "G04"]
    return row


def decision(trial: Path) -> str:
    """What the plan says of the series that has, or had, a gap."""
    (row,) = [r for r in read_tsv(trial.parent / "work" / "plan.tsv") if r["series_uid"] == "1.2.3.65"]
    return row["decision"]


def test_the_whole_cycle(trial: Path, shown: Callable[..., str]) -> None:
    first = cycle(shown, trial)
    assert (first["cycle"], first["steps"], first["changed"]) == (1, ["header", "plan"], True)
    found = gap(trial)
    assert (found["state"], found["severity"], found["series_uid"]) == ("open", "error", "1.2.3.65")
    assert found["subject"] and found["session"] and found["site"]
    assert decision(trial) == "quarantine"
    again = cycle(shown, trial)
    assert (again["cycle"], again["changed"], again["open"]) == (2, False, first["open"])
    assert gap(trial)["issue_id"] == found["issue_id"]

    run("waive", trial, found["issue_id"], "--by", "AB", "--reason", "the scan was stopped")
    assert (gap(trial)["state"], gap(trial)["waived_by"]) == ("waived", "AB")
    waived = cycle(shown, trial)
    assert sum(waived["waived"].values()) == 1 and waived["waived_now"]["error"] == 1
    assert decision(trial) == "keep"

    write(trial.parent / "dicom", "PA", [place for n, place in enumerate(axial(12)) if n not in (5, 6, 7)])
    assert cycle(shown, trial)["reopened"]["error"] == 1
    assert (gap(trial)["issue_id"], gap(trial)["state"]) == (found["issue_id"], "open")
    assert gap(trial)["note"] == "what is found now is not what was waived"
    assert decision(trial) == "quarantine"

    write(trial.parent / "dicom", "PA", axial(12))
    repaired = cycle(shown, trial)
    assert repaired["resolved_now"]["error"] == 1 and repaired["open"]["error"] == 0
    write(trial.parent / "dicom", "PA", [place for n, place in enumerate(axial(12)) if n not in (5, 6, 7)])
    assert cycle(shown, trial)["reopened"]["error"] == 1
    assert (gap(trial)["issue_id"], gap(trial)["state"]) == (found["issue_id"], "open")


def test_what_a_person_sees(trial: Path, shown: Callable[..., str]) -> None:
    seen = shown("run", trial, "--engine", "serial")
    assert seen.startswith("cycle 1: ") and "error" in seen and gap(trial)["issue_id"] in seen
    assert "nothing changed" in shown("run", trial, "--engine", "serial")
    identifier = gap(trial)["issue_id"]
    assert "waived by AB until 2100-01-01" in shown(
        *("waive", trial, identifier, "--by", "AB", "--reason", "known", "--until", "2100-01-01")
    )
    assert "was waived already" in shown("waive", trial, identifier, "--by", "CD", "--reason", "known")
    assert "its waiver is revoked" in shown("waive", trial, identifier, "--by", "CD", "--revoke")


def test_status_counts_and_lists_what_is_asked_for(trial: Path, shown: Callable[..., str]) -> None:
    cycle(shown, trial)
    found = gap(trial)
    everything = asked(shown, "status", trial)
    assert {"check": "G04", "site": found["site"], "open": 1, "waived": 0, "resolved": 0} in everything["counts"]
    assert everything["issues"] == []
    only = asked(shown, "status", trial, "--check", "G04", "--state", "open", "--site", found["site"])
    assert [i["issue_id"] for i in only["issues"]] == [found["issue_id"]]
    assert [line["check"] for line in only["counts"]] == ["G04"]
    write(trial.parent / "dicom", "PA", axial(12))
    cycle(shown, trial)
    then, now = (asked(shown, "status", trial, "--check", "G04", "--cycle", n)["counts"] for n in (1, 0))
    assert [(line["open"], line["resolved"]) for line in (*then, *now)] == [(1, 0), (0, 1)]
    assert "G04" in shown("status", trial) and found["issue_id"] in shown("status", trial, "--check", "G04")


def test_status_knows_today_that_a_waiver_has_ended(
    trial: Path, shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import date

    from trialbids.exporter import cli_qc

    class Later(date):
        @classmethod
        def today(cls) -> date:
            return date(2100, 1, 2)

    cycle(shown, trial)
    run("waive", trial, gap(trial)["issue_id"], "--by", "AB", "--reason", "known", "--until", "2100-01-01")
    assert asked(shown, "status", trial, "--check", "G04")["issues"][0]["state"] == "waived"
    monkeypatch.setattr(cli_qc, "date", Later)
    assert asked(shown, "status", trial, "--check", "G04")["issues"][0]["state"] == "open"


def test_history_shows_every_cycle_and_draws_them(trial: Path, shown: Callable[..., str]) -> None:
    cycle(shown, trial)
    cycle(shown, trial)
    told = asked(shown, "history", trial)
    assert [(c["cycle"], c["changed"]) for c in told["cycles"]] == [(1, True), (2, False)]
    assert [Path(name).name for name in told["files"]] == ["qc-history.svg", "qc-history.png"]
    assert all(Path(name).stat().st_mode & 0o77 == 0 for name in told["files"])
    assert "nothing changed" in shown("history", trial)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("waive", "{trial}", "--by", "AB", "--reason", "known"), "give the ids of issues, such as G04-0123456789"),
        (("waive", "{trial}", "G04-0000000000", "--by", "AB", "--reason", "known"), "is no issue of"),
        (("waive", "{trial}", "nonsense", "--by", "AB", "--reason", "known"), "nonsense: is no issue of"),
        (("waive", "{trial}", "{issue}", "--by", "AB"), "--reason: is empty"),
        (("waive", "{trial}", "{issue}", "{issue}", "--by", "AB", "--reason", "known"), "is given twice"),
        (("waive", "{trial}", "{issue}", "--by", "AB", "--revoke", "--until", "2100-01-01"), "--until belongs to"),
        (("waive", "{trial}", "{issue}", "--by", "AB", "--revoke"), "has no waiver that could be revoked"),
        (("status", "{trial}", "--check", "X99"), "--check X99: there is none; expected one of "),
        (("status", "{trial}", "--state", "done"), "--state done: there is none; expected one of open, waived"),
        (("status", "{trial}", "--cycle", "9"), "--cycle 9: there is no such cycle; expected 1 to 1"),
        (("status", "--work", "{trial.parent}"), "is no work folder of trialbids"),
    ],
)
def test_one_sentence_for_what_cannot_be(checked: Path, words: tuple[str, ...], expected: str) -> None:
    issue = gap(checked)["issue_id"]
    before = {p: p.read_bytes() for p in (checked.parent / "work").glob("*.tsv")}
    with pytest.raises(UsageError) as error:
        run(*(word.format(trial=checked, issue=issue) for word in words))
    assert expected in str(error.value) and "\n" not in str(error.value)
    assert {p: p.read_bytes() for p in (checked.parent / "work").glob("*.tsv")} == before


def test_two_people_at_once(checked: Path) -> None:
    with locked(checked.parent / "work"), pytest.raises(UsageError, match="another run uses this work folder; wait"):
        run("waive", checked, gap(checked)["issue_id"], "--by", "AB", "--reason", "known")
    assert not (checked.parent / "work" / "waivers.tsv").exists()


def test_before_the_first_cycle(trial: Path, tmp_path: Path) -> None:
    for command in ("status", "history"):
        with pytest.raises(UsageError, match="is no work folder of trialbids"):
            run(command, trial)
    (tmp_path / "work").mkdir(mode=0o700)
    with locked(tmp_path / "work"):
        for command in ("status", "history"):
            with pytest.raises(UsageError, match="there was no cycle yet; run trialbids qc run"):
                run(command, trial)


def test_a_damaged_ledger_stops_a_run_before_its_work(trial: Path, shown: Callable[..., str]) -> None:
    cycle(shown, trial)
    path = trial.parent / "work" / "issues.tsv"
    path.write_text(path.read_text().replace("\topen\t", "\tdone\t", 1))
    damaged = path.read_bytes()
    with pytest.raises(UsageError, match="line 2: state is 'done'; expected one of open, waived, resolved"):
        run("run", trial, "--engine", "serial")
    assert path.read_bytes() == damaged


def test_the_page_runs(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "howto-qc.md").read_text(encoding="utf-8")
    commands = [line for line in page.splitlines() if line.startswith("trialbids qc ")]
    monkeypatch.chdir(trial.parent)
    assert {shlex.split(line)[2] for line in commands} == {"run", "status", "waive", "history"}
    for line in commands:
        own = "1.2.3" if not Path("work").exists() else gap(trial)["issue_id"]
        words = shlex.split(line.replace("my-trial/", "").replace("G04-1b2c3d4e5f", own))[2:]
        run(*words, *(["--engine", "serial"] if words[0] == "run" else []))


def test_many_issues_are_counted_by_check_and_ten_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from trialbids.exporter import screen, screen_qc
    from trialbids.exporter.qc.ledger.cycles import Cycle
    from trialbids.exporter.qc.ledger.record import Recorded
    from trialbids.exporter.qc.ledger.row import Row

    kinds = [("R03", "warning")] * 500 + [("G04", "error")] * 3
    rows = tuple(
        Row(issue_id=f"{c}-{n:010x}", check=c, level="stack", severity=s, cycle_first=1, message=f"\x1b[31m{c} found")
        for n, (c, s) in enumerate(kinds)
    )
    cycle = Cycle(1, "2026-01-01T00:00:00", "1", ("header",), {("open", "warning"): 500, ("open", "error"): 3})
    console = Console(highlight=False, markup=False, record=True, width=300)
    monkeypatch.setattr(screen, "OUT", console)
    screen_qc.show_cycle(Recorded(cycle, rows, ("waivers.tsv: line 3: a remark",)), Path("work"), as_json=False)
    said = console.export_text()
    lines = said.splitlines()
    assert [line.split()[:4] for line in lines[2:4]] == [["3", "x", "G04", "error"], ["500", "x", "R03", "warning"]]
    assert len([line for line in lines if "found" in line]) == 10 and "\x1b" not in said
    assert "and 493 more in work/issues.tsv" in said and lines[-1] == "waivers.tsv: line 3: a remark"


def test_the_history_has_every_figure_in_a_narrow_window(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from trialbids.exporter import screen, screen_qc
    from trialbids.exporter.qc.ledger.cycles import Cycle

    counts = {("open", "error"): 1234, ("open", "warning"): 56, ("resolved", "info"): 777, ("waived", "error"): 31}
    changed = {("new", "warning"): 64, ("resolved_now", "error"): 2, ("waived_now", "error"): 1}
    cycles = [Cycle(12, "2026-01-01T00:00:00", "1", ("header",), counts | changed)]
    console = Console(highlight=False, markup=False, record=True, width=80)
    monkeypatch.setattr(screen, "OUT", console)
    screen_qc.show_history(cycles, (Path("a.svg"),), as_json=False)
    lines = console.export_text().splitlines()
    assert lines[2].split() == ["12", "2026-01-01", "1,234", "56", "0", "31", "777", "64", "new"]
    assert [line.strip() for line in lines[3:5]] == ["2 resolved", "1 waived"]
    assert max(map(len, lines)) <= 80


def test_of_copies_both_places_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from trialbids.exporter import screen, screen_qc
    from trialbids.exporter.qc.ledger.cycles import Cycle
    from trialbids.exporter.qc.ledger.record import Recorded
    from trialbids.exporter.qc.ledger.row import Row

    row = Row(issue_id="D01-0000000000", check="D01", level="instance", severity="info", cycle_first=1,
              message="a copy", instances="right/1.dcm; astray/1.dcm")  # fmt: skip
    console = Console(highlight=False, markup=False, record=True, width=300)
    monkeypatch.setattr(screen, "OUT", console)
    cycle = Cycle(1, "2026-01-01T00:00:00", "1", ("header",), {("open", "info"): 1})
    screen_qc.show_cycle(Recorded(cycle, (row,), ()), Path("work"), as_json=False)
    assert "[right/1.dcm; kept: astray/1.dcm]" in console.export_text()


def test_the_table_of_splits_is_read_as_an_export_reads_it(trial: Path, shown: Callable[..., str]) -> None:
    cycle(shown, trial)
    subjects = {r["subject"] for r in read_tsv(trial.parent / "work" / "plan.tsv") if r["decision"] == "keep"}
    (kept,) = subjects
    trial.write_text(trial.read_text() + "qc: {splits: splits.tsv}\n")
    table = trial.parent / "splits.tsv"
    table.write_text(f"participant_id\tsplit\nsub-{kept}\ttrain\nsub-nobody\ttest\n")
    cycle(shown, trial)
    (issue,) = [r for r in read_tsv(trial.parent / "work" / "issues.tsv") if "splits" in r["message"]]
    assert (issue["check"], issue["severity"], issue["state"]) == ("N01", "warning", "open")
    table.write_text(f"participant_id\tsplit\nsub-{kept}\ttrain\nsub-{kept}\ttest\n")
    cycle(shown, trial)
    (issue,) = [r for r in read_tsv(trial.parent / "work" / "issues.tsv") if r["check"] == "S01"]
    assert (issue["state"], issue["subject"], issue["step"]) == ("open", kept, "release")
