"""All checks of headers over one inventory: the views are built once, every table runs over its level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ...clinical.schedule import Schedule
from ...harmonise import Harmonised
from ...inventory.instance import Instance
from ...plan.visits import Visits
from ...stacks import Stacking
from ..check import NO_TOLERANCES, Check, Finding, Place, bound, run_checks
from ..views import Acquisition, Person, Series, Session, acquisitions_of, persons_of, sessions_of
from .colours import COLOURS
from .counts import COUNTS
from .diffusion import DIFFUSION, SESSION_DIFFUSION
from .duplicates import DUPLICATES_SERIES, DUPLICATES_SESSION
from .dynamic import DYNAMIC
from .files import file_checks
from .geometry import GEOMETRY, judged_layout
from .identity import identity_checks, person_checks, session_checks
from .layout import Layout
from .siblings import SIBLINGS
from .torn import TORN

Tolerances = Callable[[str], Mapping[str, float]]
"""What a site wants instead of a table's own tolerances, by the site's label."""


NO_LAYOUTS: Mapping[str, frozenset[int]] = MappingProxyType({})
NO_VISITS = Schedule()


@dataclass(frozen=True, slots=True)
class Tables:
    """The checks of headers, by the level of what they look at."""

    series: Sequence[Check[Series]] = ()
    stack: Sequence[Check[Layout]] = ()
    acquisition: Sequence[Check[Acquisition]] = ()
    session: Sequence[Check[Session]] = ()
    person: Sequence[Check[Person]] = ()


def tables_of(
    layouts: Mapping[str, frozenset[int]] = NO_LAYOUTS,
    schedule: Schedule = NO_VISITS,
    bodyparts: Collection[str] = (),
    is_listed: bool = False,
) -> Tables:
    """Every check of headers. ``layouts`` are the inventory's sets of attributes by name, ``schedule`` the trial's
    visits, ``bodyparts`` those of its protocol; ``is_listed`` says that the trial names its subjects in a table."""
    series = (*file_checks(layouts), *identity_checks(bodyparts), *DUPLICATES_SERIES, *TORN, *COUNTS, *COLOURS)
    session = (*session_checks(bodyparts), *DUPLICATES_SESSION, *SIBLINGS, *SESSION_DIFFUSION)
    return Tables(series, GEOMETRY, (*DIFFUSION, *DYNAMIC), session, person_checks(schedule, is_listed))


def check_headers(
    stacking: Stacking,
    harmonised: Sequence[Harmonised],
    visits: Visits,
    tolerances: Tolerances = lambda site: NO_TOLERANCES,
    tables: Tables | None = None,
) -> tuple[Finding, ...]:
    """What the headers of these stacks, and of what stacking set aside, show; sorted, the same for the same input."""
    tables = tables or tables_of()
    owners = {i.key: h.stack.stack_id for h in harmonised for i in h.stack.instances}
    found: list[Finding] = []
    all_series = series_of(stacking, harmonised)
    for series in all_series:
        site = visits.of(series.instances[0]).site
        own = run_checks(tables.series, series, series.uid, _ids(series.stacks), tolerances(site))
        found.extend(narrowed(own, owners))
    for h in harmonised:
        if h.stack.is_image and tables.stack:
            site = visits.of(h.stack.first).site
            layout = judged_layout(h.stack, tolerances(site))
            found.extend(run_checks(tables.stack, layout, h.stack.stack_id, _ids([h]), tolerances(site)))
    sessions = sessions_of(harmonised, visits)
    for session in sessions:
        found.extend(_of_session(session, tables, tolerances(session.visit.site)))
    for person in persons_of(sessions):
        members = [h for session in person.sessions for h in session.stacks]
        site = person.sessions[0].visit.site
        found.extend(run_checks(tables.person, person, person.subject, _ids(members), tolerances(site)))
    found = [*bound(found, (i for series in all_series for i in series.instances))]
    return tuple(sorted(found, key=lambda f: (f.check, f.subject, f.evidence.key, f.message)))


def _of_session(session: Session, tables: Tables, tolerances: Mapping[str, float]) -> Iterator[Finding]:
    """What is found on the scans of a session, and on all of them together."""
    if tables.acquisition:
        for acquisition in acquisitions_of(session.stacks):
            ids = _ids(acquisition.stacks)
            yield from run_checks(tables.acquisition, acquisition, acquisition.id, ids, tolerances)
    name = f"{session.visit.subject} {session.visit.session}"
    yield from run_checks(tables.session, session, name, _ids(session.stacks), tolerances)


def series_of(stacking: Stacking, harmonised: Sequence[Harmonised]) -> list[Series]:
    """Every series with its objects in the order of stacks, then those that stacking set aside."""
    instances: dict[str, list[Instance]] = defaultdict(list)
    stacks: dict[str, dict[str, Harmonised]] = defaultdict(dict)
    for h in harmonised:
        for i in h.stack.instances:
            instances[i.SeriesInstanceUID].append(i)
            stacks[i.SeriesInstanceUID][h.stack.stack_id] = h
    for aside in stacking.set_aside:
        instances[aside.instance.SeriesInstanceUID].append(aside.instance)
    return [Series(uid, tuple(members), tuple(stacks[uid].values())) for uid, members in instances.items()]


def narrowed(findings: Iterable[Finding], owners: Mapping[Place, str]) -> Iterator[Finding]:
    """Findings on single instances concern the stacks that hold these, not the whole series, unless they name some."""
    for finding in findings:
        held = {owners[key] for key in finding.evidence.instances if key in owners}
        alone = finding.level == "instance" and finding.evidence.instances and not finding.evidence.stacks
        yield replace(finding, stacks=tuple(sorted(held))) if alone else finding


def _ids(stacks: Iterable[Harmonised]) -> tuple[str, ...]:
    return tuple(h.stack.stack_id for h in stacks)
