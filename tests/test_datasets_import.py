"""Importing: light, and never under the bare name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run(code: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**{k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}, **env}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_looking_at_a_tree_imports_neither_torch_nor_monai(tmp_path: Path) -> None:
    code = (
        "import sys; from trialbids.datasets import Database, Q, Times, Categorical, Regression, Require, Cohort;"
        "print({'torch', 'monai', 'nibabel.nifti1'} & set(sys.modules))"
    )
    result = run(code, tmp_path)
    assert result.stdout.strip() == "{'nibabel.nifti1'}", result.stderr


def test_the_bare_name_is_refused_with_a_sentence() -> None:
    result = run("import datasets", ROOT)
    assert result.returncode != 0
    assert "this is trialbids.datasets" in result.stderr


def test_every_exported_name_can_be_had() -> None:
    import trialbids.datasets as package

    assert all(getattr(package, name).__name__ == name for name in package.__all__)
    assert set(package.__all__) == set(package._HOME)
