"""From an edited plan to edits: what a person changed, told from what the program that saved it changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import UsageError
from ..harmonise import Harmonised
from ..plan.build import Fault as PlanFault
from ..plan.build import decision_among
from ..plan.row import PlanRow, plan_columns
from ..plan.visits import Visits
from .apply import review, with_words
from .edits import Edit, in_force, sheet_key
from .sheet import Sheet, SheetRow
from .values import DECISION, canonical, clean, editable, number, same

FORMULA_SIGNS = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that begins so for a formula and saves what it makes of it."""

MOST_SENTENCES = 20
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Current:
    """The plan as it is now, before the new edits: the tool's own stacks, who they belong to, the edits so far, and
    the stacks that failed a check."""

    harmonised: Sequence[Harmonised]
    visits: Visits
    keep: Sequence[str]
    edits: Sequence[Edit]
    blocked: Mapping[str, PlanFault] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Signature:
    """Whose edits these are, and when they were read (ISO 8601)."""

    by: str
    date: str


@dataclass(slots=True)
class _Change:
    """A cell that a person has changed, with its line; ``before`` is what stood there when the sheet was copied."""

    line: int
    stack_id: str
    attribute: str
    before: str
    new: str


@dataclass(slots=True)
class _Found:
    """Everything read so far, and every sentence about what is wrong."""

    path: Path
    changes: list[_Change] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def wrong(self, line: int, what: str, column: str = "") -> None:
        where = f"line {line}: column {column}" if column else f"line {line}"
        self.problems.append(f"{self.path}: {where}: {what}")


def new_edits(
    sheet: Sheet, current: Current, plans: Iterable[Sequence[Cells]], signature: Signature
) -> tuple[Edit, ...]:
    """The edits and withdrawals that an edited plan holds, as they are to be appended to the history.

    ``plans`` are the plans once written, the newest first: a cell is edited where it differs from the newest, or from
    an older one where the sheet tells that it was copied from that; where this very sheet was read before and made an
    edit, where it differs from what it said then. Raises ``UsageError`` with one sentence for each thing that is
    wrong; then nothing of the sheet is to be used.
    """
    known = [{row["stack_id"]: row for row in plan if "stack_id" in row} for plan in plans]
    if not known:
        raise UsageError(f"{sheet.path}: no plan was written in this work folder; run trialbids plan first")
    base = _base(sheet, known)
    oldest_first = [*reversed(known), base]
    everything = {stack_id: row for plan in oldest_first for stack_id, row in plan.items()}
    said = _said_before(sheet.path, current.edits, signature)
    found = _Found(sheet.path)
    _read(sheet, {stack_id: {**row, **said.get(stack_id, {})} for stack_id, row in everything.items()}, found)
    edits = tuple(replace(e, sheet=sheet_key(sheet.path)) for e in _signed(found, current, signature))
    _check(found, current, edits)
    if found.problems:
        more = len(found.problems) - MOST_SENTENCES
        rest = [f"{sheet.path}: and {more} more"] if more > 0 else []
        raise UsageError("\n".join([*found.problems[:MOST_SENTENCES], *rest, "No edit was taken."]))
    return edits


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A cell of a sheet that says something else than the edit for it, which stands all the same."""

    line: int
    cell: str
    edit: Edit


def contradictions(sheet: Sheet, known: Collection[str], standing: Iterable[Edit]) -> tuple[Contradiction, ...]:
    """Where a sheet that was read disagrees with the edits that stand after it.

    ``known`` are the ids of all stacks, ``standing`` the edits in force and applied.
    """
    by_cell = {(e.stack_id, e.attribute): e for e in standing}
    stack_of = _ids(known)
    found: dict[tuple[str, str], Contradiction] = {}
    for row in sheet.rows:
        stack_id = stack_of(row.cells["stack_id"])
        for name in sheet.columns:
            edit = by_cell.get((stack_id, name))
            if edit is not None and not _says(name, row.cells[name], edit.new):
                found.setdefault((stack_id, name), Contradiction(row.line, row.cells[name], edit))
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A cell of a sheet that differs from the newest plan, became no edit and is not what the plan says now either."""

    line: int
    stack_id: str
    attribute: str
    cell: str
    stands: str


