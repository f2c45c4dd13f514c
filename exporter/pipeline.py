"""The way from the sources to the plan: no pixel is touched, the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from trialbids.mappings.rules import RuleError, Rules, load_rules

from .clinical.join import NO_ALIASES, NOTHING, ClinicalRows, join_clinical
from .clinical.schedule import Schedule
from .deidentify.pseudonyms import Pseudonyms
from .errors import UsageError
from .harmonise import Harmonised, harmonise
from .inventory.instance import Instance
from .inventory.run import Inventory
from .inventory.scan import scan_trial as scan_trial
from .plan.build import Planned, build_plan
from .plan.history import remembered, rescue
from .plan.ledger import Ledger
from .plan.notice import PLAN_ISSUES_FILE, Notice, write_notices
from .plan.row import HISTORY, PLAN_FILE, write_plan
from .plan.visits import Visit, Visits, find_visits
from .progress import Progress
from .qc.codes import known_at
from .qc.decided import decided_findings
from .qc.headers.duplicates import stacking_findings
from .qc.headers.files import unreadable_findings
from .qc.headers.run import check_headers, tables_of
from .qc.ledger.waivers import waived_ids
from .qc.protocol.check import check_protocol, protocol_of
from .qc.source import Quality
from .qc.tables import tolerance_units
from .review.apply import Refused, Reviewed, review, standing
from .review.edits import EDITS_FILE, Edit, in_force, read_edits, write_edits
from .review.learn import Learned, learn_rules
from .review.read import Contradiction, Current, Signature, contradictions, new_edits
from .review.sheet import Sheet
from .review.values import DECISION
from .select.eligibility import Columns, Eligibility
from .select.readable import asks_checks, check_levels, check_names, hidden_names, strange_labels
from .stacks import Stacking, stack_instances
from .trial import Trial
from .trial.eligibility import REASON

LEDGER_FILE = "names.tsv"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before a pixel is touched.

    ``own`` are the stacks as the rules alone see them, ``edits`` the history of a person's edits, of which ``taken``
    came with this run, and ``reviewed`` what became of them. ``quality`` is what the checks of
    headers say. ``rescued`` is where a plan went that was edited where
    it lay and not given back, ``contradicted`` what the sheet of this run says against edits that stand, ``clinical``
    what the clinical tables say.
    """

    inventory: Inventory
    stacking: Stacking
    visits: Visits
    planned: tuple[Planned, ...]
    own: tuple[Harmonised, ...] = ()
    edits: tuple[Edit, ...] = ()
    taken: tuple[Edit, ...] = ()
    reviewed: Reviewed = field(default_factory=Reviewed)
    rescued: Path | None = None
    contradicted: tuple[Contradiction, ...] = ()
    clinical: ClinicalRows = NOTHING
    quality: Quality = field(default_factory=Quality)


@dataclass(frozen=True, slots=True)
class EditedPlan:
    """A plan that a person has edited and gives back."""

    sheet: Sheet
    signature: Signature


