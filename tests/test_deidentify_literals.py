"""The scan for a module's texts says what its syntax tree says."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from trialbids.exporter.deidentify.literals import read_literals

EXPORTER = Path(__file__).resolve().parents[1] / "exporter"


def by_syntax_tree(source: str) -> tuple[set[str], set[str]]:
    nodes = list(ast.walk(ast.parse(source)))
    alone = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    constants = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in alone]
    annotated = [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
    return {c for c in constants if isinstance(c, str)}, {t.id for t in annotated if isinstance(t, ast.Name)}


def test_it_reads_every_module_of_the_exporter_as_python_does() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(EXPORTER.rglob("*.py"))}
    assert [path for path, source in sources.items() if read_literals(source) != by_syntax_tree(source)] == []
    assert len(sources) > 100


@pytest.mark.parametrize(
    "source",
    [
        '"""Doc."""\nX = "a" \'b\'  # "c"\n"about X"\n',
        'X = (\n    "in a row, "  # with a "comment"\n    f"and {a:.2f} of {b["d"] if c else \'e\'}"\n)\n',
        'def f():\n    r"""Doc \\d"""\n    return r"\\d+", b"bytes", "tab\\t", """""", "", \'\'\'"so"\'\'\', """"so" """\n',  # noqa: E501
        'X = {\n    "key": {"inner": "value"},\n    name: "other",\n}\ny: int = 0\nclass C:\n    z: str\n    def f(self): ...\n',  # noqa: E501
        'if a:  # not a field: never\n    pass\nelse:\n    print("(", ")")\nx: str = "after"\n',
    ],
)
def test_what_is_written_in_unusual_ways_is_read_too(source: str) -> None:
    source = source.replace('b["d"]', "b")  # a quote within a quote is Python's from 3.12 on
    assert read_literals(source) == by_syntax_tree(source)
