"""What of quality leaves with a release: the table of all images, issues, cycles, inspection, compliance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from stackmaker import axial, write_series
from test_export_again import add_patient, export
from test_export_tree import rows, snapshot

from trialbids.exporter import screen_qc
from trialbids.exporter.deidentify.identifiers import Identifier, Known
from trialbids.exporter.engine import Serial
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.progress import Silent
from trialbids.exporter.qc.check import Finding
from trialbids.exporter.qc.codes import STEP_OF
from trialbids.exporter.qc.inspection.estimate import percent
from trialbids.exporter.qc.inspection.judged import judged_wrong, write_wrong
from trialbids.exporter.qc.inspection.population import read_population
from trialbids.exporter.qc.inspection.sampling import Size, draw_sample
from trialbids.exporter.qc.inspection.store import take, write_draw
from trialbids.exporter.qc.inspection.verdicts import Verdict
from trialbids.exporter.qc.ledger.cycles import read_cycles
from trialbids.exporter.qc.ledger.row import read_issues
from trialbids.exporter.qc.ledger.waive import Wish, waive
from trialbids.exporter.qc.metricnames import METRIC_NAMES
from trialbids.exporter.qc.names import ASPECTS
from trialbids.exporter.qc.source import Quality
from trialbids.exporter.release.image import Image
from trialbids.exporter.release.quality import judged_images, quality_bytes, with_release
from trialbids.exporter.release.said import Said
from trialbids.exporter.release.searches import searches_of
from trialbids.exporter.release.session import Fragment, StackResult, StagedMasks
from trialbids.exporter.release.verify import verify
from trialbids.exporter.trial import Trial, trial_for

UNEVEN = [(x, y, z + 0.6 * (n % 2)) for n, (x, y, z) in enumerate(axial(8))]


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Two patients, exported once; the second one's slices lie at uneven distances: a warning."""
    add_patient(tmp_path / "in", "PA", 1)
    header = {"PatientID": "PB", "PatientName": "PB", "SeriesDescription": "t2_tse_tra", "StudyInstanceUID": "1.2.9.9"}
    write_series(tmp_path / "in" / "PB", UNEVEN, **header, SeriesInstanceUID="1.2.3.99")
    found = trial_for(tmp_path / "in", tmp_path / "out").model_copy(update={"protocol": "orads-mri"})
    export(found)
    return found


def public(trial: Trial, name: str) -> list[dict[str, str]]:
    return rows(trial.output / "curation" / name)


def summary(trial: Trial) -> dict[str, object]:
    return json.loads((trial.output / "curation" / "summary.json").read_bytes())["qc"]


def warned(trial: Trial) -> str:
    """The id of the issue of uneven slices."""
    return next(row.issue_id for row in read_issues(trial.work).values() if row.check == "G05")


def inspect_all(trial: Trial, artefact: str = "right") -> None:
    """A person looks at every image and finds nothing wrong, but perhaps artefacts."""
    draw = draw_sample(trial.work, read_population(trial.output), Size(n=2), 1)
    write_draw(trial.work, draw)
    words = dict.fromkeys(ASPECTS, "right") | {"artefact": artefact}
    taken = take(trial.work, draw, {i.path: Verdict(i.path, words, by="AB") for i in draw.images})
    write_wrong(trial.work, judged_wrong({1: draw}, {1: taken}))


# --- the table of all images


def one(n: int, site: str = "S01", snr: float = 10.0) -> Fragment:
    """A session of one image with this metric."""
    path = f"sub-P{n}/ses-01/anat/sub-P{n}_ses-01_T2w.nii.gz"
    image = Image(
        path=path, participant_id=f"sub-P{n}", session_id="ses-01", site="n/a", scanner="n/a", acq_time="n/a",
        acquisition_id="a01", datatype="anat", suffix="T2w", record={"sequence": "T2w"}, qc_verdict="pass",
        shape=(4, 4, 4), zooms=(1.0, 1.0, 1.0), affine=(1.0,) * 16, dtype="int16", slope=1.0, inter=0.0,
        voxels_sha256="0" * 64, file_bytes=1,
    )  # fmt: skip
    result = StackResult(f"s{n}", "pass", "", "", (), (), "", metrics={"snr": snr, "efc": 0.5}, path=path)
    visit = Visit(f"P{n}", "01", site, f"P{n}", "1", "20200101", 0)
    return Fragment(visit, "f", Said(), "n/a", (image,), (result,), StagedMasks((), ()))


