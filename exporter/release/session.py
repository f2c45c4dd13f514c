"""One session: its fingerprint, its staging folder, and the fragment that remembers what it became."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..annotations.region import Fault
from ..deidentify.leftout import LeftOut
from ..plan.build import Planned
from ..plan.visits import Visit
from ..qc.check import Evidence, Finding
from ..select.decide import Decision
from ..tables import json_bytes, tsv_bytes, write_atomic
from .image import SCANS_COLUMNS, Image
from .job import Outcome
from .said import Said


@dataclass(frozen=True, slots=True)
class StackResult:
    """What became of one stack, without the image, of which ``path`` is left; ``findings`` and what follows it as in
    :class:`Outcome`."""

    stack_id: str
    verdict: str
    reason: str
    message: str
    findings: tuple[Finding, ...]
    dropped: tuple[tuple[str, str], ...]
    text_look: str
    left_out: tuple[LeftOut, ...] = ()
    against: tuple[Decision, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    path: str = ""
    digests: tuple[str, ...] = ()

    @property
    def final(self) -> Decision:
        """What becomes of the stack: a failed check goes before criteria, of which the first decides."""
        if self.reason:
            return Decision("quarantine", self.reason, self.message)
        return self.against[0] if self.against else Decision("keep")

    @property
    def others(self) -> tuple[str, ...]:
        """The reasons of criteria beside that which decides."""
        return tuple(d.reason for d in (self.against if self.reason else self.against[1:]))


@dataclass(frozen=True, slots=True)
class Written:
    """A file of a session as it went into the tree (``path`` is below the root).

    ``sha256`` is "" for images: their size tells whether they are whole.
    """

    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StagedMasks:
    """Paths of all files of the annotations (below the root), what was refused and what the checks say."""

    paths: tuple[str, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a finished session leaves for the merge, kept in the work folder beside its fingerprint.

    ``said`` is what the headers say of the participant, ``acq_time`` when the session began, as it leaves ("n/a" where
    that is not known). ``folders`` are those of
    the source that held the session when it was last seen whole, ``files`` what it became.
    """

    visit: Visit
    fingerprint: str
    said: Said
    acq_time: str
    images: tuple[Image, ...]
    results: tuple[StackResult, ...]
    masks: StagedMasks
    folders: tuple[str, ...] = ()
    files: tuple[Written, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Labels of subject and session."""
        return self.visit.subject, self.visit.session

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fragment:
        """The inverse of :meth:`to_json`. Raises ``KeyError`` or ``TypeError`` where it is not one."""
        masks = values["masks"]
        return cls(
            visit=Visit(**values["visit"]),
            fingerprint=values["fingerprint"],
            said=Said(**values["said"]),
            acq_time=values["acq_time"],
            images=tuple(Image.from_json(image) for image in values["images"]),
            results=tuple(_result(r) for r in values["results"]),
            masks=StagedMasks(tuple(masks["paths"]), tuple(Fault(**fault) for fault in masks["faults"])),
            folders=tuple(values.get("folders", ())),
            files=tuple(Written(**file) for file in values.get("files", ())),
        )


def _result(values: Mapping[str, Any]) -> StackResult:
    findings = tuple(_finding(f) for f in values["findings"])
    dropped = tuple((keyword, value) for keyword, value in values["dropped"])
    left_out = tuple(LeftOut(tuple(o["place"]), o["reason"], o["message"]) for o in values["left_out"])
    against = tuple(Decision(**decision) for decision in values["against"])
    own = {"findings": findings, "dropped": dropped, "left_out": left_out, "against": against}
    return StackResult(**{**values, **own, "digests": tuple(values["digests"])})


UNFINISHED = ""
"""The fingerprint of a session that is about to be replaced: should the run end here, it is made again."""


def _finding(values: Mapping[str, Any]) -> Finding:
    told = values["evidence"]
    evidence = Evidence(
        told["message"],
        told["key"],
        tuple((name, value) for name, value in told["values"]),
        tuple((path, member, frame) for path, member, frame in told["instances"]),
        tuple(told["stacks"]),
        told.get("about", ""),
    )
    return Finding(**{**values, "evidence": evidence, "stacks": tuple(values["stacks"])})


def fingerprint(planned: Sequence[Planned], parts: Iterable[str]) -> str:
    """Names everything that a session's files depend on: its stacks, their instances' bytes and plan, and ``parts``.

    Paths are left out, so that a moved source is not exported again.
    """
    state = hashlib.sha256()
    for part in parts:
        state.update(f"{len(part)}:{part}".encode())
    for p in planned:
        row = {**p.row.to_row(), "acquisition": p.acquisition, "stem": p.stem}
        state.update(json.dumps(row, sort_keys=True).encode())
        state.update("\n".join(p.harmonised.record.evidence).encode())
        for i, volume in zip(p.harmonised.stack.instances, p.harmonised.stack.volume, strict=True):
            state.update(f"{i.SOPInstanceUID}\0{i.frame}\0{i.size}\0{i.mtime_ns}\0{volume}\n".encode())
    return state.hexdigest()


class Sessions:
    """The sessions of a work folder: what was made before, and where a new one is staged."""

    def __init__(self, work: Path, output: Path) -> None:
        self._fragments = work / "sessions"
        self._staging = work / "staging"
        self._output = output
        self._fragments.mkdir(exist_ok=True)

    def clear_staging(self) -> None:
        """Remove what an interrupted run left half made."""
        shutil.rmtree(self._staging, ignore_errors=True)
        self._staging.mkdir()

    @property
    def staged(self) -> Path:
        """The root below which staged files have the paths that they will have in the tree."""
        return self._staging / "tree"

    def staging(self, subject: str, session: str, part: str = "") -> Path:
        """Where the files of a session are made before they appear in the tree, in a part of :data:`dataset.PARTS`."""
        return self.staged / part / f"sub-{subject}" / f"ses-{session}"

    def _file(self, subject: str, session: str) -> Path:
        return self._fragments / f"sub-{subject}_ses-{session}.json"

    def known(self) -> dict[tuple[str, str], Fragment]:
        """Every fragment that can be read; one that cannot is forgotten, and its session is made again."""
        found = {}
        for path in sorted(self._fragments.glob("sub-*_ses-*.json")):
            try:
                fragment = Fragment.from_json(json.loads(path.read_bytes()))
            except (ValueError, KeyError, TypeError):
                path.unlink()
                continue
            found[fragment.key] = fragment
        return found

    def known_one(self, subject: str, session: str) -> Fragment | None:
        """The fragment of one session, None where there is none that can be read."""
        try:
            return Fragment.from_json(json.loads(self._file(subject, session).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def is_good(self, fragment: Fragment, wanted: str) -> bool:
        """Is what was made before still what is wanted, and still in the tree?"""
        if fragment.fingerprint != wanted or bool(fragment.files) != bool(fragment.images):
            return False
        return all(_is_whole(self._output / file.path, file) for file in fragment.files)

    def keep(self, fragment: Fragment) -> None:
        """Remember a session that now lies in the tree."""
        write_atomic(self._file(*fragment.key), json_bytes(fragment.to_json()))

    def forget(self, subject: str, session: str) -> None:
        """Forget a session that was withdrawn."""
        self._file(subject, session).unlink(missing_ok=True)


def _is_whole(path: Path, file: Written) -> bool:
    """Whether a file is as it was written. Text is read only where its time says that somebody was at it."""
    try:
        status = path.stat()
        if status.st_size != file.size or not path.is_file():
            return False
        return not file.sha256 or status.st_mtime_ns == file.mtime_ns or _sha256(path) == file.sha256
    except OSError:
        return False


def written(folder: Path, root: Path) -> list[Written]:
    """All files of a staged folder, with their paths below ``root``: they will have the same in the tree."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        digest = "" if path.suffix in (".gz", ".dcm") else _sha256(path)
        found.append(Written(path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns, digest))
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_scans(folder: Path, visit: Visit, images: Sequence[Image]) -> None:
    """``scans.tsv`` of a staged session."""
    rows = [image.scans_row() for image in sorted(images, key=lambda image: image.path)]
    path = folder / f"sub-{visit.subject}_ses-{visit.session}_scans.tsv"
    path.write_bytes(tsv_bytes(SCANS_COLUMNS, rows, empty="n/a"))


def result_of(outcome: Outcome) -> StackResult:
    """The part of an outcome that a fragment keeps."""
    dropped = tuple((d.keyword, d.value) for d in outcome.dropped)
    return StackResult(
        outcome.stack_id,
        outcome.verdict,
        outcome.reason,
        outcome.message,
        outcome.findings,
        dropped,
        outcome.text_look,
        outcome.left_out,
        outcome.against,
        outcome.metrics,
        outcome.image.path if outcome.image is not None else "",
        outcome.digests,
    )