def plan_trial(
    trial: Trial,
    inventory: Inventory,
    pseudonyms: Pseudonyms,
    progress: Progress,
    edited: EditedPlan | None = None,
    check: Callable[[Plan], None] | None = None,
) -> Plan:
    """Stacks, records, a person's edits, decisions and names; ``plan.tsv``, its issues and the ledger are written.

    With ``edited`` its edits join those of the work folder first; ``check`` may refuse the plan by a ``UsageError``.
    Raises ``UsageError`` where a site's rules, a table or an edit cannot be used; then nothing is written.
    """
    rules = trial_rules(trial)
    progress.start("planning", None)
    stacking = stack_instances(inventory.instances, instance_digest, inventory.broken_series)
    own = harmonise(stacking.stacks, rules)
    ledger = Ledger.read(trial.work / LEDGER_FILE)
    visits = find_visits(inventory.instances, trial, pseudonyms, ledger)
    clinical = clinical_of(trial, visits)
    visits = replace(visits, notices=(*visits.notices, *_hidden(trial, visits, clinical)))
    edits = read_edits(trial.work / EDITS_FILE)
    taken: tuple[Edit, ...] = ()
    if edited is not None:
        blocked = quality_of(trial, inventory, stacking, own, visits, clinical.schedule).blocked
        current = Current(own, visits, trial.keep, edits, blocked)
        taken = new_edits(edited.sheet, current, remembered(trial.work / HISTORY), edited.signature)
    edits = (*edits, *taken)
    reviewed = review(own, edits, visits)
    quality = quality_of(trial, inventory, stacking, reviewed.harmonised, visits, clinical.schedule)
    planned = build_plan(
        reviewed.harmonised,
        visits,
        ledger,
        trial.keep,
        decided=reviewed.decided,
        edited=reviewed.edited,
        eligibility=eligibility_of(trial, clinical, quality),
        blocked=quality.blocked,
        trusted=quality.trusted,
    )
    overruled = tuple(_overruled(edits, planned, quality))
    reviewed = replace(reviewed, refused=(*reviewed.refused, *overruled), applied=reviewed.applied - len(overruled))
    known = {p.row.stack_id for p in planned}
    against = () if edited is None else contradictions(edited.sheet, known, standing(edits, reviewed))
    told = (inventory, stacking, visits, planned, tuple(own), edits, taken, reviewed, None, against, clinical)
    of_plan = (*decided_findings(planned), *check_protocol(planned, protocol_of(trial), trial.qc.of_site))
    made = Plan(*told, quality.with_plan(of_plan))
    if check is not None:
        check(made)
    if taken:
        write_edits(trial.work / EDITS_FILE, edits)
    ledger.write(trial.work / LEDGER_FILE)
    rescued = None
    if edited is None or edited.sheet.path.resolve() != (trial.work / PLAN_FILE).resolve():
        rescued = rescue(trial.work / PLAN_FILE, trial.work / HISTORY)
    write_plan(trial.work / PLAN_FILE, (p.row for p in planned))
    write_notices(trial.work / PLAN_ISSUES_FILE, [*visits.notices, *_clinical_notices(clinical)])
    progress.done()
    return replace(made, rescued=rescued)


def _clinical_notices(clinical: ClinicalRows) -> Iterator[Notice]:
    """What the clinical tables say of nobody, and what of them could not be read."""
    for sentence in (*clinical.unmatched, *clinical.refused):
        yield Notice("C09", "warning", "", sentence)


def clinical_of(trial: Trial, visits: Visits, everyone: Sequence[Visit] = ()) -> ClinicalRows:
    """The trial's clinical tables, joined to these visits, or to ``everyone`` where the tree holds more.

    Raises ``UsageError`` where one cannot be used.
    """
    aliases = visits.patient_ids if trial.aliases is not None else NO_ALIASES
    return join_clinical(trial.clinical, everyone or visits.all, aliases, trial.visits, trial.baseline)


def quality_of(
    trial: Trial,
    inventory: Inventory,
    stacking: Stacking,
    harmonised: Sequence[Harmonised],
    visits: Visits,
    schedule: Schedule,
) -> Quality:
    """What the checks of headers find, and what of it a person has waived.

    Raises ``UsageError`` where the protocol, a tolerance or the list of waivers cannot be used.
    """
    if trial.qc.is_set:
        trial.qc.check_against(tolerance_units())
    protocol = protocol_of(trial)
    tables = tables_of(inventory.layouts, schedule, protocol.bodyparts, is_listed=trial.subject.table is not None)
    return Quality(
        of_headers=check_headers(stacking, harmonised, visits, trial.qc.of_site, tables),
        of_stacking=(
            *unreadable_findings(inventory.unreadable, inventory.instances, trial.sources),
            *stacking_findings(stacking),
        ),
        waived=waived_ids(trial.work, date.today()),
    )


def _overruled(edits: Sequence[Edit], planned: Sequence[Planned], quality: Quality) -> Iterator[Refused]:
    """The edits that would keep a stack which a criterion takes out, or which failed a check."""
    given = in_force(edits)
    for p in planned:
        edit = given.get(p.row.stack_id, {}).get(DECISION)
        if edit is None or edit.new != "keep" or p.row.decision == "keep":
            continue
        if p.row.reason.startswith(REASON):
            yield Refused(edit, f"{p.row.reason.replace('-', ' ', 1)} takes it out, which no edit overrules")
        elif p.row.reason in {f.check for f in quality.of_stack(p.row.stack_id)}:
            yield Refused(edit, f"check {p.row.reason} takes it out, which trialbids qc waive overrules and no edit")