def test_an_image_is_compared_with_its_like_at_its_own_site_also_where_the_site_is_hidden() -> None:
    low = [one(n, snr=10 + n / 10) for n in range(12)]
    high = [one(20 + n, "S02", snr=50 + n / 10) for n in range(11)]
    stray = one(40, "S02", snr=11.0)
    judged = judged_images([*low, *high, stray], Quality())
    assert {r.stack_id: r.outliers for r in judged if r.outliers} == {"s40": ("snr",)}


def test_what_only_informs_is_listed_as_such_by_both_ways_of_listing_it() -> None:
    told = [Finding("G03", severity, "split", stacks=("s1",)) for severity in ("info", "warning")]
    waived = {f.id: f.digest for f in told[:1]}
    (first,) = judged_images([one(1)], Quality(of_headers=(told[0],), waived=waived))
    (later,) = with_release(judged_images([one(1)], Quality()), [told[0]], waived)
    assert (first.infos, first.waived) == (later.infos, later.waived) == (("G03",), ())
    (warned_of,) = with_release(judged_images([one(1)], Quality()), [told[1]], {told[1].id: told[1].digest})
    assert (warned_of.warnings, warned_of.waived) == ((), ("G03",))


def test_the_table_has_a_row_an_image_and_the_same_bytes_in_any_order() -> None:
    finding = Finding("G03", "info", "split", stacks=("s1",))
    judged = judged_images([one(n) for n in range(3)], Quality(of_headers=(finding,)))
    data = quality_bytes(judged)
    assert quality_bytes(reversed(judged)) == data
    table = pq.read_table(BytesIO(data))
    assert table.column_names[-len(METRIC_NAMES) :] == list(METRIC_NAMES)
    first, second, _ = table.to_pylist()
    assert (first["snr"], first["motion"], first["infos"], second["infos"]) == (10.0, None, [], ["G03"])


def test_every_released_image_is_in_it_with_what_its_sidecar_says(trial: Trial) -> None:
    found = {row["path"]: row for row in pq.read_table(trial.output / "curation" / "qc.parquet").to_pylist()}
    paths = sorted(trial.output.glob("sub-*/ses-*/*/*.nii.gz"))
    assert set(found) == {path.relative_to(trial.output).as_posix() for path in paths} and len(paths) == 2
    for path, row in found.items():
        sidecar = json.loads((trial.output / path.replace(".nii.gz", "_qc.json")).read_bytes())
        assert row["qc_verdict"] == sidecar["verdict"]
        assert {name: row[name] for name in METRIC_NAMES if row[name] is not None} == sidecar["metrics"]
        codes = {code for name in ("errors", "warnings", "infos", "waived") for code in row[name]}
        own = {code for code in codes if STEP_OF[code] != "release"}
        assert own == {check["check"] for check in sidecar["checks"]}


# --- what a run changes


def test_a_run_that_finds_nothing_new_is_a_cycle_in_private_and_touches_nothing_public(trial: Trial) -> None:
    before = snapshot(trial.output)
    export(trial)
    assert snapshot(trial.output) == before
    assert [cycle.number for cycle in read_cycles(trial.work)] == [1, 2]
    assert summary(trial)["cycle"] == 1 and [row["cycle"] for row in public(trial, "cycles.tsv")] == ["1"]
    add_patient(trial.sources[0], "PC", 3)  # nothing fills the slots of the protocol: new issues
    export(trial)
    assert summary(trial)["cycle"] == 3 and [row["cycle"] for row in public(trial, "cycles.tsv")] == ["1", "2", "3"]


def test_a_waiver_rewrites_its_own_session_and_leaves_without_who_gave_it(trial: Trial) -> None:
    before = snapshot(trial.output)
    name = warned(trial)
    waive(trial.work, Wish((name,), "AB", "the scanner of Dr Dorrington"), date.today())
    run = export(trial).run
    assert (run.sessions_written, run.leaks) == (1, {})
    mine = next(path for path in trial.output.glob("sub-*") if any(path.glob("**/*_qc.json")) and is_waived(path))
    changed = {path for path, state in snapshot(trial.output).items() if before.get(path) != state}
    assert {path.split("/")[0] for path in changed} <= {mine.name, "curation", "CHANGES", "participants.tsv", *TOP}
    issue = next(row for row in public(trial, "issues.tsv") if row["check"] == "G05")
    assert (issue["state"], issue["participant_id"], issue["cycle_first"]) == ("waived", mine.name, "1")
    text = (trial.output / "curation" / "issues.tsv").read_text()
    assert len(issue["waived_by"]) == 10 and "AB" not in text.split() and "Dorrington" not in text
    assert summary(trial)["waived"] == 1 and summary(trial)["verdicts"] == {"pass": 1, "warn": 0, "waived": 1}
    after = snapshot(trial.output)
    export(trial)
    assert snapshot(trial.output) == after


