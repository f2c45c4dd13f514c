"""The way from the sources to the plan: no pixel is touched, the same input gives the same plan."""

from __future__ import annotations

from dataclasses import dataclass

from trialbids.mappings.rules import RuleError, load_rules

from .deidentify.pseudonyms import Pseudonyms
from .engine import Engine
from .errors import UsageError
from .harmonise import harmonise
from .inventory.instance import Instance
from .inventory.run import Inventory, scan
from .plan.build import Planned, build_plan
from .plan.ledger import Ledger
from .plan.row import write_plan
from .plan.visits import Visits, find_visits
from .progress import Progress
from .stacks import Stacking, stack_instances
from .trial import Trial


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before a pixel is touched."""

    inventory: Inventory
    stacking: Stacking
    visits: Visits
    planned: tuple[Planned, ...]


def scan_trial(trial: Trial, engine: Engine, progress: Progress) -> Inventory:
    """Find and read every DICOM object below the sources."""
    return scan(trial.sources, trial.work / "inventory", engine=engine, progress=progress)


def plan_trial(trial: Trial, inventory: Inventory, pseudonyms: Pseudonyms, progress: Progress) -> Plan:
    """Stacks, records, decisions and names; ``plan.tsv`` and the ledger are written.

    Raises ``UsageError`` where a site's rules or a table cannot be used.
    """
    try:
        rules = load_rules(trial.rules)
    except RuleError as error:
        raise UsageError(str(error)) from error
    progress.start("planning", None)
    stacking = stack_instances(inventory.instances, _digest, inventory.broken_series)
    harmonised = harmonise(stacking.stacks, rules)
    path = trial.work / "names.tsv"
    ledger = Ledger.read(path)
    visits = find_visits(inventory.instances, trial, pseudonyms, ledger)
    planned = build_plan(harmonised, visits, ledger, trial.keep)
    ledger.write(path)
    write_plan(trial.work / "plan.tsv", (p.row for p in planned))
    progress.done()
    return Plan(inventory, stacking, visits, planned)


def _digest(instance: Instance) -> str:
    from .inventory.objects import pixel_digest  # pydicom: needed only where an identifier is met twice

    return pixel_digest(instance)