def eligibility_of(trial: Trial, clinical: ClinicalRows, quality: Quality) -> Eligibility:
    """The criteria that are asked before a pixel is read, and what they may read.

    Raises ``UsageError`` where one reads what is not there.
    """
    criteria = tuple(c for c in trial.criteria if c.after == "plan")
    columns = columns_of(clinical)
    second = tuple(c for c in trial.criteria if c.after == "conversion")
    later = _known_later() if trial.criteria else {}
    check_names(criteria, columns.kinds, known_at("header"), later=later)
    check_names([c for c in second if c.level == "stack"], columns.kinds, known_at("pixel"), later)
    check_names([c for c in second if c.level != "stack"], columns.kinds, known_at("session"), later)
    check_levels(trial.criteria, _levels(trial, clinical))
    found = (lambda stack_id, code: code in quality.codes(stack_id)) if asks_checks(criteria) else None
    return Eligibility(criteria, columns, found)


def _hidden(trial: Trial, visits: Visits, clinical: ClinicalRows) -> Iterator[Notice]:
    """Names that criteria read and that stand both in a clinical table and elsewhere, and labels that nobody has: what
    the configuration says and does not mean."""
    labels = {"site": {v.site for v in visits.all}, "session": {v.session for v in visits.all}}
    for sentence in (*hidden_names(trial.criteria, clinical.kinds), *strange_labels(trial.criteria, labels)):
        yield Notice("N01", "info", "", sentence)
    for sentence in trial.qc.strange_sites(labels["site"]):
        yield Notice("N01", "warning", "", sentence)


def _known_later() -> Mapping[str, Mapping[str, type]]:
    """What a criterion can read after the conversion alone, by level."""
    from .qc.metricnames import METRIC_NAMES

    return {"stack": {"verdict": str, **dict.fromkeys(METRIC_NAMES, float)}, "session": {"verdict": str}}


def _levels(trial: Trial, clinical: ClinicalRows) -> dict[str, Collection[str]]:
    """The levels of every column of a clinical table that criteria read as text and that has any."""
    given = {name: column.levels for table in trial.clinical for name, column in table.names()}
    found = given | {name: column.levels for name, column in clinical.described.items()}
    return {name: levels for name, levels in found.items() if levels and clinical.kinds.get(name) is str}


def columns_of(clinical: ClinicalRows) -> Columns:
    """What the clinical tables say, for criteria."""
    return Columns(clinical.kinds, clinical.values, clinical.visit_values, clinical.by_visit)


def learn_from(plan: Plan, trial: Trial, path: Path, pseudonyms: Pseudonyms) -> Learned:
    """Rules from all edits that the plan applies, written to ``path`` and tried on the whole plan.

    Raises ``UsageError`` where a rule file of the trial cannot be used.
    """
    edits = standing(plan.edits, plan.reviewed)
    site = [rules for rules in trial.rules if rules.resolve() != path.resolve()]
    return learn_rules(
        plan.stacking.stacks, edits, site, path, lambda text: pseudonyms.digest("rule", "", text).hex()[:8]
    )


def trial_rules(trial: Trial) -> Rules:
    """The built-in rules with the trial's own.

    Raises ``UsageError`` where they cannot be used.
    """
    try:
        return load_rules(trial.rules)
    except RuleError as error:
        raise UsageError(str(error)) from error


def site_rule_ids(trial: Trial) -> list[str]:
    """The ids of the trial's own rules, in their order. Raises ``UsageError`` where they cannot be used."""
    if not trial.rules:
        return []
    built_in = {rule.id for rule in load_rules(()).rules}
    return [rule.id for rule in trial_rules(trial).rules if rule.id not in built_in]


def instance_digest(instance: Instance) -> str:
    """A digest of the pixels of one instance: asked only where an identifier is met twice."""
    from .inventory.objects import pixel_digest  # pydicom, which else nothing here needs

    return pixel_digest(instance)
