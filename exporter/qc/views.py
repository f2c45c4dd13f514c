"""What header checks look at: one object of each level, with the stacks and records that it holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from ..harmonise import Harmonised
from ..inventory.instance import Instance
from ..plan.visits import Visit, Visits


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One SeriesInstanceUID: all its objects, also those that are no images or in no stack."""

    uid: str
    instances: tuple[Instance, ...]
    stacks: tuple[Harmonised, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Acquisition:
    """The stacks of one scan (the phases of a DCE, trace and ADC of a diffusion scan, echoes), in their order."""

    id: str
    stacks: tuple[Harmonised, ...]

    def of(self, *sequences: str) -> tuple[Harmonised, ...]:
        """The stacks that are one of these sequences."""
        return tuple(h for h in self.stacks if h.record.sequence in sequences)


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One subject's one visit."""

    visit: Visit
    stacks: tuple[Harmonised, ...]

    @property
    def acquisitions(self) -> tuple[Acquisition, ...]:
        """The scans of the session."""
        return acquisitions_of(self.stacks)


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One subject with all sessions, in their order."""

    subject: str
    sessions: tuple[Session, ...]

    @property
    def instances(self) -> Iterable[Instance]:
        """Every instance of the subject's stacks."""
        return (i for session in self.sessions for h in session.stacks for i in h.stack.instances)


def acquisitions_of(stacks: Iterable[Harmonised]) -> tuple[Acquisition, ...]:
    """Stacks of images by acquisition, those of an acquisition in the order of phase, echo and flip angle."""
    groups = _grouped((h for h in stacks if h.stack.is_image), lambda h: h.stack.acquisition_id)
    return tuple(Acquisition(str(key), tuple(members)) for key, members in groups)


def sessions_of(stacks: Iterable[Harmonised], visits: Visits) -> tuple[Session, ...]:
    """Stacks by visit."""
    groups = _grouped(stacks, lambda h: visits.of(h.stack.first))
    return tuple(Session(visits.of(members[0].stack.first), tuple(members)) for _, members in groups)


def persons_of(sessions: Sequence[Session]) -> tuple[Person, ...]:
    """Sessions by subject."""
    groups = _grouped(sessions, lambda session: session.visit.subject)
    return tuple(Person(str(key), tuple(members)) for key, members in groups)


def _grouped(items: Iterable, key: Callable[..., Hashable]) -> list[tuple[Hashable, list]]:
    groups: dict[Hashable, list] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.items())
