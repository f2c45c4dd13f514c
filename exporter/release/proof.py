"""The end of an export: the finished tree is inspected, and the certificate says what was done and what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from trialbids.mappings.card import CARD_FILE
from trialbids.mappings.confidentiality import EDITION

from ..deidentify.anonymity import assess, read_quasi
from ..deidentify.facewords import NOT_EXCLUDED, face_reason
from ..deidentify.inspect import Leak
from ..deidentify.kept import read_kept
from ..deidentify.marks import PIXELS
from ..deidentify.options import Options
from ..engine import Engine
from ..plan.row import PlanRow
from ..plan.visits import Visit
from ..progress import Progress
from ..trial import Trial
from .certificate import Faces, Facts, IdentifierKind, LookedAt, Pixels, Search
from .certify import CERTIFICATE_FILES, certify, write_certificate
from .dataset import release_days
from .guard import Guard
from .session import Fragment
from .verify import (
    State,
    Verification,
    read_unsearched,
    verify,
    verify_also,
    write_unsearched,
    write_verification,
)


@dataclass(frozen=True, slots=True)
class Release:
    """A tree that is finished but for its certificate. ``stopped`` holds the leaks of the sessions that were not
    released, by session, ``states`` the files that were inspected before they entered the tree.
    """

    trial: Trial
    options: Options
    key: str
    guard: Guard = field(repr=False)
    rows: Sequence[PlanRow] = field(repr=False)
    fragments: Sequence[Fragment] = field(repr=False)
    stopped: Mapping[Visit, Sequence[Leak]] = field(repr=False)
    states: Mapping[str, State] = field(repr=False)
    inspection: LookedAt | None = None


def prove(release: Release, engine: Engine, progress: Progress) -> Verification:
    """Inspect the tree, write its certificate, inspect that too; what was found is kept in the work folder."""
    root, work, searches = release.trial.output, release.trial.work, release.guard.searches
    before = read_unsearched(work, searches)
    made = {file.path for fragment in release.fragments for file in fragment.files}
    done = verify(root, searches, engine, progress, skip=release.states, unsearched=before, made=made)
    if write_certificate(root, certify(facts_of(release, done))):
        done = verify_also(done, root, CERTIFICATE_FILES, searches)
    write_verification(work, done, [leak for leaks in release.stopped.values() for leak in leaks])
    write_unsearched(work, searches, done)
    return done


def facts_of(release: Release, done: Verification) -> Facts:
    """What the certificate is made from."""
    root, options, exported = release.trial.output, release.options, [f for f in release.fragments if f.images]
    kept = read_kept(root, options.allowed)
    stopped = Counter(keyword for f in release.fragments for r in f.results for keyword, _ in set(r.dropped))
    return Facts(
        date=next(iter(release_days(root)), "none"),  # a run that changes nothing makes the same again
        trial=release.trial.trial,
        versions={name: version(name) for name in ("trialbids", "dcm2niix", "pydicom")},
        key=release.key,
        edition=EDITION,
        participants=len({f.visit.subject for f in exported}),
        sessions=len(exported),
        options=options,
        kept=kept,
        stopped=stopped,
        accepted=len(options.marks.accepted) - len(options.marks.forms) - len(options.marks.stacks),
        rejected=len(options.marks.rejected),
        search=_search(release, done),
        pixels=_pixels(release),
        faces=_faces(release),
        anonymity=assess(read_quasi(root, kept.models)),
        inspection=release.inspection,
        dicom=release.trial.sourcedata == "dicom",
    )


def _search(release: Release, done: Verification) -> Search:
    known = Counter(i.kind for i in release.guard.searches.known.everybody)
    reasons = done.unsearched
    kinds = []
    for kind, n in sorted(known.items()):
        short, common = reasons.get((kind, "too short"), 0), reasons.get((kind, "too common"), 0)
        kinds.append(IdentifierKind(kind, n, n - short - common, short, common))
    own = sum((release.trial.output / name).is_file() for name in (*CERTIFICATE_FILES, CARD_FILE))
    leaks = (*done.leaks, *(leak for those in release.stopped.values() for leak in those))
    hits = sum(bool(leak.form) for leak in leaks)
    return Search(tuple(kinds), done.n_files - own, hits, len(release.stopped))


def _pixels(release: Release) -> Pixels:
    results = [r for f in release.fragments for r in f.results]
    looks = Counter(r.text_look for r in results)
    held = sum(r.reason == PIXELS.keyword for r in results)
    return Pixels(looks["clear"] + looks["read"] + held, looks["read"] + held, held)


def _faces(release: Release) -> Faces:
    """Images with a head in view, by what became of them."""
    reasons = [(face_reason(row.record), row) for row in release.rows if row.decision == "keep"]
    left = [(reason, row) for reason, row in reasons if reason and row.final_decision == "keep"]
    return Faces(
        held_back=sum(row.reason == reason for reason, row in reasons if reason),
        allowed=len(left) if release.options.keep_faces else 0,
        defaced=len(left) if release.options.deface else 0,
        unknown=sum(reason == NOT_EXCLUDED for reason, _ in reasons),
    )
