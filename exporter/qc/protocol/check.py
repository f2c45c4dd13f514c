"""All checks of the protocol over the plan of a trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from trialbids.mappings.protocol import Protocol
from trialbids.mappings.protocolfile import ProtocolError, load_protocol

from ...errors import UsageError
from ...plan.build import Planned
from ...trial import Trial
from ..check import NO_TOLERANCES, Finding, run_checks
from .agreement import AGREEMENT
from .conformance import EXAMINATION, FILLED
from .fill import Examination, Tolerances, examinations
from .scanners import SCANNERS, uses_of
from .variants import VARIANTS, members_of

PROTOCOL = (*EXAMINATION, *FILLED, *VARIANTS, *AGREEMENT, *SCANNERS)
"""Every check of this folder; each table has a level of its own to look at."""


def protocol_of(trial: Trial) -> Protocol:
    """The protocol that the trial names. Raises ``UsageError`` where it cannot be used."""
    return read_protocol(trial.protocol)


def read_protocol(name: str) -> Protocol:
    """The protocol of this name or file. Raises ``UsageError`` with file, line and what was expected."""
    try:
        return load_protocol(name)
    except ProtocolError as error:
        raise UsageError(str(error)) from error


def check_protocol(
    planned: Iterable[Planned], protocol: Protocol, tolerances: Tolerances = lambda site: NO_TOLERANCES
) -> tuple[Finding, ...]:
    """What the kept stacks of a plan lack, or have otherwise than agreed; sorted, the same for the same input.

    Without a protocol (``none``) these are rare variants, text against physics, and changes of software (R03, R04,
    R06).
    """
    everything = tuple(planned)
    at = cache(lambda site: dict(tolerances(site)))
    found: list[Finding] = []
    if protocol.slots:
        for examination in examinations(everything, protocol, at):
            found.extend(_of_examination(examination, at(examination.visit.site)))
    for member in members_of(everything):
        scan = member.scan
        found.extend(run_checks(VARIANTS, member, scan.id, scan.ids, at(scan.first.visit.site)))
    for p in everything:
        if p.row.decision == "keep" and p.harmonised.stack.is_image:
            found.extend(run_checks(AGREEMENT, p.harmonised, p.row.stack_id, (p.row.stack_id,), at(p.visit.site)))
    for use in uses_of(everything):
        found.extend(run_checks(SCANNERS, use, use.name, use.stacks, at(use.visit.site)))
    return tuple(sorted(found, key=lambda f: (f.check, f.subject, f.evidence.key, f.message)))


def _of_examination(examination: Examination, tolerances: Mapping[str, float]) -> Iterator[Finding]:
    yield from run_checks(EXAMINATION, examination, examination.name, examination.ids, tolerances)
    for filled in examination.filled.values():
        ids = tuple(i for scan in filled.candidates for i in scan.ids)
        for check in FILLED:
            name = examination.name if check.level == "session" else filled.picked.id
            yield from run_checks((check,), filled, name, ids, tolerances)
