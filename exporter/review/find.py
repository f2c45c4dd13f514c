"""The stacks that a person names, found in what the work folder remembers: no source is opened, nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConversionError, UsageError
from ..inventory import store
from ..inventory.instance import Instance
from ..inventory.table import from_table
from ..plan.row import PLAN_FILE, PlanRow, read_plan
from ..stacks import Stack, stack_instances

Digest = Callable[[Instance], str]


@dataclass(frozen=True, slots=True)
class Found:
    """The stacks that were named, and all stacks of the patients that they are of."""

    rows: tuple[PlanRow, ...]
    stacks: tuple[Stack, ...]


def find_stacks(work: Path, name: str, digest: Digest) -> Found:
    """The stacks behind a stack_id, a path or file name of the plan, or a SeriesInstanceUID.

    ``digest`` tells pixels apart where an identifier was met twice. Raises ``UsageError`` where nothing was planned
    yet or nothing bears that name.
    """
    rows = _plan(work)
    wanted = tuple(row for row in rows if is_named(row, name))
    if not wanted:
        sentence = "is no stack_id, no path or file name of the plan and no SeriesInstanceUID in it"
        raise UsageError(f"{name}: {sentence}; {work / PLAN_FILE} lists them")
    remembered = store.load(work / "inventory")
    if remembered is None:
        raise UsageError(f"{work}: the inventory is missing or of another version; run trialbids plan")
    series = {uid for row in wanted for uid in row.series_uid.split(";")}
    instances = from_table(Instance, remembered.instances)
    patients = {i.PatientID for i in instances if i.SeriesInstanceUID in series}
    broken = frozenset(item.series_uid for item in remembered.unreadable if item.series_uid)
    mine = sorted((i for i in instances if i.PatientID in patients), key=lambda i: i.key)
    stacks = stack_instances(mine, _patient(digest), broken).stacks
    there = {s.stack_id for s in stacks}
    if not all(row.stack_id in there for row in wanted):
        raise UsageError(f"{name}: the plan is older than the inventory; run trialbids plan")
    return Found(wanted, tuple(stacks))


def is_named(row: PlanRow, name: str) -> bool:
    """Whether a person who writes ``name`` can mean this row."""
    if name in (row.stack_id, *row.series_uid.split(";")):
        return True
    if not row.bids_path:
        return False
    image = Path(row.bids_path).as_posix()
    bare = Path(name).as_posix().removesuffix(".gz").removesuffix(".nii").removesuffix(".json")
    stem = image.removesuffix(".nii.gz")
    return bare in (stem, stem.rpartition("/")[2]) or bare.endswith(f"/{stem}")


def _plan(work: Path) -> Sequence[PlanRow]:
    path = work / PLAN_FILE
    if not path.is_file():
        raise UsageError(f"{work}: holds no plan yet; run trialbids plan first")
    try:
        return read_plan(path)
    except (ValueError, KeyError) as error:
        raise UsageError(f"{path}: cannot be read as a plan; run trialbids plan to write it anew") from error


def _patient(digest: Digest) -> Digest:
    """A digest that takes a source which is not at hand for one of its own: what is asked here needs no more."""

    def of(instance: Instance) -> str:
        try:
            return digest(instance)
        except (OSError, ConversionError):
            return repr(instance.key)

    return of
