"""Where everything of a trial is, so that a finding of any level gets its series, subject, session and site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ...plan.build import Planned
from ...plan.notice import Notice
from ...plan.visits import Visits
from ...stacks import Stacking
from ..check import Finding
from .issue import Issue, Where, notice, step_of


@dataclass(frozen=True, slots=True)
class Atlas:
    """Where everything of a trial is: by ``stack_id``, by SeriesInstanceUID, and the sites by subject."""

    stacks: Mapping[str, Where]
    series: Mapping[str, Where]
    sites: Mapping[str, str] = field(default_factory=dict)

    def issue(self, finding: Finding, step: str = "") -> Issue:
        """The finding with its place: what all stacks that it concerns have in common.

        Without a ``step`` it is of that at which its check runs.
        """
        stack_id = finding.stacks[0] if len(finding.stacks) == 1 else ""
        stack_id = finding.subject if finding.level == "stack" and finding.subject in self.stacks else stack_id
        concerned = [self.stacks[s] for s in finding.stacks or (stack_id,) if s in self.stacks]
        if not concerned and finding.subject in self.series:
            concerned = [self.series[finding.subject]]
        is_series = finding.level == "series" and (finding.subject in self.series or not concerned)
        uid = finding.subject if is_series else _same(w.series_uid for w in concerned)
        subject, session = (_same(getattr(w, name) for w in concerned) for name in ("subject", "session"))
        if finding.level == "subject" and not concerned:
            subject = finding.subject
        site = _same(w.site for w in concerned) or self.sites.get(subject, "")
        where = Where(uid, subject, session, site)
        return Issue(finding, step or step_of(finding), where, stack_id)

    def issues(self, findings: Iterable[Finding], step: str = "") -> Iterator[Issue]:
        """All of these findings with their places."""
        return (self.issue(finding, step) for finding in findings)


NOWHERE = Atlas({}, {})


def atlas_of(planned: Iterable[Planned], stacking: Stacking, visits: Visits) -> Atlas:
    """The places of all stacks of a plan, and of the series of what stacking set aside."""
    stacks, series = {}, {}
    for aside in stacking.set_aside:
        visit = visits.of(aside.instance)
        uid = aside.instance.SeriesInstanceUID
        series[uid] = Where(uid, visit.subject, visit.session, visit.site)
    for p in planned:
        where = Where(p.row.series_uid, p.row.subject, p.row.session, p.row.site)
        stacks[p.row.stack_id] = where
        series |= dict.fromkeys(p.row.series_uid.split(";"), where)
    return Atlas(stacks, series, {v.subject: v.site for v in visits.all})


def noticed(notices: Iterable[Notice], atlas: Atlas = NOWHERE) -> Iterator[Issue]:
    """What the plan says of subjects, as issues."""
    for n in notices:
        finding = notice(n.check, "subject", n.severity, n.message, n.subject)
        yield Issue(finding, step_of(finding), Where(subject=n.subject, site=atlas.sites.get(n.subject, "")))


def _same(words: Iterable[str]) -> str:
    """What all have in common, "" where they differ."""
    different = set(words)
    return different.pop() if len(different) == 1 else ""
