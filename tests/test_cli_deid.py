"""The commands ``link`` and ``deid``: what a data manager types, reads and gets as an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from linkmaker import ROWS, planned
from test_plan_visits import trial
from typer.testing import CliRunner

from trialbids.exporter import places
from trialbids.exporter.cli_deid import deid, link
from trialbids.exporter.deidentify.identifiers import Identifier, Known, read_identifiers, write_identifiers
from trialbids.exporter.deidentify.key import KEY_FILE, KEY_VARIABLE
from trialbids.exporter.deidentify.sidecar import Dropped
from trialbids.exporter.errors import UsageError
from trialbids.exporter.places import hold, locked
from trialbids.exporter.release.guard import Terms, remember
from trialbids.exporter.release.job import Outcome
from trialbids.exporter.release.said import Said
from trialbids.exporter.release.session import Fragment, Sessions, StagedMasks, result_of
from trialbids.exporter.tables import read_tsv

app = typer.Typer()
app.command()(link)
app.add_typer(deid)


def run(*words: object) -> str:
    """The command's output; its error is raised."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command and returns what a person sees."""
    from rich.console import Console

    from trialbids.exporter import screen

    def show(*words: object) -> str:
        with monkeypatch.context() as patch:
            console = Console(highlight=False, markup=False, record=True, width=400, quiet=False)
            patch.setattr(screen, "OUT", console)
            run(*words)
            return console.export_text()

    return show


def test_link_shows_whom_a_label_stands_for_and_back(tmp_path: Path, shown: Callable[..., str]) -> None:
    work, visits, _ = planned(tmp_path)
    label = f"sub-{visits.of(ROWS[0]).subject}"
    assert "A 1" in shown("link", label, "--work", work)
    assert label in shown("link", "A 1", "--work", work)
    answer = json.loads(shown("link", f"{label}_ses-02", "--work", work, "--json"))
    assert [(row["id"], row["date"], row["patient_ids"]) for row in answer["links"]] == [("A 1", "20200401", ["A 1"])]


def test_link_reads_the_key_that_trial_yaml_names(tmp_path: Path, shown: Callable[..., str]) -> None:
    key = tmp_path / "k"
    key.write_text("0123456789abcdef" * 4)
    key.chmod(0o600)
    _, visits, _ = planned(tmp_path, key=key)
    (tmp_path / "trial.yaml").write_text("sources: [in]\noutput: out\nwork: work\nkey: k\n")
    (tmp_path / "in").mkdir()
    label = f"sub-{visits.of(ROWS[2]).subject}"
    assert "B-2" in shown("link", label, tmp_path / "trial.yaml")
    with pytest.raises(UsageError, match=r"the key that this work folder was made with .* is gone"):
        run("link", label, "--work", tmp_path / "work")


def test_link_shows_a_uid_and_its_pseudonym(tmp_path: Path, shown: Callable[..., str]) -> None:
    work, _, names = planned(tmp_path)
    uid = ROWS[0].SeriesInstanceUID
    for name in (uid, names.uid(uid)):
        answer = json.loads(shown("link", name, "--work", work, "--json"))
        assert answer["uids"] == [{"original": uid, "pseudonym": names.uid(uid), "keyword": "SeriesInstanceUID"}]
    assert "computed" in shown("link", "1.2.99", "--work", work)


def test_what_link_does_not_know_is_a_sentence_with_exit_2(tmp_path: Path) -> None:
    work, _, _ = planned(tmp_path)
    with pytest.raises(UsageError, match=r"sub-XYZ: is no label, no PatientID and no UID") as error:
        run("link", "sub-XYZ", "--work", work)
    assert error.value.exit_code == 2
    with pytest.raises(UsageError, match="is no work folder"):
        run("link", "sub-XYZ", "--work", tmp_path / "nowhere")


def test_link_writes_nothing(tmp_path: Path) -> None:
    work, _, _ = planned(tmp_path)
    before = {p.name: p.stat().st_mtime_ns for p in work.iterdir()}
    run("link", "A 1", "--work", work)
    assert {p.name: p.stat().st_mtime_ns for p in work.iterdir()} == before


