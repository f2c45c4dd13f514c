"""Checks of who and what an image says it is, within a series, a session and a person (C04 to C10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from trialbids.mappings.bodyparts import body_parts

from ...clinical.schedule import Schedule
from ...harmonise import Harmonised
from ...inventory.instance import Instance
from ...plan.labels import NO_ID
from ...plan.visits import Visit
from ...stacks.build import is_image
from ..check import ERROR, WARNING, Check, Evidence, about
from ..views import Person, Series, Session
from .bodypart import UNKNOWN, can_agree, part_of_tag
from .dates import in_wrong_order

AMBIGUOUS = frozenset({"OT", ""})
"""Modalities that say nothing: a picture of the screen beside the images is one of them."""

SIBLINGS = 3
"""So many series of one frame of reference must agree on a body part before another is doubted."""


@dataclass(frozen=True, slots=True)
class Single:
    """An attribute that has one value in a series, and why."""

    keyword: str
    why: str


SERIES, STUDY = "PS3.3 C.7.3.1", "PS3.3 C.7.2.1"
PATIENT, EQUIPMENT, FRAME = "PS3.3 C.7.1.1", "PS3.3 C.7.5.1", "PS3.3 C.7.4.1"

SINGLE_IN_SERIES = (
    Single("SeriesNumber", SERIES),
    Single("SeriesDate", SERIES),
    Single("SeriesTime", SERIES),
    Single("SeriesDescription", SERIES),
    Single("ProtocolName", SERIES),
    Single("BodyPartExamined", SERIES),
    Single("Laterality", SERIES),
    Single("PatientPosition", SERIES),
    Single("FrameOfReferenceUID", FRAME),
    Single("Manufacturer", EQUIPMENT),
    Single("ManufacturerModelName", EQUIPMENT),
    Single("DeviceSerialNumber", EQUIPMENT),
    Single("StationName", EQUIPMENT),
    Single("SoftwareVersions", EQUIPMENT),
    Single("InstitutionName", EQUIPMENT),
    Single("MagneticFieldStrength", EQUIPMENT),
    Single("StudyDate", STUDY),
    Single("StudyTime", STUDY),
    Single("StudyID", STUDY),
    Single("AccessionNumber", STUDY),
    Single("StudyDescription", STUDY),
    Single("PatientName", PATIENT),
    Single("PatientBirthDate", PATIENT),
    Single("PatientSex", PATIENT),
)
"""All of the information entities above the image (PS3.3 A.1.2). Series, study and patient ids are C01's, the modality
is C05's."""


