"""What may not leave stops its session and no other, is listed privately, heals, and can be let out by a person."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from conftest import Exported

from trialbids.exporter.cli import run_export
from trialbids.exporter.deidentify.pixels.find import Text
from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.release import make
from trialbids.exporter.release.export import IDENTIFIER_FOUND
from trialbids.exporter.release.valuereview import Sheet, review_values
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import Trial, load_trial, trial_for

LEAK = 5


@pytest.fixture
def own(exported: Exported, tmp_path: Path) -> Trial:
    """A copy of the exported demo trial that may be changed."""
    folder = tmp_path / "trial"
    shutil.copytree(exported.made.configuration.parent, folder, symlinks=True)
    return load_trial(folder / exported.made.configuration.name)


def export(trial: Trial) -> int:
    return run_export(trial, Serial(), json=True)


def sessions(trial: Trial) -> set[str]:
    return {f"{path.parent.name}/{path.name}" for path in trial.output.glob("sub-*/ses-*")}


def name_a_mask(trial: Trial) -> tuple[str, str]:
    """Give the first mask the id of its patient as a label; returns the id and the session that it belongs to."""
    path = trial.annotations.table if trial.annotations else Path()
    with path.open(newline="", encoding="utf-8") as file:
        content = list(csv.DictReader(file))
    plan = read_tsv(trial.work / "plan.tsv")
    row = next(r for r in plan if content[0]["series_uid"] in r["series_uid"].split(";"))
    link = next(r for r in read_tsv(trial.work / "linkage.tsv") if r["subject"] == row["subject"])
    label = "".join(c for c in link["id"] if c.isalnum())
    content[0]["label"] = label
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(content[0]))
        writer.writeheader()
        writer.writerows(content)
    return label, f"sub-{row['subject']}/ses-{row['session']}"


def mark(trial: Trial, field: str, path: Path) -> None:
    """Say ``ok`` of every value of a field, as a person does in a copy of the table."""
    rows = read_tsv(review_values(trial).table)
    assert [r for r in rows if r["field"] == field]
    columns = list(rows[0])
    lines = [columns, *([("ok" if c == "mark" and r["field"] == field else r[c]) for c in columns] for r in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    review_values(trial, Sheet(path, "R1", "2026-01-01T00:00:00"))


def test_an_identifier_in_a_session_stops_it_until_a_person_says_that_it_is_none(own: Trial, tmp_path: Path) -> None:
    before = sessions(own)
    label, stopped = name_a_mask(own)
    assert export(own) == LEAK
    assert sessions(own) == before - {stopped}
    listed = read_tsv(own.work / "leaks.tsv")
    assert {leak["kind"] for leak in listed} <= {"patient_id", "trial_id"} and all(
        stopped in leak["path"] for leak in listed
    )
    held = [r for r in read_tsv(own.work / "plan.tsv") if r["reason"] == IDENTIFIER_FOUND]
    assert held and {f"sub-{r['subject']}/ses-{r['session']}" for r in held} == {stopped}
    certificate = json.loads((own.output / "curation" / "certificate.json").read_bytes())
    assert certificate["search"]["sessions_stopped"] == 1 and certificate["search"]["hits"] >= 1
    assert label.casefold() not in "".join(p.read_text() for p in own.output.rglob("*.html")).casefold()
    mark(own, "known-identifier", tmp_path / "marked.tsv")
    assert export(own) == 0
    assert sessions(own) == before
    certificate = json.loads((own.output / "curation" / "certificate.json").read_bytes())
    assert any("not searched for" in risk and "form" in risk for risk in certificate["risks"])


def test_a_tampered_image_is_found_and_made_again(own: Trial) -> None:
    image = next(own.output.glob("sub-*/ses-*/*/*.nii.gz"))
    whole = image.read_bytes()
    image.write_bytes(whole[:4] + b"\1\2\3\4" + whole[8:])
    assert export(own) == LEAK
    assert [leak["kind"] for leak in read_tsv(own.work / "leaks.tsv")] == ["odd-header"]
    certificate = json.loads((own.output / "curation" / "certificate.json").read_bytes())
    assert certificate["search"]["hits"] == 0, "a header is no identifier"
    assert export(own) == 0
    assert image.read_bytes() == whole


def test_a_session_that_no_run_knows_of_is_stopped_too(own: Trial) -> None:
    subject, session = min(sessions(own)).split("/")
    fragment = own.work / "sessions" / f"{subject}_{session}.json"
    plan = read_tsv(own.work / "plan.tsv")
    kept = sessions(own) - {f"{subject}/{session}"}
    uids = {u for r in plan if f"sub-{r['subject']}" == subject for u in r["series_uid"].split(";")}
    assert fragment.is_file() and uids and kept
    fragment.unlink()
    _, stopped = name_a_mask(own)
    assert export(own) == LEAK
    assert sessions(own) == (kept | {f"{subject}/{session}"}) - {stopped}


def test_an_image_that_no_export_has_made_is_found(own: Trial) -> None:
    one, other = sorted(own.output.glob("sub-*/ses-*/anat/*_T2w.nii.gz"))[:2]
    planted = one.with_name(one.name.replace("_T2w", "_run-77_T2w"))
    shutil.copy(other, planted)
    assert export(own) == LEAK
    (leak,) = read_tsv(own.work / "leaks.tsv")
    assert (leak["path"], leak["kind"]) == (planted.relative_to(own.output).as_posix(), "unlisted-file")


def test_the_id_of_a_sites_rule_names_nobody(own: Trial, tmp_path: Path) -> None:
    rules = tmp_path / "ours.yaml"
    name = next(r["value"] for r in read_tsv(own.work / "identifiers.tsv") if r["kind"] == "patient_name")
    words = "-".join("".join(c if c.isascii() and c.isalpha() else " " for c in name).lower().split())
    rules.write_text(f"- {{id: dr-{words}, reason: x, when: {{plane: ax}}, votes: {{sequence: T2w}}}}\n")
    with pytest.raises(UsageError, match="holds a known identifier") as error:
        export(own.model_copy(update={"rules": (rules,)}))
    assert words not in str(error.value)


def test_text_in_pixels_holds_a_stack_back_until_a_person_has_looked(
    own: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_export(own, Serial(), json=True) == 0  # whoever planned again before has left the last column empty
    chosen = next(r for r in read_tsv(own.work / "plan.tsv") if r["final_decision"] == "keep")
    shutil.rmtree(own.output)
    find = make.find_text
    volumes = iter(range(10_000))
    text = Text(slice=2, row=3, column=4, rows=8, columns=40, score=0.9)
    monkeypatch.setattr(make, "find_text", lambda *a: (text,) if next(volumes) == 0 else find(*a))
    assert export(own) == 0
    (held,) = [r for r in read_tsv(own.work / "plan.tsv") if r["reason"] == "text-in-pixels"]
    assert held["final_decision"] == "quarantine" and not (own.output / held["bids_path"]).exists()
    listed = next(r for r in read_tsv(own.work / "quarantine.tsv") if held["stack_id"] in r["what"])
    assert "slice 3, row 3, column 4" in listed["message"]
    monkeypatch.setattr(make, "find_text", lambda *a: (text,))
    mark(own, "text-in-pixels", tmp_path / "marked.tsv")
    assert chosen and export(own) == 0
    (again,) = [r for r in read_tsv(own.work / "plan.tsv") if r["stack_id"] == held["stack_id"]]
    assert again["final_decision"] == "keep" and (own.output / again["bids_path"]).exists()
    issues = [r for r in read_tsv(own.work / "issues.tsv") if r["stack_id"] == held["stack_id"]]
    (told,) = [r for r in issues if r["check"] == "P08" and r["state"] == "open"]
    assert told["message"].endswith("a person let it leave") and again["qc_verdict"] == "warn"


def test_where_nothing_can_be_read_every_file_is_listed_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    trial = trial_for(tmp_path / "in", tmp_path / "bids")
    with pytest.raises(UsageError, match="no readable DICOM"):
        export(trial)
    assert [row["path"] for row in read_tsv(trial.work / "unreadable.tsv")] == [str(tmp_path / "in" / "notes.txt")]