def not_taken(
    sheet: Sheet, newest: Sequence[Cells], now: Sequence[PlanRow], named: Collection[tuple[str, str]]
) -> tuple[NotTaken, ...]:
    """The cells of a sheet that nothing came of, so that none is passed over in silence.

    ``newest`` is the plan before the sheet was read, ``now`` the one after; ``named`` are the cells, by stack and
    attribute, that became an edit or a withdrawal or of which something is said elsewhere.
    """
    before = {row["stack_id"]: row for row in newest if "stack_id" in row}
    after = {row.stack_id: row.to_row() for row in now}
    stack_of = _ids(before)
    columns = [name for name in sheet.columns if name in editable()]
    found: dict[tuple[str, str], NotTaken] = {}
    for row in sheet.rows:
        stack_id = stack_of(row.cells["stack_id"])
        for name in columns if stack_id else ():
            cell, key = row.cells[name], (stack_id, name)
            stands = [rows[stack_id].get(name, "") for rows in (before, after) if stack_id in rows]
            if key not in named and not any(_says(name, cell, value) for value in stands):
                found.setdefault(key, NotTaken(row.line, stack_id, name, cell, stands[-1]))
    return tuple(found.values())


def _says(name: str, cell: str, value: str) -> bool:
    try:
        return same(value, cell) or canonical(name, cell) == value
    except ValueError:  # the tool may write what a person may not
        return False


def _said_before(path: Path, edits: Sequence[Edit], signature: Signature) -> dict[str, dict[str, str]]:
    """What this sheet said when it was read before for this person, of cells with an edit in force, by ``stack_id``.

    The place of a file alone does not tell a sheet: two people may each have one at the same place of their machines.
    """
    key, force = sheet_key(path), in_force(edits)
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for e in edits:
        if e.sheet == key and e.by == signature.by and e.attribute in force.get(e.stack_id, {}):
            said[e.stack_id][e.attribute] = e.new
    return said


def _base(sheet: Sheet, plans: Sequence[Mapping[str, Cells]]) -> Mapping[str, Cells]:
    """The plan that the sheet was copied from: the newest, unless the sheet tells that it is an older one.

    What tells are the cells that nobody edits; for a sheet that holds most of a plan, all its cells do.
    """
    best, least = plans[0], _distance(sheet, plans[0], None)
    for plan in plans[1:]:
        distance = _distance(sheet, plan, least)
        if distance[0] < least[0] or (distance < least and _holds_most(sheet, plan)):
            best, least = plan, distance
    return best


def _distance(sheet: Sheet, plan: Mapping[str, Cells], least: tuple[int, int] | None) -> tuple[int, int]:
    """In how many cells a sheet differs from a plan: those that nobody edits, and all. No further than ``least``."""
    fixed = wrong = 0
    for row in sheet.rows:
        before = plan.get(row.cells["stack_id"], {})
        names = [name for name in sheet.columns if not same(before.get(name, ""), row.cells[name])]
        fixed += sum(name not in editable() for name in names)
        wrong += len(names)
        if least is not None and (fixed, wrong) >= least:
            break
    return fixed, wrong


def _holds_most(sheet: Sheet, plan: Mapping[str, Cells]) -> bool:
    """Whether a sheet has more than half of a plan's rows and columns."""
    stacks = {row.cells["stack_id"] for row in sheet.rows}
    return 2 * len(stacks & plan.keys()) > len(plan) and 2 * len(sheet.columns) > len(plan_columns())


def _read(sheet: Sheet, base: Mapping[str, Cells], found: _Found) -> None:
    """Compare every row with the plan that it was copied from."""
    stack_of = _ids(base)
    seen: dict[str, SheetRow] = {}
    columns = [name for name in sheet.columns if name in editable()]
    for row in sheet.rows:
        cell = row.cells["stack_id"]
        stack_id = stack_of(cell)
        if not stack_id:
            found.wrong(row.line, f"there is no stack {cell!r} in the plan; leave that column as it was", "stack_id")
            continue
        earlier = seen.setdefault(stack_id, row)
        if earlier is not row:
            _compare_twins(stack_id, earlier, row, columns, found)
            continue
        _read_row(row, stack_id, base[stack_id], sheet.columns, found)


def _compare_twins(stack_id: str, one: SheetRow, other: SheetRow, columns: Sequence[str], found: _Found) -> None:
    """The same stack a second time: two rows that say the same are one."""
    for name in columns:
        if not same(one.cells[name], other.cells[name]):
            both = f"{one.cells[name]!r} on line {one.line} and {other.cells[name]!r} on line {other.line}"
            found.wrong(other.line, f"stack {stack_id} stands twice and says {both}; leave one of them", name)


