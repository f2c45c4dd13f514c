"""The way from the sources to the plan: no pixel is touched, the same input gives the same plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trialbids.mappings.rules import RuleError, Rules, load_rules

from .deidentify.pseudonyms import Pseudonyms
from .engine import Engine
from .errors import UsageError
from .harmonise import Harmonised, harmonise
from .inventory.instance import Instance
from .inventory.lists import UNREADABLE_FILE, write_unreadable
from .inventory.run import Inventory, NothingReadable, scan
from .plan.build import Planned, build_plan
from .plan.history import remembered, rescue
from .plan.ledger import Ledger
from .plan.row import HISTORY, PLAN_FILE, write_plan
from .plan.visits import Visits, find_visits
from .progress import Progress
from .review.apply import Reviewed, review, standing
from .review.edits import EDITS_FILE, Edit, read_edits, write_edits
from .review.learn import Learned, learn_rules
from .review.read import Contradiction, Current, Signature, contradictions, new_edits
from .review.sheet import Sheet
from .stacks import Stacking, stack_instances
from .trial import Trial

LEDGER_FILE = "names.tsv"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before a pixel is touched.

    ``own`` are the stacks as the rules alone see them, ``edits`` the history of a person's edits, of which ``taken``
    came with this run, and ``reviewed`` what became of them. ``rescued`` is where a plan went that was edited where
    it lay and not given back, ``contradicted`` what the sheet of this run says against edits that stand.
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


@dataclass(frozen=True, slots=True)
class EditedPlan:
    """A plan that a person has edited and gives back."""

    sheet: Sheet
    signature: Signature


def scan_trial(trial: Trial, engine: Engine, progress: Progress) -> Inventory:
    """Find and read every DICOM object below the sources.

    Raises ``UsageError`` where there is none; what was met instead is listed in the work folder.
    """
    try:
        return scan(trial.sources, trial.work / "inventory", engine=engine, progress=progress)
    except NothingReadable as nothing:
        write_unreadable(trial.work / UNREADABLE_FILE, nothing.unreadable)
        raise


def plan_trial(
    trial: Trial,
    inventory: Inventory,
    pseudonyms: Pseudonyms,
    progress: Progress,
    edited: EditedPlan | None = None,
) -> Plan:
    """Stacks, records, a person's edits, decisions and names; ``plan.tsv`` and the ledger are written.

    With ``edited`` its edits join those of the work folder first. Raises ``UsageError`` where a site's rules, a table
    or an edit cannot be used; then nothing is written.
    """
    rules = trial_rules(trial)
    progress.start("planning", None)
    stacking = stack_instances(inventory.instances, instance_digest, inventory.broken_series)
    own = harmonise(stacking.stacks, rules)
    ledger = Ledger.read(trial.work / LEDGER_FILE)
    visits = find_visits(inventory.instances, trial, pseudonyms, ledger)
    edits = read_edits(trial.work / EDITS_FILE)
    taken: tuple[Edit, ...] = ()
    if edited is not None:
        current = Current(own, visits, trial.keep, edits)
        taken = new_edits(edited.sheet, current, remembered(trial.work / HISTORY), edited.signature)
    edits = (*edits, *taken)
    reviewed = review(own, edits, visits)
    planned = build_plan(
        reviewed.harmonised, visits, ledger, trial.keep, decided=reviewed.decided, edited=reviewed.edited
    )
    if taken:
        write_edits(trial.work / EDITS_FILE, edits)
    ledger.write(trial.work / LEDGER_FILE)
    rescued = None
    if edited is None or edited.sheet.path.resolve() != (trial.work / PLAN_FILE).resolve():
        rescued = rescue(trial.work / PLAN_FILE, trial.work / HISTORY)
    write_plan(trial.work / PLAN_FILE, (p.row for p in planned))
    progress.done()
    known = {p.row.stack_id for p in planned}
    against = () if edited is None else contradictions(edited.sheet, known, standing(edits, reviewed))
    return Plan(inventory, stacking, visits, planned, tuple(own), edits, taken, reviewed, rescued, against)


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
