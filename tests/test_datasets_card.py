"""The data card: what it says of a tree, what it does not say of few people, and that nothing else can stand in it."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import Exported
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from treemaker import TreeMaker, small_trial, write_json

from trialbids.datasets import Database
from trialbids.datasets.errors import ExportError
from trialbids.datasets.exports.card import card_text, write_card
from trialbids.datasets.exports.cardtables import Tables
from trialbids.datasets.exports.smallcells import share, shown, shown_alone
from trialbids.exporter.deidentify.identifiers import Identifier, searcher_for
from trialbids.exporter.deidentify.inspect import Leak, inspect_file
from trialbids.exporter.release.cards import drop_stale_card
from trialbids.exporter.release.guard import remembered_guard
from trialbids.mappings.card import CARD_FILE, Form, Piece, card_template, one_line, state_in, tree_state

NOBODY = searcher_for([Identifier("patient_name", "Dorrington^Jonathan")])


def rows(text: str, title: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    lines = text.split(f"{title}\n", 1)[1].split("\n")
    table = [line for line in lines[: next((n for n, x in enumerate(lines) if x.startswith("#")), None)] if "|" in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def large_tree(root: Path) -> Database:
    """Twelve women of S01, of whom one has no ADC, and three of S02."""
    tree = TreeMaker(root)
    for n in range(15):
        tree.participant(f"{n:02d}", site="S01" if n < 12 else "S02", sex="F", age=40 + 2 * n)
        fields = {"Manufacturer": "SIEMENS", "ManufacturersModelName": "Skyra", "MagneticFieldStrength": 3}
        tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, sidecar=fields, qc="warn" if n == 1 else "pass")
        if n != 5:
            tree.image(f"{n:02d}", "ADC", {"sequence": "ADC"}, datatype="dwi", sidecar={"ADCScale": 1e-6})
    return Database(tree.finish(), index=None)


def test_the_card_counts_what_is_in_the_tree(tmp_path: Path) -> None:
    text = card_text(large_tree(tmp_path / "bids"))
    assert text.startswith("# small: data card\n")
    assert "- **People:** 15 participants, 15 sessions, 2 sites" in text
    assert rows(text, "## Images")[0][:5] == ["T2w", "15", "15", "15", "100 %"]
    assert rows(text, "## Images")[1][:5] == ["ADC", "-", ">=6", ">=6", ">=40 %"]
    assert rows(text, "## Scanners")[0] == ["SIEMENS", "Skyra", "3.00", "15", "15", "52 %"]
    assert rows(text, "## Quality") == [["pass", "28", "97 %"], ["warn", "1", "3 %"]]
    assert "- All participants are of one sex." in text
    assert "One site gives" not in text  # it would tell how many are of the other
    assert "- One site gives 80 % of the participants." in card_text(large_tree(tmp_path / "bids"), least=3)


def test_a_small_site_cannot_be_computed_from_the_others(tmp_path: Path) -> None:
    text = card_text(large_tree(tmp_path / "bids"))
    assert rows(text, "### Sites") == [["S01", ">=5", "-", "-", "-"], ["S02", "<5", "-", "-", "-"]]
    assert rows(text, "## Sequences by site") == [["S01", "-", "-", "-"], ["S02", "-", "-", "-"]]
    assert "12" not in [cell for row in rows(text, "### Sites") for cell in row]


def test_the_median_age_is_told_only_of_many(tmp_path: Path) -> None:
    db = large_tree(tmp_path / "bids")
    assert "median age" not in card_text(db)
    assert "The median age is 54 years" in card_text(db, least=3)


def test_a_foreign_tree_has_a_card_that_says_what_is_not_known(tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids", manifest=False)
    text = card_text(Database(root, index=None))
    assert "It was not exported by trialbids" in text and "curation/certificate.html" not in text
    assert text.split("## What was left out, and why\n\n")[1].startswith("The tree does not tell.")
    assert text.split("## Scanners\n\n")[1].startswith("The sidecars do not tell.")
    assert "**Licence:** none is stated" in text
    write_json(root / "dataset_description.json", {"Name": "x", "License": "CC0", "HowToAcknowledge": "Us,\n 2026"})
    told = card_text(Database(root, index=None))
    assert "- **Licence:** CC0" in told and "- **To cite:** Us, 2026" in told


def test_every_line_is_one_of_the_template_and_its_tables_are_aligned(tmp_path: Path) -> None:
    for text in (card_text(large_tree(tmp_path / "a")), card_text(Database(small_trial(tmp_path / "b"), index=None))):
        assert all(isinstance(found, Piece) for found in card_template().read(text))
        for table in text.split("\n\n"):
            lines = table.rstrip("\n").split("\n")
            assert not lines[0].startswith("|") or len({len(line) for line in lines}) == 1


def test_the_same_tree_gives_the_same_card_and_a_changed_one_another_state(tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids")
    written = write_card(Database(root, index=None))
    first = (root / CARD_FILE).read_text()
    assert written.folder_or_file == root / CARD_FILE and "licence" in written.notes[0]
    write_card(Database(root, index=None))
    assert (root / CARD_FILE).read_text() == first
    assert state_in(first) == tree_state(root)
    assert not drop_stale_card(root) and (root / CARD_FILE).is_file()
    table = root / "sub-01" / "sub-01_sessions.tsv"
    table.write_text(table.read_text().replace("3", "4"))
    assert drop_stale_card(root) and not (root / CARD_FILE).exists()
    assert not drop_stale_card(root)


def test_a_card_goes_where_it_is_asked_for_but_nowhere_else_into_the_tree(tmp_path: Path) -> None:
    db = Database(small_trial(tmp_path / "bids"), index=None)
    assert write_card(db, tmp_path / "card.md").folder_or_file.read_text() == card_text(db)
    with pytest.raises(ExportError, match="inside the BIDS tree"):
        write_card(db, tmp_path / "bids" / "README.md")


# --- what may be told of few people


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=4))
def test_no_small_count_can_be_computed_from_the_sum_of_all(counts: list[int]) -> None:
    told = shown(counts, least=4)
    nonzero = sum(count > 0 for count in counts)
    total = sum(counts)
    possible = [
        values
        for values in product(*([v for v in range(total + 1) if _fits(v, cell)] for cell in told))
        if sum(values) == total
    ]
    assert tuple(counts) in possible
    if nonzero > 1 and total > nonzero:  # one group of all, or groups of one each, cannot be hidden
        for n, count in enumerate(counts):
            if 0 < count < 4:
                assert len({values[n] for values in possible}) > 1


@dataclass(frozen=True)
class Person:
    """One participant of a made-up tree; a scanner and a drawn label come with every image."""

    site: str
    sex: str | None
    scanner: str
    sequences: tuple[str, ...]
    labels: tuple[str, ...]


people = st.builds(
    Person,
    site=st.sampled_from(["A", "A", "A", "B", "C"]),
    sex=st.sampled_from(["F", "F", "F", "M", None]),
    scanner=st.sampled_from(["GE", "GE", "Siemens"]),
    sequences=st.sampled_from([("T2w",), ("T2w",), ("T2w", "ADC"), ("ADC", "ADC"), ("DCE",)]),
    labels=st.sampled_from([(), (), ("lesion",), ("lesion",), ("cyst",)]),
)


def tables_of(people: list[Person]) -> Tables:
    """The tables of a tree of these people, without any file."""

    def image(n: int, sequence: str = "", label: str = "") -> Any:
        fields = {"Manufacturer": people[n].scanner, "ManufacturersModelName": "X", "MagneticFieldStrength": 3}
        facts: dict[str, Any] = {"participant_id": f"sub-{n}", "session_id": "ses-1", "zooms": (), "regions": ()}
        record = SimpleNamespace(sequence=sequence)
        return SimpleNamespace(**facts, sidecar_fields=fields, record=record, label=label, suffix="mask", reader="R1")

    db: Any = SimpleNamespace(
        participants={f"sub-{n}": {"site": person.site, "sex": person.sex} for n, person in enumerate(people)},
        sessions={(f"sub-{n}", "ses-1"): {} for n in range(len(people))},
        images=[image(n, sequence) for n, person in enumerate(people) for sequence in person.sequences],
        annotations=[image(n, label=label) for n, person in enumerate(people) for label in person.labels],
    )
    return Tables(db, 5)


class Shown:
    """What a reader can compute: whole numbers that fit every number of the card, and what must hold among them."""

    def __init__(self) -> None:
        self.low: list[float] = []
        self.high: list[float] = []
        self.sums: list[tuple[dict[int, float], float, float]] = []

    def number(self, cell: str, exact: int) -> int:
        """An unknown number that is shown as this cell; ``exact`` where a share tells it."""
        low, high = 0.0, np.inf
        if cell.startswith(">"):
            low = float(cell[2:]) if cell.startswith(">=") else 1.0
        elif cell.startswith("<") and "%" not in cell:
            low, high = 1.0, float(cell[1:]) - 1
        elif cell != "-":
            low = high = exact
        self.low.append(low)
        self.high.append(high)
        return len(self.low) - 1

    def at_most(self, less: int, more: int) -> None:
        """One number is not larger than another."""
        self.sums.append(({more: 1, less: -1}, 0, np.inf))

    def is_open(self, number: int) -> bool:
        """Whether no other value is possible."""
        matrix = np.zeros((len(self.sums), len(self.low)))
        for row, (terms, _, _) in zip(matrix, self.sums, strict=True):
            row[list(terms)] = list(terms.values())
        sums = LinearConstraint(matrix, [low for _, low, _ in self.sums], [high for *_, high in self.sums])
        ends = []
        for sign in (1, -1):
            cost = np.zeros(len(self.low))
            cost[number] = sign
            box = Bounds(np.array(self.low), np.array(self.high))
            found = milp(cost, constraints=sums, integrality=np.ones(len(self.low)), bounds=box)
            ends.append(np.inf if found.status == 3 else found.x[number])
        return ends[0] == ends[1]


@settings(max_examples=12, deadline=None)
@given(st.lists(people, min_size=6, max_size=22))
def test_no_small_group_can_be_computed_from_all_numbers_of_the_card(people: list[Person]) -> None:
    tables, everybody = tables_of(people), len(people)
    shown = Shown()
    small: list[tuple[int, tuple[str, str]]] = []
    lacked: list[tuple[int, str]] = []

    def table(
        rows: list[tuple[object, ...]], name: str, cells: tuple[int, ...], total: int, *, once: bool
    ) -> list[int]:
        """The unknowns of a table: the people of each row, its visits and images (the last), which are not fewer."""
        people_of, images_of = [], []
        for row in rows:
            exact = [int(str(row[n]).replace(",", "")) if str(row[n]).isdigit() else 0 for n in cells]
            numbers = [shown.number(str(row[n]), value) for n, value in zip(cells, exact, strict=True)]
            for less, more in pairwise(numbers):
                shown.at_most(less, more)
            shown.sums.append(({numbers[0]: 1}, 1, everybody))
            people_of.append(numbers[0])
            images_of.append(numbers[-1])
            if name == "sequence":
                shown.sums.append(({numbers[1]: 1}, 1, everybody))
                if 0 < everybody - sum(str(row[0]) in person.sequences for person in people) < 5:
                    lacked.extend((number, str(row[0])) for number in numbers[:2])
            small.append((numbers[0], (name, str(row[0]))))
        if rows and once:  # each is in one row
            shown.sums.append((dict.fromkeys(people_of, 1), everybody, everybody))
        elif rows and name != "label":  # each is in one row or in several
            shown.sums.append((dict.fromkeys(people_of, 1), everybody, np.inf))
        if rows and len(cells) > 1 and total:
            shown.sums.append((dict.fromkeys(images_of, 1), total, total))
        return images_of

    images = len(tables.db.images)
    table(tables.by_sex(), "sex", (1,), 0, once=True)
    table(tables.by_site(), "site", (1, 3, 4), images, once=True)
    table(tables.scanners(), "scanner", (3, 4), images, once=True)
    table(tables.sequences(), "sequence", (3, 2, 1), images, once=False)
    table(tables.annotations(), "label", (4, 3), int(tables.drawn) if tables.drawn != "-" else 0, once=False)
    sequences, rows = tables.missing()
    at = {site: [row for row in people if row.site == site] for site in {row.site for row in people}}
    known = {row[0]: row for row in tables.sequences()}
    columns: dict[str, list[int]] = {}
    for row in rows:
        here = shown.number(str(row[1]), len(at[str(row[0])]))
        shown.sums.append(({here: 1}, 1, everybody))
        cells = []
        for sequence, cell in zip(sequences, row[2:], strict=True):
            exact = sum(sequence in person.sequences for person in at[str(row[0])])
            cells.append(shown.number(str(cell), exact))
            shown.at_most(cells[-1], here)
            columns.setdefault(sequence, []).append(cells[-1])
            if 0 < exact < 5:
                small.append((cells[-1], (str(row[0]), sequence)))
            if 0 < len(at[str(row[0])]) - exact < 5:
                lacked.append((cells[-1], f"{row[0]} {sequence}"))
        shown.sums.append(({**dict.fromkeys(cells, 1), here: -1}, 0, np.inf))
    for sequence, cells in columns.items():
        total = str(known[sequence][2])
        if total.isdigit():
            shown.sums.append((dict.fromkeys(cells, 1), int(total), int(total)))
    for number, what in lacked:
        assert not shown.is_open(number), what
    true = Counter[tuple[str, str]]()
    for person in people:
        true.update([("sex", person.sex or "n/a"), ("site", person.site), ("scanner", person.scanner)])
        true.update({("sequence", name) for name in person.sequences} | {("label", name) for name in person.labels})
    for number, group in small:
        if group not in true or true[group] < 5:
            assert not shown.is_open(number), group


def test_twelve_people_of_two_makers_do_not_tell_how_many_are_of_the_second(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for n in range(12):
        fields = {
            "Manufacturer": "GE" if n < 9 else "Siemens",
            "ManufacturersModelName": "A",
            "MagneticFieldStrength": 3,
        }
        tree.participant(f"{n:02d}", sex="F" if n < 9 else None)
        tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, sidecar=fields)
    text = card_text(Database(tree.finish(), index=None))
    assert rows(text, "## Scanners") == [["GE", "A", "3.00", ">=5", "-", "-"], ["Siemens", "A", "3.00", "<5", "-", "-"]]
    assert ["participants", "sex", "words", "12", "-"] in rows(text, "## Clinical columns")


def test_the_one_who_lacks_something_is_not_told(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for n in range(30):
        tree.participant(f"{n:02d}", sex="F", weight=None if n == 3 else 70)
        tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"})
        if n:
            tree.image(f"{n:02d}", "ADC", {"sequence": "ADC"}, datatype="dwi", sidecar={"ADCScale": 1e-6})
    text = card_text(Database(tree.finish(), index=None))
    assert rows(text, "## Images")[1][:5] == ["ADC", "-", ">=21", ">=21", ">=70 %"]
    assert rows(text, "## Sequences by site") == [["S01", "30", "100 %", "-"]]
    assert ["participants", "weight", "whole numbers", "30", ">=70 %"] in rows(text, "## Clinical columns")
    assert "29" not in text.split("## What to mind")[0].split("## Images")[1]


def test_groups_of_one_are_not_even_counted(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for n in range(6):
        tree.participant(f"{n:02d}", site=f"S{n}", sex="F")
        tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"})
    text = card_text(Database(tree.finish(), index=None))
    assert "6 sessions; the sites are not told" in text and "S3" not in text
    assert text.split("### Sites\n\n")[1].startswith("Its groups are too small to be told.")


def _fits(value: int, cell: str) -> bool:
    if cell.startswith(">="):
        return value >= int(cell[2:])
    if cell.startswith(">"):
        return value > 0
    return 0 < value < int(cell[1:]) if cell.startswith("<") else value == int(cell)


def test_shares_and_counts_of_few_are_not_told() -> None:
    assert [shown_alone(n) for n in (0, 1, 4, 5, 12345)] == ["0", "<5", "<5", "5", "12,345"]
    assert [share(*pair) for pair in ((1, 100), (5, 6), (999, 1000), (0, 9), (2, 4))] == [
        "-",
        "-",
        ">=99 %",
        "0 %",
        "-",
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), min_size=1, max_size=4))
def test_whatever_stands_in_a_cell_is_read_back(cells: list[list[str]]) -> None:
    form = Form({"a": "word", "b": "word"})
    template = type(card_template())({}, {"t": form})
    found = [piece.text for piece in template.read("\n".join(form.write(cells))) if isinstance(piece, Piece)]
    assert found == [one_line(cell) for row in cells for cell in row]


# --- the leak proof


@pytest.fixture(scope="module")
def carded(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of a released tree and its card; the voxels are not looked into here."""
    root = tmp_path_factory.mktemp("carded") / "bids"
    shutil.copytree(exported.trial.output, root)
    write_card(Database(root, index=None))
    return root


