"""One stack explained, from the plan's row down to every rule: as lines for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

from trialbids.mappings.facts import Facts
from trialbids.mappings.rules import Rules
from trialbids.mappings.vocabulary import vocabulary

from ..errors import UsageError
from ..harmonise.context import Context
from ..plan.row import EXCLUSIONS_FILE, PlanRow
from ..select.decide import sentence_of
from ..stacks.stack import Stack
from ..tables import read_tsv
from .edits import EDITS_FILE, Edit, in_force, read_edits
from .explain import Attribute, Change, Evidence, Explanation, explain
from .facts import readers, without_facts, without_headers
from .find import Digest, find_stacks

AROUND = (*(f.name for f in fields(Context)), "n_directions", "n_slices", "n_volumes", "phase_index", "phase_time")
"""Facts that are read from the stack and its study, not from one keyword."""


@dataclass(frozen=True, slots=True)
class Report:
    """A row of the plan with its explanation (None for an object that is no image) and the edits in force for it.

    ``missing`` names what was not known where a criterion could not be told.
    """

    row: PlanRow
    sentence: str
    edits: tuple[Edit, ...]
    explanation: Explanation | None
    missing: str = ""


def report_on(work: Path, name: str, rules: Rules, asked: Sequence[str], digest: Digest) -> tuple[Report, ...]:
    """Explain every stack that ``name`` stands for, from the work folder alone.

    Raises ``UsageError`` where an attribute of ``asked`` is not voted on, or nothing bears that name.
    """
    votable = [a.name for a in vocabulary().values() if a.kind in ("word", "words") and a.name != "phase_time_source"]
    unknown = next((a for a in asked if a not in votable), None)
    if unknown is not None:
        raise UsageError(f"--attribute {unknown}: no rule votes on that; they vote on {', '.join(votable)}")
    found = find_stacks(work, name, digest)
    known = readers(found.stacks)
    force = in_force(read_edits(work / EDITS_FILE))
    out = _exclusions(work)
    return tuple(
        Report(
            row,
            sentence_of(row.reason) or out.get((row.stack_id, row.reason), {}).get("sentence", ""),
            tuple(force.get(row.stack_id, {}).values()),
            _explained(*known[row.stack_id], rules, asked) if row.stack_id in known else None,
            out.get((row.stack_id, row.reason), {}).get("missing", ""),
        )
        for row in found.rows
    )


def _exclusions(work: Path) -> dict[tuple[str, str], dict[str, str]]:
    """What the last plan, flow or export listed of every stack that is out, by stack and reason."""
    path = work / EXCLUSIONS_FILE
    return {(r["stack_id"], r["first_reason"]): r for r in read_tsv(path)} if path.is_file() else {}


def _explained(stack: Stack, read: Callable[[Stack], Facts], rules: Rules, asked: Sequence[str]) -> Explanation:
    """The explanation of one image: its header's keywords, and what was read around it, are left out one by one."""
    facts = read(stack)
    absences = chain(without_headers(stack, read), without_facts(facts, AROUND))
    return explain(facts, rules, asked, absences)


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    return {
        "plan": report.row.to_row(),
        "sentence": report.sentence,
        "missing": report.missing,
        "edits": [asdict(e) for e in report.edits],
        "explanation": None if report.explanation is None else asdict(report.explanation),
    }


def lines(report: Report) -> Iterator[str]:
    """The report as text."""
    row, found = report.row, report.explanation
    yield f"stack {row.stack_id}: {row.description or '(no description)'}"
    yield f"  sub-{row.subject} ses-{row.session}, {row.n_instances} instances of series {row.series_uid}"
    why = f" ({row.reason}{': ' + report.sentence if report.sentence else ''})" if row.reason else ""
    yield f"  decision: {row.decision}{why}"
    if report.missing:
        yield f"  the criterion could not be told: not known is {report.missing}"
    if row.final_decision and row.final_decision != row.decision:
        yield f"  after the export: {row.final_decision}, checks: {row.qc_verdict}"
    if row.bids_path:
        yield f"  path: {row.bids_path}"
    for e in report.edits:
        yield f"  edited: {e.attribute}: {e.old or '(empty)'} became {e.new or '(empty)'}, by {e.by} on {e.date}"
    if report.edits:
        yield "  what follows is what the rules say without the edits"
    if found is None:
        yield "  the object holds no image, so no rule was asked"
        return
    for attribute in found.attributes:
        yield ""
        yield from _attribute(attribute, found)
    unanswered = [a.name for a in found.attributes if a.missing and a.name == "sequence"]
    if unanswered and found.untold:
        yield ""
        yield f"what rules would read and nothing tells: {', '.join(found.untold)}"
    yield from _silent(found)
    yield ""
    yield "what would change the answer"
    for change in found.changes:
        yield f"  {_change(change, several=len(found.asked) > 1)}"
    if not found.changes:
        yield "  nothing alone: no single rule and no single field, taken away, gives another answer"
        return
    for name in found.asked:
        if not any(c.attribute == name for c in found.changes):
            yield f"  {name}: nothing alone gives another answer"


def _silent(found: Explanation) -> Iterator[str]:
    """The site's own rules that did not fire."""
    if found.silent:
        yield ""
        yield "rules of the site that did not fire, each with the first condition that fails"
    for s in found.silent:
        yield f"  {s.rule} ({s.place}): asks {s.asked} [{s.read}]"


def _attribute(attribute: Attribute, found: Explanation) -> Iterator[str]:
    name = attribute.name
    sure = f", confidence {found.confidence:g}" if name == "sequence" else ""
    yield f"{name}: {attribute.answer or '(none)'}{sure}"
    if not attribute.scores:
        told = attribute.answer != "unknown"
        yield f"  {attribute.missing}; so it stands by default" if told else f"  not answered: {attribute.missing}"
        return
    scores = ", ".join(f"{s.value} {s.score:g}" for s in attribute.scores)
    yield f"  scores: {scores}; {_distance(attribute)}"
    if attribute.missing:
        yield f"  not answered: {attribute.missing}"
    for e in found.fired:
        for voted, value in e.votes:
            if voted == name:
                yield f"  {value:10} {e.weight:4g}  {e.rule}: {_sentence(e)}"


def _distance(attribute: Attribute) -> str:
    """How far the runner-up is."""
    if vocabulary()[attribute.name].kind == "words":
        return "each word stands for itself"
    if len(attribute.scores) == 1:
        return "nothing else has a vote"
    return f"{attribute.scores[1].value} is {attribute.lead:.2g} behind"


def _sentence(evidence: Evidence) -> str:
    read = ", ".join(f"{name} = {value or '(absent)'}" for name, value in evidence.read)
    return f"{evidence.reason} [{read}]"


def _change(change: Change, *, several: bool) -> str:
    what = f"{change.attribute} would be {change.answer or '(none)'}" if several else f"{change.answer or '(none)'}"
    if change.kind == "rule":
        return f"{what} without the rule {change.name}"
    return f"{what} if {change.name} were absent (it is {change.read})"
