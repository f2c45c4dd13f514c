"""Check R06: a scanner's software is another than before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...inventory.instance import Instance
from ...plan.build import Planned
from ...plan.visits import Visit
from ..check import WARNING, Check, Evidence

Scanner = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A scanner in one session: the software of its images, and that of its last use before, at all and for this
    subject (empty where there is none, or where the scanner is not told from others of its kind)."""

    visit: Visit
    number: int
    stacks: tuple[str, ...]
    versions: frozenset[str]
    before: frozenset[str] = frozenset()
    before_for_subject: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """What the checks of sessions call the session."""
        return f"{self.visit.subject} {self.visit.session}"


def other_software(use: Use, at_most: float) -> Iterator[Evidence]:
    """More versions of the software than ``at_most`` in a session, or another than the scanner had before."""
    key, n = f"scanner{use.number}", len(use.versions)
    if n > at_most:
        yield Evidence(
            f"{n} versions of the software of one scanner in one session", f"{key}.within", (("versions", n),)
        )
    elif use.before_for_subject and not use.versions & use.before_for_subject:
        yield Evidence("the scanner's software is another than in this subject's session before", f"{key}.subject")
    elif use.before and not use.versions & use.before:
        yield Evidence("the scanner's software is another than in the site's session before", f"{key}.site")


def uses_of(planned: Iterable[Planned]) -> tuple[Use, ...]:
    """Every scanner in every session where its software is told, with what it had before. Originals alone count:
    what a workstation computed bears the software of the workstation."""
    found: dict[tuple[Visit, Scanner], list[tuple[Planned, str]]] = {}
    for p in planned:
        first = p.harmonised.stack.first
        version = " ".join(first.SoftwareVersions.lower().split())
        if p.row.decision == "keep" and version and _is_original(first):
            found.setdefault((p.visit, _scanner(first, p.visit.site)), []).append((p, version))
    numbers: dict[Visit, int] = {}
    uses: list[tuple[str, Scanner, Use]] = []
    for (visit, scanner), members in found.items():
        numbers[visit] = number = numbers.get(visit, 0) + 1
        ids, versions = tuple(p.row.stack_id for p, _ in members), frozenset(v for _, v in members)
        time = min(p.harmonised.stack.first.StudyTime for p, _ in members)
        uses.append((f"{visit.date} {time}", scanner, Use(visit, number, ids, versions)))
    return _with_past(sorted(uses, key=lambda item: (item[0], item[2].visit.subject, item[2].visit.session)))


def _with_past(uses: Sequence[tuple[str, Scanner, Use]]) -> tuple[Use, ...]:
    """Uses in the order of time, each with the software of those before."""
    of_scanner: dict[Scanner, frozenset[str]] = {}
    of_subject: dict[tuple[str, Scanner], frozenset[str]] = {}
    done = []
    for when, scanner, use in uses:
        dated, own = bool(when.strip()), (use.visit.subject, scanner)
        before = of_scanner.get(scanner, frozenset()) if dated and _is_one(scanner) else frozenset[str]()
        done.append(
            replace(use, before=before, before_for_subject=of_subject.get(own, frozenset()) if dated else before)
        )
        of_scanner[scanner] = of_subject[own] = use.versions
    return tuple(done)


def _is_original(instance: Instance) -> bool:
    return not instance.ImageType or instance.ImageType[0].strip().upper() != "DERIVED"


def _scanner(instance: Instance, site: str) -> Scanner:
    """What tells a scanner from others: its serial number or station name, beside site, vendor and model."""
    kind = (site, instance.Manufacturer.strip().lower(), instance.ManufacturerModelName.strip().lower())
    serial = instance.DeviceSerialNumber.strip()
    return (*kind, serial or instance.StationName.strip().lower())


def _is_one(scanner: Scanner) -> bool:
    """Whether it is one scanner for certain: without a serial number or a station several of a model look alike."""
    return bool(scanner[-1])


SCANNERS: tuple[Check[Use], ...] = (
    Check("R06", "session", WARNING, "scanner software changed", other_software, 1, "versions", "SoftwareVersions"),
)
