"""Equal pixels: under other identifiers, in two patients, in two splits. A function of tables of digests.

Time and memory grow with the number of slices: each digest is looked up once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..check import ERROR, WARNING, Evidence, Finding, about

MOST_HOLDERS = 8
"""A slice that more images hold is compared with the first of them alone."""
SENT_AGAIN = 0.95
"""Share of equal slices from which on one image is another again (check D03)."""
LEAST_SHARED = 0.05
"""Share of equal slices of two patients that chance, or a slice of air, does not give."""


@dataclass(frozen=True, slots=True)
class Sliced:
    """One image: whose it is and the digests of its slices. ``grid`` names its shape and place, "" if not known."""

    stack_id: str
    subject: str
    session: str
    digests: tuple[str, ...]
    grid: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images with ``common`` equal slices, which are this ``share`` of the smaller."""

    one: Sliced
    other: Sliced
    common: int
    share: float

    @property
    def stacks(self) -> tuple[str, str]:
        """Both ids, in order."""
        a, b = sorted((self.one.stack_id, self.other.stack_id))
        return a, b


def equal_pixels(images: Sequence[Sliced], splits: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """D02, D03, C03 and (with the split of every subject) S02, over all images of a trial.

    D02 is one finding for all images of a patient with the same pixels at the same place, C03 and S02 are one for
    two patients, whatever number of images they share.
    """
    found = list(_twice(images))
    patients: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in equal_pairs(images):
        one, other = pair.one, pair.other
        if one.subject != other.subject and pair.share >= LEAST_SHARED:
            a, b = sorted((one.subject, other.subject))
            patients[a, b].append(pair)
        elif one.subject == other.subject and pair.share >= SENT_AGAIN and not _are_twice(pair):
            said = f"{pair.common} slices, {100 * pair.share:.0f} % of the smaller"
            message = f"two images of a patient hold the same pixels: {said}"
            values = ("slices", pair.common), ("share", pair.share)
            found.append(_finding("D03", WARNING, "series", message, values, pair.stacks))
    for (a, b), pairs in sorted(patients.items()):
        stacks = tuple(sorted({stack for pair in pairs for stack in pair.stacks}))
        common = sum(pair.common for pair in pairs)
        said, values = f"{common} slices in {len(pairs)} pairs of images", (("slices", common), ("pairs", len(pairs)))
        found.append(_finding("C03", WARNING, "subject", f"two patients have the same pixels: {said}", values, stacks))
        if splits and len({splits[s] for s in (a, b) if s in splits}) > 1:
            found.append(
                _finding("S02", ERROR, "release", f"the same pixels are in two splits: {said}", values, stacks)
            )
    return tuple(found)


def _twice(images: Sequence[Sliced]) -> Iterator[Finding]:
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for image in images:
        if image.digests:
            groups[image.subject, image.grid, image.digests].append(image.stack_id)
    for group in groups.values():
        if len(group) > 1:
            message = f"{len(group)} images of a patient have the same pixels at the same place"
            yield _finding("D02", WARNING, "series", message, (("images", len(group)),), tuple(sorted(group)))


def _are_twice(pair: Pair) -> bool:
    return (pair.one.grid, pair.one.digests) == (pair.other.grid, pair.other.digests)


def split_people(splits: Iterable[tuple[str, str]], people: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """S01: a patient in two splits. ``splits`` are (subject, split) of all samples; ``people`` names the person of
    subjects that are one (aliases), and every other subject is a person."""
    known: dict[str, set[str]] = defaultdict(set)
    for subject, split in splits:
        known[(people or {}).get(subject, subject)].add(split)
    found = []
    for person, parts in sorted(known.items()):
        if len(parts) > 1:
            message = f"a patient is in {len(parts)} splits"
            evidence = Evidence(message, "", (("splits", len(parts)),), about=about(parts))
            found.append(Finding("S01", ERROR, message, evidence, "subject", person))
    return tuple(found)


def unknown_people(splits: Iterable[tuple[str, str]], released: Container[str]) -> tuple[Finding, ...]:
    """N01: lines of the table of splits whose subject has no image in the release."""
    strangers = {subject for subject, _ in splits if subject not in released}
    if not strangers:
        return ()
    message = f"{len(strangers)} participants of the table of splits have no image in the release"
    evidence = Evidence(message, "splits", (("participants", len(strangers)),), about=about(strangers))
    return (Finding("N01", WARNING, message, evidence, "release"),)


def equal_pairs(images: Sequence[Sliced]) -> Iterator[Pair]:
    """Every two images that have slices in common; where very many hold a slice, each with the first of them."""
    holders: dict[str, list[int]] = {}
    common: Counter[tuple[int, int]] = Counter()
    sizes = [0] * len(images)
    for n, image in enumerate(images):
        distinct = set(image.digests)
        sizes[n] = len(distinct)
        for digest in distinct:
            known = holders.setdefault(digest, [])
            common.update((earlier, n) for earlier in known)
            if len(known) < MOST_HOLDERS:
                known.append(n)
    for (a, b), count in sorted(common.items()):
        yield Pair(images[a], images[b], count, count / min(sizes[a], sizes[b]))


def _finding(
    code: str, severity: str, level: str, message: str, values: tuple[tuple[str, float], ...], stacks: tuple[str, ...]
) -> Finding:
    return Finding(
        code, severity, message, Evidence(message, "", values, stacks=stacks), level, " ".join(stacks), stacks
    )
