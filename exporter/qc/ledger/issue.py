"""What a run found, with its place in the trial: a finding as the ledger takes it."""

from __future__ import annotations

from dataclasses import dataclass

from ..check import FAILED_TO_RUN, Evidence, Finding
from ..codes import STEP_OF, STEPS
from .row import OPEN, Row

MOST_INSTANCES = 20


@dataclass(frozen=True, slots=True)
class Where:
    """Whose a stack is: the labels of subject, session and site, and its original series (several with ``;``)."""

    series_uid: str = ""
    subject: str = ""
    session: str = ""
    site: str = ""


NOWHERE = Where()


@dataclass(frozen=True, slots=True)
class Issue:
    """A finding of one ``step`` of this run (a word of :data:`..codes.STEPS`), and where it belongs."""

    finding: Finding
    step: str
    where: Where = NOWHERE
    stack_id: str = ""

    @property
    def id(self) -> str:
        """Stable from run to run."""
        return self.finding.id

    def to_row(self, day: str, cycle: int) -> Row:
        """The issue as it stands when it is found for the first time."""
        f = self.finding
        return Row(
            issue_id=f.id,
            check=f.check,
            level=f.level,
            severity=f.severity,
            series_uid=self.where.series_uid,
            stack_id=self.stack_id,
            state=OPEN,
            first_seen=day,
            last_seen=day,
            message=f.message,
            cycle_first=cycle,
            cycle_last=cycle,
            cycle_changed=cycle,
            digest=f.digest,
            step=self.step,
            object=f.subject,
            stacks=" ".join(f.stacks) if len(f.stacks) > 1 else "",
            subject=self.where.subject,
            session=self.where.session,
            site=self.where.site,
            values="; ".join(f"{name}={_short(value)}" for name, value in f.evidence.values),
            instances=_instances(f),
        )


def step_of(finding: Finding) -> str:
    """The step at which the check of a finding runs; of one that failed to run, the step at which it would have."""
    check = finding.evidence.key if finding.check == FAILED_TO_RUN else finding.check
    return STEP_OF.get(check, STEPS[0])


def notice(check: str, level: str, severity: str, message: str, subject: str = "", key: str = "") -> Finding:
    """What a stage noticed and no check of a table: a finding that is named by its sentence where it has no ``key``."""
    concerned = (subject,) if level == "stack" and subject else ()
    return Finding(check, severity, message, Evidence(message, key or message), level, subject or level, concerned)


def _short(value: float | int | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _instances(finding: Finding) -> str:
    """The first places that a finding names: file, member of an archive and frame."""
    places = finding.evidence.instances
    named = ["/".join(p for p in (path, member) if p) + (f" frame {n}" if n else "") for path, member, n in places]
    more = [f"and {len(named) - MOST_INSTANCES} more"] if len(named) > MOST_INSTANCES else []
    return "; ".join([*named[:MOST_INSTANCES], *more])
