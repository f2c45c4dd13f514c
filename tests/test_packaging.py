"""What is built and installed: the wheel, no clash with Hugging Face's ``datasets``, pins, a quick command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("exporter", "mappings", "datasets")
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", "src", *ROOMS)


def run(*command: str, cwd: Path, safe_path: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command with only the environment's own path rules and those given here."""
    base = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    if safe_path:
        base["PYTHONSAFEPATH"] = "1"
    return subprocess.run(command, cwd=cwd, env={**base, **env}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist and the wheel made from it, built from a copy so that the working copy stays clean."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    leave_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=leave_out)
        else:
            shutil.copy(ROOT / name, copy / name)
    made = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy), cwd=copy)
    assert made.returncode == 0, made.stdout + made.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


def package_files() -> set[str]:
    """Every module, YAML file and ``py.typed`` of the three rooms in the working copy, as named in a wheel."""
    return {
        f"trialbids/{path.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".py", ".yaml", ".tsv") or path.name == "py.typed"
    }


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == package_files()
    assert {"trialbids/mappings/vocabulary.yaml", "trialbids/exporter/cli.py"} <= names
    assert {f"trialbids/{room}/py.typed" for room in ROOMS} <= names


def test_the_source_archive_holds_the_files_not_the_links(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        files = {member.name.split("/", 1)[-1] for member in tar if member.isfile()}
        assert not [member.name for member in tar if member.issym() or member.islnk()]
    assert {f"src/{name}" for name in package_files()} <= files


def test_lives_beside_hugging_face_datasets(wheel: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "datasets"
    theirs.mkdir()
    (theirs / "__init__.py").write_text("WHOSE = 'theirs'\n")
    pip = run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
        *("--target", str(tmp_path), str(wheel)),
        cwd=tmp_path,
    )
    assert pip.returncode == 0, pip.stderr
    code = (
        "import datasets, trialbids.datasets, trialbids.exporter, trialbids.mappings as m\n"
        "print(datasets.WHOSE, trialbids.datasets.__file__, trialbids.exporter.__file__, m.__file__, sep='\\n')"
    )
    done = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    whose, *ours = done.stdout.splitlines()
    assert whose == "theirs"
    expected = [tmp_path / "trialbids" / room / "__init__.py" for room in ("datasets", "exporter", "mappings")]
    assert [Path(line) for line in ours] == expected


def test_the_repository_root_does_not_shadow_datasets() -> None:
    code = "import importlib.util as u; s = u.find_spec('datasets'); print(s.origin if s else 'not found')"
    found = run(sys.executable, "-c", code, cwd=ROOT).stdout.strip()
    assert found == "not found" or not Path(found).is_relative_to(ROOT / "datasets")


def test_the_bare_name_is_refused_where_the_root_is_on_the_path() -> None:
    done = run(sys.executable, "-c", "import datasets", cwd=ROOT, safe_path=False)
    assert done.returncode != 0
    assert "ImportError" in done.stderr and "trialbids.datasets" in done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_the_three_links_are_relative_and_lead_to_the_rooms(room: str) -> None:
    link = ROOT / "src" / "trialbids" / room
    assert link.is_symlink()
    assert link.readlink() == Path("../..") / room
    assert link.resolve() == ROOT / room


def test_help_answers_in_half_a_second() -> None:
    command = str(Path(sys.executable).with_name("trialbids"))
    best = float("inf")
    for _ in range(12):  # the machine may be busy with the other tests: the best counts
        start = time.perf_counter()
        done = run(command, "--help", cwd=ROOT)
        best = min(best, time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
        if best < 0.5:
            return
    pytest.fail(f"the best of twelve took {best:.2f} s")


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    heavy = {"torch", "monai", "pandas", "scipy", "bids", "cv2", "pyarrow", "nibabel", "bidsschematools"}
    code = f"import sys, trialbids.exporter.cli; print(*sorted({heavy!r} & set(sys.modules)))"
    done = run(sys.executable, "-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def pins() -> dict[str, str]:
    """Package → version of ``constraints.txt``; every line must be an exact pin."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==(\S+)", line) for line in lines]
    assert all(found), "constraints.txt holds only exact pins"
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def test_every_dependency_is_pinned_to_a_version_it_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [project["build-system"]["requires"], project["project"]["dependencies"]]
    lists += project["project"]["optional-dependencies"].values()
    pinned = pins()
    for requirement in (Requirement(text) for group in lists for text in group):
        name = canonicalize_name(requirement.name)
        if name != "trialbids":
            assert name in pinned, f"{name} has no line in constraints.txt"
            assert requirement.specifier.contains(pinned[name]), f"{requirement} against {pinned[name]}"
    assert pinned["torch"] == "2.13.0"


def test_pre_commit_runs_the_pinned_ruff() -> None:
    named = re.findall(r'"ruff==([\d.]+)"', (ROOT / ".pre-commit-config.yaml").read_text())
    assert set(named) == {pins()["ruff"]}


def test_the_image_is_built_from_what_the_wheel_needs_and_runs_as_nobody_special() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = {word for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.M) for word in line.split()[:-1]}
    assert copied == {*BUILT_FROM, "constraints.txt"}
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through == copied
    assert re.findall(r"^USER (\S+)$", dockerfile, re.M) == ["1000"]
    assert all(":" in image for image in re.findall(r"^FROM (\S+)", dockerfile, re.M))