def test_link_needs_the_right_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work, _, _ = planned(tmp_path)
    (work / KEY_FILE).unlink()
    monkeypatch.setenv(KEY_VARIABLE, "0123456789abcdef" * 4)
    with pytest.raises(UsageError, match="is not the key"):
        run("link", "A 1", "--work", work)


def test_rotate_says_what_it_did_and_what_to_do(tmp_path: Path, shown: Callable[..., str]) -> None:
    work, visits, old = planned(tmp_path)
    said = shown("deid", "rotate", "--work", work)
    assert f"instead of {old.fingerprint}" in said and "needs a new output" in said
    assert f"secret.key.{old.fingerprint}" in said and "3 subjects with 4 sessions" in said
    done = json.loads(shown("deid", "rotate", "--work", work, "--json"))
    assert done["sessions"] == 4 and done["old"] != old.fingerprint
    (first,) = work.glob(f"rotation-{old.fingerprint}-*.tsv")
    assert {r["old_subject"] for r in read_tsv(first)} == {v.subject for v in visits.all}
    with pytest.raises(UsageError, match=r"is no label"):
        run("link", f"sub-{visits.of(ROWS[0]).subject}", "--work", work)


def test_rotate_ends_an_interrupted_one_and_makes_no_second(
    tmp_path: Path, shown: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    work, _, _ = planned(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("trialbids.exporter.release.rotate.settle", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        CliRunner().invoke(app, ["deid", "rotate", "--work", str(work)])
    assert places.is_halfway(work)
    with pytest.raises(UsageError, match="was interrupted; run trialbids deid rotate"):
        run("link", "A 1", "--work", work)
    assert "the rotation that was interrupted is complete" in shown("deid", "rotate", "--work", work)
    assert len(list(work.glob("rotation-*.tsv"))) == 1
    assert "A 1" in shown("link", "A 1", "--work", work)


def test_rotate_waits_for_nobody(tmp_path: Path) -> None:
    work, _, _ = planned(tmp_path)
    with locked(work), pytest.raises(UsageError, match="another run uses this work folder"):
        run("deid", "rotate", "--work", work)


def test_a_key_in_a_bids_dataset_is_not_rotated(tmp_path: Path) -> None:
    work, _, _ = planned(tmp_path)
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(UsageError, match="may not lie inside the BIDS dataset"):
        run("deid", "rotate", "--work", work)


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A trial with one sidecar in its tree, and one value that was stopped; the trial.yaml."""
    work, visits, names = planned(tmp_path)
    found = trial(tmp_path, sources=[tmp_path / "in"], output=tmp_path / "out")
    (tmp_path / "in").mkdir()
    (tmp_path / "trial.yaml").write_text("sources: [in]\noutput: out\nwork: work\n")
    visit = visits.of(ROWS[0])
    with hold(found, names.fingerprint):
        folder = found.output / f"sub-{visit.subject}" / "ses-01" / "anat"
        folder.mkdir(parents=True)
        (folder / f"sub-{visit.subject}_ses-01_T2w.json").write_text('{"Manufacturer": "SIEMENS"}')
    dropped = Dropped("ScanOptions", "ODD 1"), Dropped("SoftwareVersions", "for A 1 only")
    stopped = result_of(Outcome("s1", "pass", dropped=dropped))
    fragment = Fragment(
        visit=visit,
        fingerprint="x",
        said=Said(),
        acq_time="n/a",
        images=(),
        results=(stopped,),
        masks=StagedMasks((), ()),
    )
    Sessions(work, found.output).keep(fragment)
    remember(work, Known({visit.subject: frozenset({Identifier("patient_name", "Only^Anna")})}), Terms())
    return tmp_path / "trial.yaml"


def test_review_writes_every_value_once_and_only_the_owner_reads_it(released: Path, shown: Callable[..., str]) -> None:
    assert "3 lines, 2 of them values that did not leave, 3 not marked" in shown("deid", "review", released)
    table = released.parent / "work" / "review-values.tsv"
    lines = {(r["field"], r["value"]): r["stands"] for r in read_tsv(table)}
    assert lines == {
        ("Manufacturer", "SIEMENS"): "released",
        ("ScanOptions", "ODD 1"): "stopped",
        ("SoftwareVersions", "for A 1 only"): "stopped",
    }
    assert table.stat().st_mode & 0o077 == 0


def test_marks_are_taken_back_and_remembered(released: Path, shown: Callable[..., str]) -> None:
    run("deid", "review", released)
    rows = read_tsv(released.parent / "work" / "review-values.tsv")
    marks = {"ODD 1": "ok", "SIEMENS": "no"}
    copy = released.parent / "marked.csv"
    copy.write_text("\n".join(["id;mark", *(f"{r['id']};{marks.get(r['value'], '')}" for r in rows)]) + "\n")
    answer = json.loads(shown("deid", "review", released, "--apply", copy, "--by", "Anna Muster", "--json"))
    assert (answer["lines"], answer["taken"], answer["unmarked"]) == (3, 2, 1)
    assert "0 marks taken" in shown("deid", "review", released, "--apply", copy)
    stored = read_tsv(released.parent / "work" / "marks.tsv")
    assert {(r["value"], r["mark"], r["by"]) for r in stored} == {(v, m, "Anna Muster") for v, m in marks.items()}


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--by", "Anna"], "give the marked table with --apply"), (["--apply", "none.csv"], "there is no such file")],
)
def test_a_review_that_cannot_be_taken_is_a_sentence(released: Path, words: list[str], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        run("deid", "review", released, *words)


def test_a_review_before_any_export_is_a_sentence(tmp_path: Path) -> None:
    planned(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / "trial.yaml").write_text("sources: [in]\noutput: out\nwork: work\n")
    with pytest.raises(UsageError, match="nothing was exported yet"):
        run("deid", "review", tmp_path / "trial.yaml")


def test_what_holds_an_identifier_is_not_let_out(released: Path) -> None:
    work = released.parent / "work"
    subject = next(iter(read_identifiers(work).subjects))
    write_identifiers(work, Known({subject: frozenset({Identifier("trial_id", "ODD 1")})}))
    run("deid", "review", released)
    (row,) = (r for r in read_tsv(work / "review-values.tsv") if r["field"] == "ScanOptions")
    assert row["note"].startswith("cannot be accepted: it is, or holds, a known identifier")


def verified(*words: object) -> tuple[int, str]:
    """Exit code and what a person reads of a proof."""
    done = CliRunner().invoke(app, ["deid", "verify", "--engine", "serial", *map(str, words)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_verify_ends_with_0_on_a_clean_tree_and_with_5_on_a_leak(released: Path, shown: Callable[..., str]) -> None:
    folder = released.parent
    assert shown("deid", "verify", folder / "out", "--trial", released).endswith("identifiers: nothing found\n")
    (folder / "out" / "README").write_text("Scans of Anna Only.\n")
    code, _ = verified(folder / "out", "--trial", released)
    assert code == 5
    leaks = read_tsv(folder / "work" / "leaks.tsv")
    assert {(leak["path"], leak["kind"]) for leak in leaks} == {("README", "patient_name"), ("README", "unknown-text")}
    code, _ = verified(folder / "out", "--work", folder / "work", "--json")
    assert code == 5


def test_what_verify_shows_holds_no_value_and_no_name(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from trialbids.exporter import screen

    tree = released.parent / "out"
    (tree / "README").write_text("Scans of Anna Only.\n")
    (tree / "Only_Anna.txt").write_text("x")
    for more in ((), ("--json",)):
        console = Console(record=True, width=400)
        monkeypatch.setattr(screen, "OUT", console)
        assert verified(tree, "--trial", released, *more)[0] == 5
        said = console.export_text()
        assert "patient_name" in said and "Anna" not in said and "Only" not in said
    assert "Only_Anna.txt" in (released.parent / "work" / "leaks.tsv").read_text()


def test_a_tree_of_another_key_or_of_unknown_people_is_not_proved(released: Path) -> None:
    folder = released.parent
    with pytest.raises(UsageError, match="there is no such folder"):
        verified(folder / "none", "--trial", released)
    (folder / "work" / "identifiers.tsv").unlink()
    with pytest.raises(UsageError, match="nobody knows whom to look for"):
        verified(folder / "out", "--trial", released)
    (folder / "out" / ".trialbids").write_text('{"made by": "trialbids", "key": "0000000000000000"}')
    with pytest.raises(UsageError, match="was not made with the key of"):
        verified(folder / "out", "--trial", released)
    with pytest.raises(UsageError, match=r"out\.work: is no work folder"):
        verified(folder / "out")
