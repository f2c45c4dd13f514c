"""Metrics, verdicts and checks of quality in the conditions of a cohort: from the table, or from the sidecars."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Exported
from treemaker import TreeMaker, write_json

from trialbids.datasets import QC, CohortError, Database, DatasetError, Q, QueryError

CODES = ("errors", "warnings", "infos", "waived", "outliers")
T2 = {"t2": Q("T2w")}
SAID: Mapping[str, Mapping[str, Any]] = {
    "01": {"snr": 12.0, "infos": ["G03"]},
    "02": {"snr": 6.0, "warnings": ["P05"], "outliers": ["snr"]},
    "03": {"snr": None, "waived": ["G05"]},
}
"""What is said of the T2 of each participant; every dynamic phase has a motion."""


def said_of(path: Path) -> dict[str, Any]:
    said = dict(SAID[path.name[4:6]]) if "T2w" in path.name else {"snr": 20.0, "motion": 0.05 * int(path.name[-13:-11])}
    return {**{name: [] for name in CODES}, "motion": None, **said}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three participants with a T2 and a DCE of two phases; no word of quality but the verdicts."""
    tree = TreeMaker(tmp_path_factory.mktemp("quality") / "bids")
    for label, verdict in {"01": "pass", "02": "warn", "03": "waived"}.items():
        tree.participant(label, motion=int(label))
        tree.image(label, "T2w", {"sequence": "T2w"}, qc=verdict)
        for n in (1, 2):
            dce = {"sequence": "DCE", "phase_index": n, "phase_time_s": 30.0 * n}
            tree.image(label, f"acq-dce_run-{n:02d}_T1w", dce, acquisition_id="a02")
    return tree.finish()


def with_table(root: Path) -> None:
    paths = sorted(root.glob("sub-*/ses-*/*/*.nii.gz"))
    rows = [{"path": p.relative_to(root).as_posix(), **said_of(p)} for p in paths]
    kinds = {
        "path": pa.string(),
        **dict.fromkeys(CODES, pa.list_(pa.string())),
        "snr": pa.float64(),
        "motion": pa.float64(),
    }
    pq.write_table(pa.Table.from_pylist(rows, pa.schema(kinds)), root / "curation" / "qc.parquet")


def with_sidecars(root: Path) -> None:
    for path in root.glob("sub-*/ses-*/*/*.nii.gz"):
        said = said_of(path)
        checks = [{"check": code} for column in CODES[:-1] for code in said[column]]
        metrics = {name: said[name] for name in ("snr", "motion") if said[name] is not None}
        content = {"schema": "trialbids-qc/2", "checks": checks, "metrics": metrics}
        write_json(path.with_name(path.name.replace(".nii.gz", "_qc.json")), content)