def _read_row(row: SheetRow, stack_id: str, before: Cells, columns: Sequence[str], found: _Found) -> None:
    for name in columns:
        old, cell = before.get(name, ""), row.cells[name]
        if name == "stack_id" or same(old, cell):
            continue
        if name not in editable():
            if clean(cell) and not old.startswith(FORMULA_SIGNS):
                sentence = f"{old!r} became {cell!r}, but this cannot be edited; what can be is {', '.join(editable())}"
                found.wrong(row.line, sentence, name)
            continue
        try:
            new = canonical(name, cell)
        except ValueError as error:
            found.wrong(row.line, str(error), name)
            continue
        if new != old:
            found.changes.append(_Change(row.line, stack_id, name, old, new))


def _ids(known: Collection[str]) -> Callable[[str], str]:
    """How to read an id, "" where there is none such.

    Ids that a spreadsheet would take for numbers are known by what it shows of them, where that names one alone.
    """
    shown: dict[str, list[str]] = {}
    for stack_id in known:
        shown.setdefault(_as_shown(stack_id), []).append(stack_id)
    cut = {text: ids[0] for text, ids in shown.items() if text and len(ids) == 1}
    return lambda cell: cell if cell in known else cut.get(_as_shown(cell), "")


def _as_shown(stack_id: str) -> str:
    value = number(stack_id)
    return "" if value is None else f"{value:.5E}"


def _signed(found: _Found, current: Current, signature: Signature) -> tuple[Edit, ...]:
    """The changes as edits; what is the tool's own answer again is a withdrawal."""
    stacks = {h.stack.stack_id: h for h in current.harmonised}
    force = in_force(current.edits)
    by_stack: dict[str, list[_Change]] = defaultdict(list)
    for change in found.changes:
        by_stack[change.stack_id].append(change)
    edits: list[Edit] = []
    for stack_id, changes in by_stack.items():
        h = stacks.get(stack_id)
        now = force.get(stack_id, {})
        after = {name: e.new for name, e in now.items()} | {c.attribute: c.new for c in changes}
        for change in changes:
            standing = now.get(change.attribute)
            if standing is not None and _disagree(change, standing, signature):
                sentence = f"{standing.by} wrote {standing.new!r} here on {standing.date}, after this copy was made"
                found.wrong(change.line, f"{sentence}; edit a new copy of plan.tsv", change.attribute)
                continue
            if h is not None and change.new == _own_answer(h, change.attribute, after, current):
                if standing is not None:
                    edits.append(_edit(change, signature, standing.new, withdrawn=True))
            elif standing is None or standing.new != change.new:
                edits.append(_edit(change, signature, change.before))
    return tuple(edits)


def _disagree(change: _Change, standing: Edit, signature: Signature) -> bool:
    """Whether another person has decided otherwise since the sheet was copied."""
    return standing.new not in (change.before, change.new) and standing.by != signature.by


def _edit(change: _Change, signature: Signature, old: str, *, withdrawn: bool = False) -> Edit:
    return Edit(change.stack_id, change.attribute, old, change.new, signature.by, signature.date, withdrawn)


def _own_answer(h: Harmonised, attribute: str, after: Mapping[str, str], current: Current) -> str:
    """What would stand in a cell if it alone were not edited."""
    others = {name: cell for name, cell in after.items() if name not in (attribute, DECISION)}
    without = with_words(h, others)
    if attribute == DECISION:
        decided = {s: e[DECISION].new for s, e in in_force(current.edits).items() if DECISION in e}
        everybody, blocked = current.harmonised, current.blocked
        return decision_among(without, everybody, current.visits, current.keep, decided, blocked).decision
    return without.record.to_row()[attribute]


def _check(found: _Found, current: Current, edits: Sequence[Edit]) -> None:
    """Edits that would make an impossible record or decision, with the line that asked for them."""
    touched = {e.stack_id for e in edits}
    members = [h for h in current.harmonised if h.stack.stack_id in touched]
    outcome = review(members, [*current.edits, *edits], current.visits)
    lines = {(c.stack_id, c.attribute): c.line for c in found.changes}
    names: dict[tuple[int, str], list[str]] = defaultdict(list)
    for refused in outcome.refused:
        if refused.edit in edits:
            edit = refused.edit
            names[lines[edit.stack_id, edit.attribute], refused.why].append(edit.attribute)
    for (line, why), columns in names.items():
        found.wrong(line, why, ", ".join(columns))
