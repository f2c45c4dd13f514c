"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real DICOM, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("TRIALBIDS_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "dicom").is_dir():
        pytest.skip("no real DICOM: TRIALBIDS_TEST_DATA names no folder that holds dicom/")
    return folder
