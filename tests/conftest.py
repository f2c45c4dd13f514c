"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from trialbids.exporter.cli import run_export
from trialbids.exporter.demo.generate import DemoTrial, make_trial
from trialbids.exporter.engine import Processes
from trialbids.exporter.trial import Trial, load_trial

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real DICOM, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("TRIALBIDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "dicom").is_dir():
        pytest.skip("no real DICOM: TRIALBIDS_TEST_DATA names no folder that holds dicom/")
    return folder


@dataclass(frozen=True)
class Exported:
    """The demo trial of two patients with its tree, exported once for all tests that only read it."""

    made: DemoTrial
    trial: Trial
    exit_code: int


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A small demo trial and the tree that it becomes. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("demo") / "trial"
    made = make_trial(folder, patients=2)
    trial = load_trial(made.configuration)
    with Processes() as engine:
        return Exported(made, trial, run_export(trial, engine, json=True))
