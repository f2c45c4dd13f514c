"""What the other stacks of a scan and of a study say about one stack."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ..stacks.geometry import orientation_groups
from ..stacks.signature import Signature
from ..stacks.stack import Stack

DYNAMIC_AT_LEAST, TOLD_AT_LEAST = 5, 3
LEAST_STUDY = 3
"""Of so many stacks one can be called the first of the study."""

INJECTION_REACH_S = 60.0
"""A scan that begins this long after the first time point of a dynamic has the agent on board."""

FAT_SHIFT_HZ_PER_TESLA = 147.0
"""Fat and water precess 3.45 ppm apart: 42.58 MHz/T x 3.45e-6."""
PHASE_TOLERANCE = 0.2
LAST_DIXON_ECHO_MS = 10.0


@dataclass(frozen=True)
class Context:
    """The neighbourhood of one stack; the fields are those of :class:`~trialbids.mappings.facts.Facts`."""

    n_orientations: int = 1
    n_echoes: int = 0
    n_flips: int = 0
    n_time_points: int = 0
    told_dynamic: bool = False
    phase_interval: float | None = None
    companions: tuple[str, ...] = ()
    fat_phase: str = ""
    before_injection: bool = False
    after_injection: bool = False
    contrast_in_study: bool = False
    n_in_study: int = 1
    first_in_study: bool = False
    beside_dynamic: bool = False


def contexts(stacks: Sequence[Stack], enhanced: Collection[str]) -> dict[str, Context]:
    """The context of every stack by ``stack_id``; ``enhanced`` holds those whose header or text tells an agent."""
    scans: dict[str, list[Signature]] = defaultdict(list)
    studies: dict[tuple[str, str], list[Signature]] = defaultdict(list)
    series: dict[str, list[Stack]] = defaultdict(list)
    members = Counter((s.first.PatientID, s.first.StudyInstanceUID) for s in stacks)
    found: dict[str, Context] = {}
    for stack in stacks:
        study = stack.first.PatientID, stack.first.StudyInstanceUID
        if members[study] == 1 and stack.phase_index is None:
            found[stack.stack_id] = Context(n_echoes=1, contrast_in_study=stack.stack_id in enhanced)
            continue
        signature = Signature(stack)
        scans[stack.acquisition_id].append(signature)
        studies[study].append(signature)
        series[stack.first.SeriesInstanceUID].append(stack)
    turned = {uid: len(set(orientation_groups([s.first for s in rows]).values())) for uid, rows in series.items()}
    within = {stack_id: around for scan in scans.values() for stack_id, around in scan_contexts(scan)}
    for among in studies.values():
        found |= study_contexts(among, within, turned, enhanced)
    return found


def study_contexts(
    study: Sequence[Signature], within: Mapping[str, Context], turned: Mapping[str, int], enhanced: Collection[str]
) -> dict[str, Context]:
    """The contexts of one study, from what each scan says (``within``) and the orientations of each series."""
    told = [s for s in study if s.stack.stack_id in enhanced]
    bolus = Bolus(first_injection(study), min((s.start for s in told if s.start is not None), default=None))
    first = min((s.number for s in study if s.number >= 0), default=-1)
    dynamic = {(s.timing, s.flip) for s in study if is_dynamic(s)}
    return {
        s.stack.stack_id: replace(
            within[s.stack.stack_id],
            n_orientations=turned[s.stack.first.SeriesInstanceUID],
            before_injection=bolus.comes_after(s),
            after_injection=bolus.came_before(s),
            contrast_in_study=bool(told) or bolus.injection is not None,
            n_in_study=len(study),
            first_in_study=len(study) >= LEAST_STUDY and 0 <= s.number == first,
            beside_dynamic=(s.timing, s.flip) in dynamic,
        )
        for s in study
    }


@dataclass(frozen=True, slots=True)
class Bolus:
    """What a study tells of its contrast agent: when its first dynamic began, and the first image that names one."""

    injection: float | None
    named: float | None

    def comes_after(self, signature: Signature) -> bool:
        """Whether the image was made before any agent."""
        times = [t for t in (self.injection, self.named) if t is not None]
        start = signature.start
        return bool(times) and start is not None and signature.stack.phase_index is None and start < min(times)

    def came_before(self, signature: Signature) -> bool:
        """Whether the image was made with the agent on board."""
        start = signature.start
        if start is None or signature.stack.phase_index is not None:
            return False
        if self.injection is not None:
            return start > self.injection + (0.0 if self._named_by(start) else INJECTION_REACH_S)
        return self._named_by(start)

    def _named_by(self, start: float) -> bool:
        return self.named is not None and start > self.named


def scan_contexts(scan: Sequence[Signature]) -> list[tuple[str, Context]]:
    """What the stacks of one scan say about each other."""
    alike: dict[tuple[object, ...], list[Signature]] = defaultdict(list)
    for s in scan:
        alike[s.image].append(s)
    told = any(is_told(s) for s in scan)
    n_flips = len({s.stack.flip_index for s in scan} - {None})
    words = Counter(w for s in scan for w in kind_words(s))
    around: list[tuple[str, Context]] = []
    for like in alike.values():
        n_echoes = max(1, len({s.stack.echo_index for s in like} - {None}))
        n_time_points = len({s.stack.phase_index for s in like} - {None})
        echo_times = sorted({s.stack.first.EchoTime or 0.0 for s in like} - {0.0})
        interval = phase_interval(like)
        for s in like:
            mine = kind_words(s)
            context = Context(
                n_echoes=n_echoes,
                n_flips=n_flips,
                n_time_points=n_time_points,
                told_dynamic=told,
                phase_interval=interval,
                companions=tuple(sorted(w for w, n in words.items() if n > (w in mine))),
                fat_phase=fat_phase(s, echo_times),
            )
            around.append((s.stack.stack_id, context))
    return around


def phase_interval(scan: Sequence[Signature]) -> float | None:
    """Mean time from one time point to the next, seconds; None where the times are not told."""
    times = {s.stack.phase_time_s for s in scan if s.stack.phase_index is not None} - {None}
    told = sorted(t for t in times if t is not None)
    return (told[-1] - told[0]) / (len(told) - 1) if len(told) > 1 else None


def first_injection(study: Sequence[Signature]) -> float | None:
    """When the first dynamic contrast scan of a study began, seconds; None where there is none."""
    scans: dict[str, list[Signature]] = defaultdict(list)
    for s in study:
        if s.stack.phase_index is not None and s.is_fast_gradient_echo:
            scans[s.stack.acquisition_id].append(s)
    starts: list[float] = []
    for scan in scans.values():
        last = max(s.stack.phase_index or 0 for s in scan)
        if last >= DYNAMIC_AT_LEAST or (last >= TOLD_AT_LEAST and any(is_told(s) for s in scan)):
            starts.extend(s.start for s in scan if s.start is not None)
    return min(starts, default=None)


def is_dynamic(signature: Signature) -> bool:
    """Whether a stack is a time point, or its header counts several."""
    many = (signature.stack.first.NumberOfTemporalPositions or 0) >= TOLD_AT_LEAST
    return signature.is_fast_gradient_echo and (many or signature.stack.phase_index is not None)


def is_told(signature: Signature) -> bool:
    """Whether the scanner itself stored the stack as a time point."""
    stack = signature.stack
    return stack.phase_index is not None and (
        signature.says_dynamic
        or stack.first.TemporalPositionIdentifier is not None
        or stack.first.TriggerTime is not None
    )


def kind_words(signature: Signature) -> frozenset[str]:
    """Complex part and content words of one stack, lower case."""
    return frozenset({str(signature.image[1]), *str(signature.image[2]).lower().split()})


def fat_phase(signature: Signature, echo_times: Sequence[float]) -> str:
    """``inphase`` or ``opposed`` by echo time and field, where a scan was read at two echoes, one of each."""
    field = signature.stack.first.MagneticFieldStrength
    mine = signature.stack.first.EchoTime
    if len(echo_times) != 2 or not field or not mine or echo_times[1] > LAST_DIXON_ECHO_MS:
        return ""
    if {state(te, field) for te in echo_times} != {"inphase", "opposed"}:
        return ""
    return state(mine, field)


def state(te: float, field: float) -> str:
    """How fat and water stand to each other at an echo time in ms."""
    turns = te / 1000.0 * FAT_SHIFT_HZ_PER_TESLA * field
    offset = abs(turns - round(turns))
    if turns > 0.3 and offset <= PHASE_TOLERANCE:
        return "inphase"
    return "opposed" if abs(offset - 0.5) <= PHASE_TOLERANCE else ""
