"""The plan of the house holds: who imports whom, read from every import statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("mappings", "exporter", "datasets")
MAY_KNOW = {"mappings": {"mappings"}, "exporter": {"exporter", "mappings"}, "datasets": {"datasets", "mappings"}}

STAGES = (
    "inventory", "stacks", "harmonise", "select", "plan", "convert", "qc", "deidentify", "annotations", "release",
)  # fmt: skip
# Each knows only those before it. Between the stages stand: the way up to the plan, in which checks of headers have a
# say, and the private work folder; after them what a person meets.
FRONT = (
    *("likes", "initialise", "outcome", "screen", "screen_qc", "demo", "arguments", "border"),
    *("cli_deid", "cli_qc", "cli_sample", "cli_protocol", "cli_seg", "cli"),
)
ORDER = (*STAGES[:5], "clinical", "review", *STAGES[5:7], "pipeline", "deidentify", "places", *STAGES[8:], *FRONT)
ROOMS_OF_DATASETS = (
    *("errors", "files", "index", "cohorts", "database", "splits", "reading", "training", "predictions", "exports"),
    *("demo", "cli"),
)
"""From the tree to the loop of a training, and back into the tree: each knows only those before it."""
SHARED = {"arrays", "engine", "errors", "progress", "tables", "trial"}
AHEAD = {
    ("plan", "deidentify.pseudonyms"): "the plan gives the released names, which are pseudonyms",
    ("pipeline", "deidentify.pseudonyms"): "it hands them to the plan",
}


@cache
def imports(room: str) -> tuple[tuple[str, str], ...]:
    """Pairs (importing module, imported module), dotted below ``trialbids``, of all trialbids modules imported."""
    return tuple((module, target) for path in sorted((ROOT / room).rglob("*.py")) for module, target in _of(path))


def _of(path: Path) -> Iterator[tuple[str, str]]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = parts[:-1]
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("trialbids."):
                    yield module, alias.name.removeprefix("trialbids.")
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            if node.module:
                yield module, ".".join((*base, node.module))
            else:
                yield from ((module, ".".join((*base, alias.name))) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "trialbids":
            yield module, (node.module or "").removeprefix("trialbids").lstrip(".")


def stage_imports() -> Iterator[tuple[str, str]]:
    """Pairs (part of the exporter, module of the exporter it imports, without ``exporter.``)."""
    for module, target in imports("exporter"):
        if target.startswith("exporter.") and module != "exporter":
            yield module.split(".")[1], target.removeprefix("exporter.")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_whom_it_may(room: str) -> None:
    found = {(module, target) for module, target in imports(room) if target.split(".")[0] not in MAY_KNOW[room]}
    assert found == set()
    assert len(imports(room)) > 1


@pytest.mark.parametrize("room", ROOMS)
def test_imports_are_relative_inside_a_room_and_absolute_across(room: str) -> None:
    wrong = []
    for path in sorted((ROOT / room).rglob("*.py")):
        depth = len(path.relative_to(ROOT).parts) - 1
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                inside_by_full_name = (node.module or "").startswith(f"trialbids.{room}") and not node.level
                if inside_by_full_name or node.level > depth:
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


def test_nobody_knows_a_later_stage() -> None:
    wrong = [
        (part, target)
        for part, target in stage_imports()
        if part in ORDER
        and target.split(".")[0] in ORDER
        and ORDER.index(target.split(".")[0]) > ORDER.index(part)
        and (part, target) not in AHEAD
    ]
    assert wrong == []


def room_imports() -> Iterator[tuple[str, str]]:
    """Pairs (part of the datasets, part of the datasets it imports at run time)."""
    for module, target in imports("datasets"):
        part = target.split(".")[1] if target.startswith("datasets.") else ""
        if module != "datasets" and part in ROOMS_OF_DATASETS:
            yield module.split(".")[1], part


def test_nobody_in_the_datasets_knows_a_later_room() -> None:
    order = ROOMS_OF_DATASETS.index
    wrong = [(room, target) for room, target in room_imports() if order(target) > order(room)]
    assert set(wrong) <= {("cohorts", "database"), ("cohorts", "splits")}  # types, and what `Cohort.split` calls


def test_every_part_of_the_datasets_has_its_place() -> None:
    modules = {path.stem for path in (ROOT / "datasets").glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in (ROOT / "datasets").glob("*/__init__.py")}
    assert modules | rooms <= set(ROOMS_OF_DATASETS)


def test_no_stage_knows_the_command_line() -> None:
    assert [
        (part, target) for part, target in stage_imports() if part in STAGES and target.split(".")[0] in FRONT
    ] == []


def test_what_all_stages_share_knows_no_stage_but_the_instance() -> None:
    known = {target for part, target in stage_imports() if part in SHARED and target.split(".")[0] not in SHARED}
    assert known <= {"inventory.instance"}


def test_the_exceptions_are_still_needed() -> None:
    assert set(AHEAD) <= set(stage_imports())


def test_every_part_of_the_exporter_has_its_place() -> None:
    modules = {path.stem for path in (ROOT / "exporter").glob("*.py")} - {"__init__"}
    rooms = {path.parent.name for path in (ROOT / "exporter").glob("*/__init__.py")}
    assert modules | rooms == {*ORDER, *SHARED}
