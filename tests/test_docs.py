"""The documentation is true: every command and block runs, every page is listed, the words are the vocabulary's."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from trialbids.mappings.conditions import FACT_NAMES
from trialbids.mappings.vocabulary import vocabulary

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
RUN_PAGES = (
    *("docs/tutorial.md", "README.md", "docs/howto-splits.md", "docs/howto-share.md", "docs/examples.md"),
    "docs/howto-predictions.md",
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page: where, in which language, and its text."""

    page: str
    line: int
    language: str
    text: str

    def commands(self) -> list[str]:
        """The shell lines: all of a ``bash`` block, those after a ``$`` of a ``console`` block; comments cut off."""
        lines = self.text.splitlines()
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in (re.sub(r"(^|\s+)# .*$", "", line).strip() for line in lines) if line]


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a Markdown page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```$", text, re.M | re.S)
    return [Block(page, text.count("\n", 0, m.start()) + 2, m[1], m[2]) for m in found]


def recipe(target: str) -> str:
    """The last command that ``make TARGET`` would run, as make itself says; fails where there is no such target."""
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    return [line for line in shown.stdout.splitlines() if line.startswith(".venv/bin/")][-1]


def shell(command: str, folder: Path) -> None:
    """Run a line as a reader would, with this environment's commands first on the path."""
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def run_command(command: str, folder: Path) -> None:
    """Run one line of a page. Setting up is not repeated: of ``make demo`` only what it does to the folder is run."""
    words = shlex.split(command)
    if words[0] == "make":
        assert recipe(words[1])
        if words[1] == "demo" and not (folder / "demo-trial").exists():
            shell(recipe("demo").removeprefix(".venv/bin/"), folder)
    elif words[0] == "python" and "federated" not in words[1]:
        with pytest.MonkeyPatch.context() as patch:  # in this process, which has imported torch already
            patch.setattr(sys, "argv", words[1:])
            runpy.run_path(words[1], run_name="__main__")
    elif words[0] == "source":
        assert words[1] == ".venv/bin/activate"
    else:
        shell(command, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a reader follows the pages, one after the other."""
    made = tmp_path_factory.mktemp("reader")
    (made / "docs").symlink_to(DOCS)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_PAGES)
def test_every_block_of_the_page_runs(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    if not (folder / "demo-trial").exists():
        run_command("make demo", folder)
    names: dict[str, Any] = {"__name__": "page"}
    ran = 0
    for block in blocks(page):
        if block.language in ("bash", "console"):
            for command in block.commands():
                run_command(command, folder)
                ran += 1
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), names)
            ran += 1
    assert ran >= 2


@pytest.mark.parametrize(
    "page", [p.relative_to(ROOT).as_posix() for p in [ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]]
)
def test_every_make_target_named_exists(page: str) -> None:
    targets = re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", (ROOT / page).read_text(encoding="utf-8"), re.M)
    for target in {a or b for a, b in targets}:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=True)


def nav_pages(nav: Any) -> Iterator[str]:
    """The files named anywhere in mkdocs' ``nav``."""
    if isinstance(nav, str):
        yield nav
    else:
        for item in nav.values() if isinstance(nav, dict) else nav:
            yield from nav_pages(item)


def test_the_site_lists_every_page_once() -> None:
    listed = sorted(nav_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert listed == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_the_index_of_decisions_names_each_by_number_and_title() -> None:
    rows = re.findall(r"^\| (\d{4}) \| \[(.+)\]\((.+)\) \|$", (DOCS / "decisions" / "index.md").read_text(), re.M)
    pages = sorted(path for path in (DOCS / "decisions").glob("*.md") if path.name != "index.md")
    assert [name for _, _, name in rows] == [path.name for path in pages]
    for (number, title, name), path in zip(rows, pages, strict=True):
        assert name.startswith(number)
        assert path.read_text().splitlines()[0] == f"# {number} · {title}"


def test_the_vocabulary_page_has_every_attribute_with_exactly_its_values() -> None:
    page = (DOCS / "vocabulary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| .+ \|$", page, re.M)
    table = {name: re.findall(r"`([^`]+)`", values) for name, values in rows}
    assert {name: table.get(name) for name in vocabulary()} == {
        name: list(attribute.values) for name, attribute in vocabulary().items()
    }


def test_the_how_to_explains_every_key_of_the_configuration() -> None:
    from trialbids.exporter.trial import Trial

    page = (DOCS / "howto-own-trial.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `(\w+)` \|", page, re.M)
    assert sorted(explained) == sorted(Trial.model_fields)


def test_the_configuration_of_the_how_to_is_accepted(tmp_path: Path) -> None:
    from trialbids.exporter.trial import load_trial

    (example,) = [block.text for block in blocks("docs/howto-own-trial.md") if block.language == "yaml"]
    for name in re.findall(r"[\w-]+\.(?:csv|yaml)", example):
        (tmp_path / name).write_text("")
    (tmp_path / "trial.yaml").write_text(example)
    trial = load_trial(tmp_path / "trial.yaml")
    assert list(trial.clinical[0].columns["orads"].levels) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_to_files_of_the_repository_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert links and [link for link in links if not (ROOT / link).is_file()] == []


def test_the_rules_page_names_every_field_a_rule_may_ask() -> None:
    page = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert [name for name in sorted(FACT_NAMES) if f"`{name}`" not in page] == []
