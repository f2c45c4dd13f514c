"""The faults are what they say, every check of the list has one, and the short form of the benchmark runs."""

# ruff: noqa: E402 (the modules of benchmarks/ are found once the path is set)

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from scipy.stats import binom

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from qc.baselines import Converted, found_by
from qc.cases import CLEAN_ROUNDS, WANTED, Case, all_cases, clean_of, has_number_gap, made, write_case
from qc.enhanced import packed
from qc.fault import FAULTS, MR_VENDORS
from qc.grounds import Stack
from qc.program import Finding, Judged
from qc.scans import Slice, make_scan, pixels_of, volumes
from qc.scores import Alarms, Share, alarms, false_alarms, outcomes
from qc.writer import to_bytes

CHECKS = {
    "error": "F01 F02 F03 F05 F07 C01 C02 C05 C09 D05 G01 G02 G04 G07 B01 B03 T01 T02 P01 P07 P09",
    "warning": "F05 F06 F08 C03 C04 C06 C07 C08 C10 D02 D03 G02 G05 G06 G08 G09 G10 G12 B02 B04 B05 B06 B07 B08 B09 "
    "T03 T04 T05 T06 T07 T08 P01 P02 P03 P04 P05 P06 P08 P10 R01 R02 R03 R04 R05 R06",
}


def a_case(check: str, kind: str, **changes: object) -> Case:
    index = next(k for k, fault in enumerate(FAULTS) if (fault.check, fault.kind) == (check, kind))
    fault = FAULTS[index]
    base = {"vendor": fault.vendors[0], "kind": fault.kinds[0], "strength": "mild"} | changes
    return Case(7, fault.trial, fault=index, **base)  # type: ignore[arg-type]


@pytest.mark.parametrize("severity", CHECKS)
def test_every_check_has_enough_cases_of_several_makers(severity: str) -> None:
    cases = all_cases(WANTED, 1)
    for check in CHECKS[severity].split():
        own = [c for c in cases if c.what and (c.what.check, c.what.severity) == (check, severity)]
        assert len(own) >= WANTED[severity], check
        assert len({c.vendor for c in own}) >= 3, check
    assert len({case.id for case in cases}) == len(cases)


def test_clean_scans_are_enough() -> None:
    clean = [case for case in all_cases(WANTED, CLEAN_ROUNDS) if case.what is None and case.trial == "pixel"]
    stacks = Counter({"t2ax": 1, "t2sag": 1, "t1": 1, "dwi": 2, "dce": 7, "dixon": 4, "echoes": 3, "ct": 1})
    assert sum(stacks[kind] for case in clean for kind in case.kind.split("+")) >= 500


def test_no_fault_knows_a_check() -> None:
    for path in sorted((ROOT / "benchmarks" / "qc").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("trialbids") for name in names), path.name


@pytest.mark.parametrize("vendor", MR_VENDORS)
def test_a_clean_scan_is_a_volume(vendor: str) -> None:
    for slices in volumes(make_scan(vendor, "dwi", "p", 3)).values():
        places = np.array([[float(v) for v in ds.ImagePositionPatient] for ds in slices])
        cosines = np.array([float(v) for v in slices[0].ImageOrientationPatient])
        steps = np.diff(places @ np.cross(cosines[:3], cosines[3:]))
        assert np.allclose(steps, steps[0], atol=1e-5) and len({ds.SOPInstanceUID for ds in slices}) == len(slices)


def test_the_adc_is_that_of_the_diffusion_and_contrast_enhances() -> None:
    found = volumes(make_scan("ge", "dwi", "p", 3))
    images = {key[1]: np.stack([pixels_of(ds) for ds in slices]).astype(float) for key, slices in found.items()}
    inside = images["b0"] > np.percentile(images["b0"], 70)
    expected = 1e6 * np.log(np.maximum(images["b0"], 1) / np.maximum(images["b1000"], 1)) / 1000
    assert np.corrcoef(expected[inside], images["adc"][inside])[0, 1] > 0.9
    phases = [
        np.stack([pixels_of(ds) for ds in v]).astype(float) for v in volumes(make_scan("ge", "dce", "p")).values()
    ]
    assert np.percentile(phases[-1] / np.maximum(phases[0], 50), 99) > 1.4