def leaks(root: Path, exported: Exported, text: str) -> tuple[Leak, ...]:
    (root / CARD_FILE).write_text(text)
    guard = remembered_guard(exported.trial.work)
    return inspect_file(root, CARD_FILE, NOBODY, guard.searches.rules)


@pytest.mark.parametrize("least", [5, 1])
def test_the_card_of_a_release_is_proved_clean_whatever_is_searched(
    exported: Exported, carded: Path, least: int
) -> None:
    text = card_text(Database(carded, index=None), least=least)
    assert leaks(carded, exported, text) == ()
    guard = remembered_guard(exported.trial.work)
    assert inspect_file(carded, CARD_FILE, guard.searches.everybody, guard.searches.rules) == ()


def test_a_name_is_found_wherever_it_is_put(exported: Exported, carded: Path) -> None:
    lines = card_text(Database(carded, index=None), least=1).split("\n")
    for number, line in enumerate(lines):
        if not line or set(line) <= set("|- :"):
            continue
        smuggled = line[:-1] + "Rowena |" if line.startswith("|") else line + " Rowena"
        found = leaks(carded, exported, "\n".join([*lines[:number], smuggled, *lines[number + 1 :]]))
        assert {leak.kind for leak in found} & {"unknown-text", "odd-value"}, line


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("## Quality", "## Quality\n\nSeen by Jonathan Dorrington.", "patient_name"),
        ("1.0.0 of 2026", "1.0.0 of 1950", "odd-value"),
        ("| S0", "| T0", "odd-value"),
        ("| SIEMENS ", "| Rowena  ", "odd-value"),
        ("| orads_score", "| rowena_name", "odd-value"),
        ("| lesion ", "| Row.na ", "odd-value"),
        ("- Made by dcm2niix", "- Made by Rowena", "odd-value"),
        ("participants | sessions |", "participants | Rowena   |", "unknown-text"),
    ],
)
def test_what_the_tree_does_not_tell_is_a_leak(exported: Exported, carded: Path, old: str, new: str, kind: str) -> None:
    text = card_text(Database(carded, index=None), least=1)
    assert old in text
    assert kind in {leak.kind for leak in leaks(carded, exported, text.replace(old, new))}