def several_modalities(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """Images of several modalities under one SeriesInstanceUID (PS3.3 C.7.3.1.1.1)."""
    found = {m for m, kind in _modalities(series.instances) if kind == "image"}
    if len(found) > 1:
        values = (("modalities", len(found)),)
        yield Evidence(f"images of {len(found)} modalities in one series", "images", values, about=about(found))


def something_beside(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """A report, a presentation, a drawing or a picture of the screen beside images, under one SeriesInstanceUID."""
    kinds = {kind for _, kind in _modalities(series.instances)}
    if "image" in kinds and len(kinds) > 1:
        words = " and ".join(_WORDS[kind] for kind in sorted(kinds - {"image"}))
        yield Evidence(f"the series holds {words} beside its images", "beside")


def several_values(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """An attribute of the series, study, patient or equipment has several values; empty ones are none."""
    for single in SINGLE_IN_SERIES:
        values = set(map(attrgetter(single.keyword), series.instances))
        if len(values) < 2:
            continue
        found = {_plain(value) for value in values} - {""}
        if len(found) > 1:
            message = f"{single.keyword} has {len(found)} values in one series"
            odd = about(_odd_ones(series, single.keyword))
            yield Evidence(message, single.keyword, (("values", len(found)),), about=odd)


def _odd_ones(series: Series, keyword: str) -> Iterator[tuple[str, int, str]]:
    """Each image whose value is not the one that most have: UID, frame and value."""
    told = [_plain(getattr(i, keyword)) for i in series.instances]
    counts = Counter(told)
    usual = max(sorted(counts), key=counts.__getitem__)
    for i, value in zip(series.instances, told, strict=True):
        if value != usual:
            yield i.SOPInstanceUID, i.frame, value


def other_bodypart(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """BodyPartExamined names a part that the image, by all else that is known of it, does not show."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for h in series.stacks:
        if is_doubtful(h):
            told, found = part_of_tag(h.stack.first.BodyPartExamined), h.record.bodypart
            wrong.setdefault((told, found), []).append(h.stack.stack_id)
    for (told, found), stacks in wrong.items():
        message = f"BodyPartExamined says {told}, all else says {found}"
        yield Evidence(message, f"{told}-{found}", (), (), tuple(stacks))


def is_doubtful(h: Harmonised) -> bool:
    """Whether BodyPartExamined names a part that cannot be the one that all else speaks for."""
    told, found = part_of_tag(h.stack.first.BodyPartExamined), h.record.bodypart
    return bool(told) and found != UNKNOWN and not can_agree(told, found)


def is_unplanned(told: str, bodyparts: Collection[str]) -> bool:
    """Whether a part is none that the protocol scans; where it names none, or the part is "", it is not."""
    return bool(told and bodyparts) and not any(can_agree(told, part) for part in bodyparts)


def unlike_its_siblings(session: Session, at_least: float, bodyparts: Collection[str] = ()) -> Iterator[Evidence]:
    """BodyPartExamined of one series differs from that of all others in the same frame of reference, and the protocol
    of these ``bodyparts`` does not say already that it is wrong."""
    by_frame: dict[str, dict[str, list[Harmonised]]] = {}
    for h in session.stacks:
        part, frame = part_of_tag(h.stack.first.BodyPartExamined), h.stack.first.FrameOfReferenceUID
        if h.stack.is_image and part and frame and h.record.bodypart in (part, UNKNOWN):
            by_frame.setdefault(frame, {}).setdefault(part, []).append(h)
    for parts in by_frame.values():
        usual = max(sorted(parts), key=lambda part: len(_series(parts[part])))
        for part, members in parts.items():
            is_alone = len(_series(members)) * at_least <= len(_series(parts[usual]))
            if part != usual and is_alone and not can_agree(part, usual) and not is_unplanned(part, bodyparts):
                stacks = tuple(h.stack.stack_id for h in members)
                yield Evidence(f"BodyPartExamined says {part}, its neighbours say {usual}", part, (), (), stacks)


def two_people(person: Person, _tolerance: float) -> Iterator[Evidence]:
    """Sex, birth date or site of one subject's images differ."""
    instances = [h.stack.first for session in person.sessions for h in session.stacks]
    sexes = {i.PatientSex.strip().upper() for i in instances} & {"F", "M"}
    births = {i.PatientBirthDate.strip() for i in instances} - {""}
    sites = {_plain(i.ClinicalTrialSiteID) for i in instances} - {""}
    sites = sites or {_plain(i.InstitutionName) for i in instances} - {""}
    labels = {session.visit.site for session in person.sessions}
    for key, found in (("sexes", sexes), ("birth dates", births), ("sites", max(sites, labels, key=len))):
        if len(found) > 1:
            values = (("values", len(found)),)
            yield Evidence(f"one subject with {len(found)} {key}", key.replace(" ", "-"), values, about=about(found))


def identity_checks(bodyparts: Collection[str] = ()) -> tuple[Check[Series], ...]:
    """The table of checks of a series; ``bodyparts`` are those of the trial's protocol, where it names any.

    Raises ``ValueError`` where one of these is none of the closed list.
    """
    if unknown := set(bodyparts) - set(body_parts()):
        raise ValueError(f"bodyparts: {', '.join(sorted(unknown))}: not in the list of body parts")

    def outside_protocol(series: Series, _tolerance: float) -> Iterator[Evidence]:
        """BodyPartExamined names no part of the protocol's, and nothing else of the series says so already."""
        doubted = {part_of_tag(h.stack.first.BodyPartExamined) for h in series.stacks if is_doubtful(h)}
        named = {part_of_tag(tag) for tag in {i.BodyPartExamined for i in series.instances}}
        for told in sorted(part for part in named - doubted if is_unplanned(part, bodyparts)):
            yield Evidence(f"BodyPartExamined says {told}, which the protocol does not scan", f"protocol-{told}")

    return (
        Check("C05", "series", ERROR, "several modalities in a series", several_modalities, source=SERIES),
        Check("C05", "series", WARNING, "objects that are no images in a series", something_beside, source=SERIES),
        Check("C06", "series", WARNING, "dates in an impossible order", in_wrong_order, 1.0, "days"),
        Check("C07", "series", WARNING, "a single-valued attribute is not", several_values, source="PS3.3 A.1.2"),
        Check("C08", "series", WARNING, "BodyPartExamined disagrees", other_bodypart),
        Check("C08", "series", WARNING, "BodyPartExamined is not the protocol's", outside_protocol),
    )


IDENTITY_SERIES = identity_checks()


def session_checks(bodyparts: Collection[str] = ()) -> tuple[Check[Session], ...]:
    """The table of checks of a session; ``bodyparts`` are those of the trial's protocol, where it names any."""

    def unlike(session: Session, at_least: float) -> Iterator[Evidence]:
        """:func:`unlike_its_siblings`."""
        yield from unlike_its_siblings(session, at_least, bodyparts)

    return (Check("C08", "series", WARNING, "BodyPartExamined is unlike its neighbours'", unlike, SIBLINGS),)


IDENTITY_SESSION = session_checks()


def person_checks(schedule: Schedule, is_listed: bool = False) -> tuple[Check[Person], ...]:
    """The table of checks of a person. ``schedule`` holds the trial's visits; ``is_listed`` says that the trial names
    its subjects in a table."""

    def stranger(person: Person, _tolerance: float) -> Iterator[Evidence]:
        """The trial's table of subjects does not hold this one."""
        if is_listed and any(is_nobody(session.visit) for session in person.sessions):
            yield Evidence("the subject is not in the trial's list", "subject")

    def other_visit(person: Person, _tolerance: float) -> Iterator[Evidence]:
        """The session's own word for the visit is none of the schedule's names."""
        for session in person.sessions:
            if schedule.windows and is_named(session.visit) and visit_of(session.visit, schedule) is None:
                stacks = tuple(h.stack.stack_id for h in session.stacks)
                label = session.visit.session
                yield Evidence("the visit is not in the trial's list", label, (), (), stacks)

    def between_visits(person: Person, _tolerance: float) -> Iterator[Evidence]:
        """The session lies in no window of the schedule, and nothing names its visit."""
        for session in person.sessions:
            day = schedule.day(session.visit)
            strange = not is_named(session.visit) and visit_of(session.visit, schedule) is None
            if schedule.windows and day is not None and strange:
                stacks = tuple(h.stack.stack_id for h in session.stacks)
                yield Evidence("the session lies in no window of the schedule", session.visit.session, (), (), stacks)

    def absent(person: Person, _tolerance: float) -> Iterator[Evidence]:
        """A visit of the schedule, and not an optional one, has no session; nobody is asked who has no day."""
        seen = {visit_of(session.visit, schedule) for session in person.sessions}
        known = all(schedule.day(s.visit) is not None or is_named(s.visit) for s in person.sessions)
        missed = [(name, w.day) for name, w in schedule.windows.items() if name not in seen and not w.optional]
        if known:
            for name, day in missed:
                # By its name, hashed, for that is the trial's own word: visits may be added, or written in other order.
                yield Evidence(f"no session of the visit that is expected at day {day}", f"visit-{about([name])}")

    return (
        Check("C04", "subject", WARNING, "sex, birth date or site conflict", two_people),
        Check("C09", "subject", ERROR, "subject not in the trial's list", stranger),
        Check("C09", "session", ERROR, "visit not in the trial's list", other_visit),
        Check("C09", "session", ERROR, "session in no window of the schedule", between_visits),
        Check("C10", "subject", WARNING, "expected visit absent", absent),
    )


IDENTITY_PERSON = person_checks(Schedule())


def visit_of(visit: Visit, schedule: Schedule) -> str | None:
    """The name of the visit of the schedule that a session is: by its own word, else by its day; None where by none."""
    words = {visit.session.casefold(), visit.session_key.casefold()}
    by_name = next((name for name in schedule.windows if name.casefold() in words), None)
    day = schedule.day(visit)
    if by_name is not None or day is None:
        return by_name
    inside = [(abs(day - w.day), name) for name, w in schedule.windows.items() if abs(day - w.day) <= w.window]
    return min(inside)[1] if inside else None


def is_nobody(visit: Visit) -> bool:
    """Whether no subject was found for the images, so that their study stands for one."""
    return visit.subject_key.startswith(f"{NO_ID}\0")


def is_named(visit: Visit) -> bool:
    """Whether the trial's own word names the visit: neither the day of the study nor its UID does."""
    key = visit.session_key
    return not (key.isdecimal() and len(key) == 8) and not ("." in key and key.replace(".", "").isdecimal())


def _modalities(instances: Iterable[Instance]) -> set[tuple[str, str]]:
    """Each modality of the series, with what its objects are: image, screen or other."""
    shown = {(i.Modality, i.SOPClassUID): i for i in instances}.values()
    return {
        (i.Modality, "other" if not is_image(i) else "screen" if i.Modality in AMBIGUOUS else "image") for i in shown
    }


_WORDS = {"other": "objects that are no images", "screen": "pictures of no modality"}


def _plain(value: object) -> str:
    """A value without what nobody means: letter case and blanks."""
    return "" if value is None else " ".join(str(value).casefold().split())


def _series(members: Iterable[Harmonised]) -> Counter[str]:
    """How many stacks each series has."""
    return Counter(h.stack.first.SeriesInstanceUID for h in members)