def test_the_same_case_has_the_same_bytes(tmp_path: Path) -> None:
    case = a_case("G04", "slices lost inside")
    first, second = (write_case(case, tmp_path / name) for name in ("one", "two"))
    assert first == second and first.files > 5
    files = [sorted((tmp_path / name).rglob("*.dcm")) for name in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


def test_what_is_written_is_read_back() -> None:
    for vendor in ("ge", "philips"):
        ds = make_scan(vendor, "dwi", "p")[0]
        read = dcmread(io.BytesIO(to_bytes(ds)))
        assert [e.tag for e in read] == [e.tag for e in ds] and read.PixelData == ds.PixelData
        assert read.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID


def test_packed_slices_are_frames_of_one_object() -> None:
    (dwi, adc) = packed(make_scan("philips", "dwi", "p"))
    frames = dwi.PerFrameFunctionalGroupsSequence
    assert len(frames) == dwi.NumberOfFrames and len(dwi.PixelData) == 2 * dwi.Rows * dwi.Columns * len(frames)
    assert {f.MRDiffusionSequence[0].DiffusionBValue for f in frames} == {0, 400, 1000}
    assert "PlaneOrientationSequence" in dwi.SharedFunctionalGroupsSequence[0] and adc.NumberOfFrames < len(frames)


def items(case: Case) -> list[Slice]:
    return [item for item in made(case) if isinstance(item, Slice)]


def test_faults_are_what_they_say() -> None:
    whole = clean_of(a_case("G04", "slices lost inside"))
    assert len(items(a_case("G04", "slices lost inside"))) == len(whole) - 1
    assert {len(item) for item in made(a_case("F01", "empty file")) if isinstance(item, bytes)} == {0}
    assert sum("ImagePositionPatient" not in ds for ds in items(a_case("G01", "ImagePositionPatient missing"))) == 1
    assert len({ds.FrameOfReferenceUID for ds in items(a_case("G10", "phases"))}) == 2
    times = [v[0].AcquisitionTime for v in volumes(items(a_case("T02", "a time twice"))).values()]
    assert len(set(times)) == len(times) - 1
    counts = {part: len(v) for (_, part), v in volumes(items(a_case("B03", "the end of a b-value lost"))).items()}
    assert sorted(counts.values())[0] == sorted(counts.values())[1] - 1


@pytest.mark.parametrize("strength", ["mild", "moderate", "gross"])
def test_a_fault_leaves_its_mark_at_every_strength(strength: str) -> None:
    for index in range(len(strength), len(FAULTS), 19):
        fault = FAULTS[index]
        case = Case(11, fault.trial, fault.vendors[-1], fault.kinds[0], strength, fault=index)
        before = [to_bytes(ds) for ds in clean_of(case)]
        after = [item if isinstance(item, bytes) else to_bytes(item) for item in made(case)]
        assert fault.trial == "converter" or before != after, fault.name


@given(st.integers(1, 200), st.data())
def test_the_interval_is_exact(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    share = Share(hits, n)
    assert share.low <= hits / n <= share.high
    if hits:
        assert binom.sf(hits - 1, n, share.low) == pytest.approx(0.025, abs=1e-6)
    if hits < n:
        assert binom.cdf(hits, n, share.high) == pytest.approx(0.025, abs=1e-6)


def test_a_finding_counts_for_its_own_case_and_severity(tmp_path: Path) -> None:
    faulty = write_case(a_case("G04", "slices lost inside"), tmp_path)
    clean = write_case(Case(8, "header", "ge", "t1"), tmp_path)
    stacks = {faulty.case.id: (Stack("0"),), clean.case.id: tuple(Stack(str(n)) for n in range(4))}

    def said(*findings: Finding) -> Judged:
        return Judged(findings, stacks, 0.0)

    error, warning = (Finding(faulty.case.id, "G04", s, "", "x") for s in ("error", "warning"))
    assert outcomes([faulty, clean], said(error), {})[0].found
    assert not outcomes([faulty, clean], said(warning), {})[0].found
    assert not outcomes([faulty, clean], said(Finding(clean.case.id, "G04", "error", "", "y")), {})[0].found
    raised = said(Finding(clean.case.id, "G04", "error", "", "y"), Finding(clean.case.id, "G04", "error", "2", "y"))
    told = alarms("header", [faulty, clean], raised)
    assert told.raised == {("G04", "error"): 1} and len(told.stacks) == 4
    assert (false_alarms("G04", "error", [told]).hits, false_alarms("G04", "error", [told]).n) == (1, 4)


def test_false_alarms_are_counted_among_what_a_check_has_looked_at() -> None:
    stacks = tuple(
        Stack(f"{n}", f"series{n // 2}", f"scan{n // 3}", "v1", f"p{n // 6}", n % 6 == 0, n % 6 > 3) for n in range(12)
    )
    told = [Alarms(trial, {("P05", "warning"): 1}, stacks) for trial in ("header", "pixel", "protocol", "visits")]
    seen = {"G05": 48, "P05": 15, "C07": 24, "R01": 2, "R02": 4, "C10": 2, "B02": 8, "B08": 2, "T03": 8, "T06": 2}
    assert {code: false_alarms(code, "warning", told).n for code in seen} == seen
    assert false_alarms("P05", "warning", told).hits == 4


def test_the_baselines_see_what_they_can_see() -> None:
    series = make_scan("ge", "t2ax", "p")
    assert not has_number_gap(series) and has_number_gap([*series[:5], *series[6:]])
    assert not has_number_gap(series[:-1])
    clean = Converted(0, 1, frozenset({"Warning: a"}))
    assert not found_by(clean, clean) and found_by(Converted(0, 2, clean.told), clean)
    assert found_by(Converted(0, 1, frozenset({"Warning: b"})), clean)


@pytest.mark.slow
def test_the_short_form_finds_what_it_injects(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    codes = [word for code in ("G01", "G04", "F02") for word in ("--check", code)]
    command = [
        sys.executable,
        ROOT / "benchmarks" / "qc.py",
        "--short",
        "--no-dcm2niix",
        "--missed",
        "--json",
        out,
        *codes,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {(row["check"], row["severity"]): row for row in json.loads(out.read_text())}
    assert rows["G04", "error"]["sensitivity"]["n"] >= 6 and rows["G04", "error"]["false_alarms"]["hits"] == 0
