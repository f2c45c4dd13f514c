"""The published schema of ``*_qc.json`` says what the code writes, no more and no less."""

from __future__ import annotations

import json
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import Exported
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from test_export_again import export

from trialbids.exporter.qc.check import Evidence, Finding
from trialbids.exporter.qc.codes import MEANING
from trialbids.exporter.qc.metricnames import METRIC_NAMES, NAMES
from trialbids.exporter.qc.verdict import FAIL, SCHEMA, qc_sidecar, verdict
from trialbids.exporter.release.quality import quality_bytes
from trialbids.exporter.trial import trial_for

PAGE = Path(__file__).resolve().parents[1] / "docs" / "schemas" / "qc-sidecar-2.json"
PUBLISHED: dict[str, Any] = json.loads(PAGE.read_bytes())
VALIDATOR = Draft202012Validator(PUBLISHED)


PAGE_TEXT = (PAGE.parents[1] / "qc-sidecar.md").read_text(encoding="utf-8")


def faults(content: object) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(content)]


def of_tree(root: Path) -> dict[str, list[str]]:
    """What is wrong with the sidecars of a tree, by path; there is one at least."""
    paths = sorted(root.glob("sub-*/ses-*/*/*_qc.json"))
    assert paths
    return {path.name: found for path in paths if (found := faults(json.loads(path.read_bytes())))}


def sidecar(**changes: object) -> dict[str, Any]:
    finding = Finding("G05", "warning", "slice spacing is uneven", Evidence("", values=(("worst_mm", 0.4),)))
    return {**qc_sidecar("warn", [finding], {"snr": 9.5}), **changes}


def test_the_schema_is_one_and_names_its_version() -> None:
    Draft202012Validator.check_schema(PUBLISHED)
    assert PUBLISHED["properties"]["schema"]["const"] == SCHEMA
    assert PAGE.stem.endswith(SCHEMA.rpartition("/")[2])


def test_it_lists_every_code_and_every_metric_as_the_tables_do() -> None:
    codes = {entry["const"]: entry["title"] for entry in PUBLISHED["$defs"]["code"]["oneOf"]}
    assert codes == dict(MEANING)
    metrics = PUBLISHED["$defs"]["metrics"]["properties"]
    told = {m.name: f"{m.unit or 'plain number'}: {m.meaning}" for m in NAMES}
    assert {name: entry["description"] for name, entry in metrics.items()} == told


def test_the_example_of_the_page_is_valid() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```$", PAGE_TEXT, re.M | re.S)
    assert faults(json.loads(example)) == []


def test_the_page_lists_every_column_of_the_table_of_all_images() -> None:
    section = PAGE_TEXT.partition("## `curation/qc.parquet`")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.M)
    assert listed == [name for name in pq.read_schema(BytesIO(quality_bytes([]))).names if name not in METRIC_NAMES]


def test_the_script_of_the_page_runs(exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (script,) = re.findall(r"^```python\n(.*?)^```$", PAGE_TEXT, re.M | re.S)
    (tmp_path / "demo-trial").symlink_to(exported.trial.output.parent)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(script, names)
    assert len(names["sharp"]) and len(names["good"])


findings = st.builds(
    Finding,
    st.sampled_from(sorted(MEANING)),
    st.sampled_from(["error", "warning", "info"]),
    st.just("a sentence"),
    st.builds(
        Evidence,
        st.just("a sentence"),
        st.sampled_from(["", "1", "2"]),
        st.just((("worst_mm", 1.5), ("column", "a word"))),
    ),
)


@given(st.lists(findings, max_size=4), st.data())
def test_whatever_the_checks_find_of_a_released_image_is_valid(found: list[Finding], data: st.DataObject) -> None:
    waived = {f.id: f.digest for f in found if data.draw(st.booleans())}
    word = verdict(found, waived)
    content = json.loads(json.dumps(qc_sidecar(word, found, dict.fromkeys(METRIC_NAMES, 0.5), waived)))
    assert bool(faults(content)) == (word == FAIL)


@pytest.mark.parametrize(
    "content",
    [
        sidecar(schema="trialbids-qc/1"),
        sidecar(verdict="pass"),
        sidecar(verdict="waived"),
        sidecar(verdict="fail"),
        sidecar(metrics={"snrr": 1.0}),
        sidecar(metrics={"snr": "high"}),
        sidecar(reader="Dr Doe"),
        sidecar(checks=[]),
        sidecar(checks=[{**sidecar()["checks"][0], "check": "Z01"}]),
        sidecar(checks=[{**sidecar()["checks"][0], "values": {"name": "Doe"}}]),
        sidecar(checks=[{k: v for k, v in sidecar()["checks"][0].items() if k != "state"}]),
    ],
)
def test_anything_else_is_not(content: object) -> None:
    assert not faults(sidecar())
    assert faults(content)


def test_the_sidecars_of_the_demo_trial_are_valid(exported: Exported) -> None:
    assert of_tree(exported.trial.output) == {}


@pytest.mark.parametrize("folder", ["dicom2nifti", "rt-utils"])
def test_those_of_real_images_are_valid(real_data: Path, tmp_path: Path, folder: str) -> None:
    trial = trial_for(real_data / "dicom" / folder, tmp_path / "bids").model_copy(update={"faces": "allow"})
    export(trial)
    assert of_tree(trial.output) == {}