TOP = ("participants.json", "sessions.json", "scans.json")
"""Taken away while sessions change, and written again as they were."""


def is_waived(subject: Path) -> bool:
    return all(json.loads(path.read_bytes())["verdict"] == "waived" for path in subject.glob("*/*/*_qc.json"))


def test_a_quality_sidecar_is_among_the_files_of_its_session(trial: Trial) -> None:
    path = next(trial.output.glob("sub-*/ses-*/*/*_qc.json"))
    before = path.read_bytes()
    path.unlink()
    assert export(trial).run.sessions_written == 1
    assert path.read_bytes() == before


# --- what leaves


def test_issues_leave_without_any_private_word(trial: Trial) -> None:
    private = read_issues(trial.work).values()
    text = (trial.output / "curation" / "issues.tsv").read_text()
    assert len(public(trial, "issues.tsv")) == len(private) > 0
    words = {w for row in private for w in (row.issue_id, row.stack_id, row.series_uid, row.message)} - {""}
    assert not {word for word in words if word in text}
    (uneven,) = (row for row in public(trial, "issues.tsv") if row["check"] == "G05")
    assert (trial.output / uneven["image"]).is_file()


def test_compliance_leaves_by_site_unless_the_site_is_hidden(trial: Trial, tmp_path: Path) -> None:
    found = public(trial, "compliance.tsv")
    assert found and {row["site"] for row in found} == {row["site"] for row in rows(trial.output / "participants.tsv")}
    hidden = trial.model_copy(update={"suppress": ("site",)})
    assert export(hidden).run.leaks == {}
    assert not (trial.output / "curation" / "compliance.tsv").exists()
    export(trial)
    assert public(trial, "compliance.tsv") == found
    export(trial.model_copy(update={"protocol": "none"}))
    assert not (trial.output / "curation" / "compliance.tsv").exists()


def test_an_inspection_leaves_with_its_bound_and_says_of_how_many_images_it_speaks(trial: Trial) -> None:
    path = trial.output / "curation" / "inspection.json"
    assert not path.exists() and "inspection" not in summary(trial)
    inspect_all(trial)
    assert export(trial).run.leaks == {}
    told = json.loads(path.read_bytes())
    assert (told["sample"]["n"], told["sample"]["wrong"]) == (2, 0)
    assert told["released"] == {"images": 2, "unchanged": 2}
    assert [(part["sequence"], part["images"]) for part in told["strata"]] == [("T2w", 2)]
    assert summary(trial)["inspection"] == {"n": 2, "wrong": 0, "at_most": told["at_most"]}
    add_patient(trial.sources[0], "PC", 3)
    export(trial)
    assert json.loads(path.read_bytes())["released"] == {"images": 3, "unchanged": 2}
    assert export(trial.model_copy(update={"suppress": ("site",)})).run.leaks == {}
    assert json.loads(path.read_bytes())["strata"] == []