@pytest.fixture(params=[with_table, with_sidecars])
def tree(bare: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The same tree with its quality in one table, or beside the images."""
    write: Callable[[Path], None] = request.param
    root = tmp_path / "bids"
    shutil.copytree(bare, root)
    write(root)
    return root


def who(root: Path, **asked: Any) -> list[str]:
    wanted = {"unit": "image", "images": T2, "qc": None, "missing": "drop", **asked}
    try:
        return [sample["participant_id"][-2:] for sample in Database(root).cohort(**wanted)]
    except CohortError as error:
        assert "No sample is left" in str(error)
        return []


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("snr > 8", ["01"]),
        ("qc__snr > 5 and qc_verdict == 'pass'", ["01"]),
        ("snr > 8 or snr == None", ["01", "03"]),
        ("qc_verdict in ('pass', 'waived')", ["01", "03"]),
        ("not found('P05')", ["01", "03"]),
        ("found('G03', 'G05')", ["01", "03"]),
        ("snr > 5 and site == 'S01' and has(T2w)", ["01", "02"]),
    ],
)
def test_an_image_is_chosen_by_its_quality(tree: Path, where: str, expected: list[str]) -> None:
    assert who(tree, where=where) == expected


def test_a_condition_on_an_acquisition_must_be_true_of_each_of_its_images(tree: Path) -> None:
    dce = {"dce": Q("DCE")}
    assert who(tree, images=dce, where="qc__motion < 0.2") == ["01", "02", "03"]
    assert who(tree, images=dce, where="qc__motion < 0.1") == []


def test_a_clinical_column_goes_before_a_metric_of_its_name(tree: Path) -> None:
    assert who(tree, where="motion >= 2") == ["02", "03"]
    assert who(tree, where="motion >= 2 and qc__motion == None") == ["02", "03"]


def test_of_a_session_checks_are_asked_together_and_the_verdict_is_the_worst(tree: Path) -> None:
    assert who(tree, unit="session", where="found('P05')") == ["02"]
    assert who(tree, unit="session", where="qc_verdict == 'pass'") == ["01"]
    with pytest.raises(QueryError, match=r"'snr' belongs to one image, and a session has many; write qc=QC"):
        who(tree, unit="session", where="snr > 8")


def test_qc_takes_bounds_for_every_image_that_is_used(tree: Path) -> None:
    images = {"t2": Q("T2w"), "dce": Q("DCE")}
    assert who(tree, unit="session", images=images, qc=QC("pass")) == ["01", "03"]
    assert who(tree, unit="session", images=images, qc=QC(None, where="snr > 5")) == ["01", "02"]
    assert who(tree, unit="session", images=images, qc=QC("warn", where="snr > 8 and not found('P05')")) == ["01"]
    assert who(tree, unit="session", images=images, qc=QC(None, where="motion == None or motion < 0.1")) == []
    report = Database(tree).cohort(images=T2, qc=QC(None, where="snr > 5"), missing="drop").report()
    assert [(d.sample_id, "snr > 5: it cannot be told" in d.reason) for d in report.dropped] == [
        ("sub-03_ses-01", True)
    ]


def test_a_tree_without_quality_says_so_and_names_the_column(bare: Path) -> None:
    with pytest.raises(QueryError, match=r"no column 'snr'.*metrics of quality are not known: .* has neither curation"):
        who(bare, where="snr > 8")
    with pytest.raises(QueryError, match=r"qc: .*no column 'snr'.*has neither curation/qc.parquet"):
        who(bare, qc=QC("pass", where="snr > 8"))
    with pytest.raises(QueryError, match=r"where: found\('G04'\) is not known"):
        who(bare, where="found('G04')")
    assert who(bare, where="qc_verdict == 'warn' and motion == 2") == ["02"]


def test_what_cannot_be_meant_is_refused(tree: Path) -> None:
    with pytest.raises(QueryError, match=r"no column 'snrr'.*did you mean 'snr'"):
        who(tree, where="snrr > 8")
    with pytest.raises(QueryError, match=r"found\(…\) takes the codes of checks"):
        who(tree, where="found('G4')")
    with pytest.raises(QueryError, match="compares text with a number"):
        who(tree, where="snr > 'high'")
    with pytest.raises(QueryError, match="qc='good' is not known; legal: 'pass', 'warn', None"):
        who(tree, qc=QC("good"))


def test_quality_is_read_only_where_it_is_asked_for(bare: Path, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    shutil.copytree(bare, root)
    (root / "curation" / "qc.parquet").write_bytes(b"no table")
    assert who(root, where="motion == 1", qc="pass") == ["01"]
    with pytest.raises(DatasetError, match=r"curation/qc\.parquet: the table of quality cannot be read"):
        who(root, where="snr > 8")


def test_what_the_exporter_writes_is_what_is_read(exported: Exported, tmp_path: Path) -> None:
    db = Database(exported.trial.output)
    from_table = db.quality
    root = tmp_path / "bids"
    shutil.copytree(exported.trial.output, root)
    (root / "curation" / "qc.parquet").unlink()
    from_sidecars = Database(root).quality
    assert set(from_table) == {image.path for image in db.images} == set(from_sidecars)
    for path, judgement in from_table.items():
        assert judgement.metrics == from_sidecars[path].metrics and judgement.codes == from_sidecars[path].codes
    assert {"snr", "efc", "tsnr_late"} <= {*from_sidecars.metrics} <= {*from_table.metrics}
    assert len(db.cohort(unit="image", images=T2, where="snr > 1 and not found('G04')")) >= 1