def test_readme_certificate_and_screen_name_the_figure_of_the_inspection(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    readme, certificate = trial.output / "README", trial.output / "curation" / "certificate"
    without = "No person has looked at a random sample of the images."
    assert without in readme.read_text() and without in certificate.with_suffix(".html").read_text()
    assert json.loads(certificate.with_suffix(".json").read_bytes())["inspection"] is None
    screen_qc.show_inspection(export(trial).inspection)
    assert capsys.readouterr().out == ""
    inspect_all(trial)
    done = export(trial)
    told = json.loads((trial.output / "curation" / "inspection.json").read_bytes())
    assert done.run.leaks == {} and done.inspection is not None
    bound = percent(told["at_most"])
    assert "A person looked at all 2 images: 0.0 % of them were wrong" in readme.read_text()
    assert f"Of these 0.0 % are wrong, at most {bound}." in certificate.with_suffix(".html").read_text()
    said = json.loads(certificate.with_suffix(".json").read_bytes())["inspection"]
    assert (said["at_most"], said["looked_at"], said["released"], said["unchanged"]) == (told["at_most"], 2, 2, 2)
    screen_qc.show_inspection(done.inspection)
    line = capsys.readouterr().out
    assert f"inspection: 0.0 % wrong, at most {bound}" in line and line.endswith("it is in curation/inspection.json\n")


def test_an_image_that_a_reader_refused_leaves_once_that_is_waived(trial: Trial) -> None:
    inspect_all(trial, artefact="wrong")
    assert export(trial).run.tree.files > 0 and not any(trial.output.glob("sub-*"))
    assert {r["check"] for r in public(trial, "issues.tsv") if r["state"] == "open" and r["severity"] == "error"} == {
        "M04"
    }
    refused = tuple(row.issue_id for row in read_issues(trial.work).values() if row.check == "M04")
    waive(trial.work, Wish((*refused, warned(trial)), "AB", "good enough"), date.today())
    assert export(trial).run.leaks == {}
    assert summary(trial)["verdicts"] == {"pass": 0, "warn": 0, "waived": 2}


# --- the proof

KNOWN = Known({"A1": frozenset([Identifier("patient_name", "Dorrington^Jonathan")])})


def cell(name: str, column: str, value: str) -> Callable[[Path], None]:
    """Plants a value into a column of the first line of a table."""

    def plant(folder: Path) -> None:
        head, line, *others = (folder / name).read_text().splitlines()
        cells = dict(zip(head.split("\t"), line.split("\t"), strict=True))
        lines = [head, "\t".join((cells | {column: value}).values()), *others]
        (folder / name).write_text("\n".join(lines) + "\n")

    return plant


def entry(name: str, way: tuple[str, ...], value: object) -> Callable[[Path], None]:
    """Plants a value into a JSON."""

    def plant(folder: Path) -> None:
        content = json.loads((folder / name).read_bytes())
        inner = content
        for key in way[:-1]:
            inner = inner[0][key] if isinstance(inner, list) else inner[key]
        inner = inner[0] if isinstance(inner, list) else inner
        inner[way[-1]] = value
        (folder / name).write_text(json.dumps(content))

    return plant


PLANTED = [
    *(cell("issues.tsv", c, "Dorrington") for c in ("issue_id", "check", "level", "severity", "state", "cycle_first")),
    *(cell("issues.tsv", c, "Dorrington") for c in ("participant_id", "session_id", "image", "waived_by")),
    cell("issues.tsv", "waived_by", "DORRINGTON"),
    cell("issues.tsv", "participant_id", "sub-Dorrington"),
    cell("issues.tsv", "image", "sub-A/ses-1/anat/sub-A_ses-1_acq-Dorrington_T2w.nii.gz"),
    cell("issues.tsv", "message", "Dorrington moved"),
    *(cell("cycles.tsv", c, "Dorrington") for c in ("cycle", "steps", "open", "new_error", "when")),
    *(
        cell("compliance.tsv", c, "dorrington")
        for c in ("site", "slot", "parameter", "n", "observed", "wanted", "unit")
    ),
    cell("compliance.tsv", "observed", "1950-03-07"),
    entry("inspection.json", ("comment",), "Dorrington"),
    entry("inspection.json", ("rate",), "Dorrington"),
    entry("inspection.json", ("rate",), 88123456),
    entry("inspection.json", ("strata", "site"), "Dorrington"),
    entry("inspection.json", ("aspects", "Dorrington"), {}),
    entry("certificate.json", ("inspection", "rate"), 88123456),
    entry("summary.json", ("qc", "by"), "Dorrington"),
    entry("summary.json", ("qc", "cycle"), "Dorrington"),
]


def test_the_proof_passes_on_what_was_written_and_fails_on_whatever_is_planted(trial: Trial, tmp_path: Path) -> None:
    inspect_all(trial)
    export(trial)
    root = tmp_path / "tree"
    shutil.copytree(trial.output / "curation", root / "curation")
    sites = {row["site"] for row in public(trial, "compliance.tsv")}

    def leaks() -> tuple[str, ...]:
        searches = searches_of(KNOWN, sites)
        return tuple(leak.path for leak in verify(root, searches, Serial(), Silent()).leaks)

    assert leaks() == ()
    for number, plant in enumerate(PLANTED):
        plant(root / "curation")
        found = leaks()
        assert len(set(found)) == 1, f"plant {number}: {found}"
        shutil.copytree(trial.output / "curation", root / "curation", dirs_exist_ok=True)
