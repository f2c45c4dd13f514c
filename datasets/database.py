"""The index of a BIDS tree: which images there are and what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cohorts.policies import Missing
from .cohorts.query import Q
from .errors import DatasetError, ReadError
from .files.names import natural, parse_name
from .files.sidecars import Metadata
from .files.tables import Table, read_tsv, typed_table
from .index.columns import Clinical, read_phenotype
from .index.image import Image
from .index.manifest import Manifest
from .index.quality import Quality
from .index.scan import Problem, Scan, scan_tree

if TYPE_CHECKING:
    from .cohorts.cohort import Cohort
    from .cohorts.policies import QC
    from .cohorts.targets import Target

ANNOTATIONS = "derivatives/annotations"


class Database:
    """A released tree, or any BIDS tree, opened for reading. No voxel is read.

    ::

        bids/
        ├── participants.tsv
        └── sub-01/ses-01/anat/sub-01_ses-01_acq-tseSag_T2w.nii.gz (+ .json)

        >>> db = Database("bids/")
        >>> len(db.query(Q("T2w", plane="sag")))
        1

    Header facts come from ``curation/manifest.parquet`` where it is there and fits the files, else from the NIfTI
    headers. ``problems`` lists what could not be read, with the reason. Raises :class:`DatasetError` where ``root``
    is not a folder or holds no ``sub-`` folder.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).absolute()
        if not self.root.is_dir():
            raise DatasetError(f"{self.root}: there is no such folder; give the root of a BIDS tree.")
        if not any(entry.is_dir() for entry in self.root.glob("sub-*")):
            raise DatasetError(f"{self.root}: no sub-* folder in it, so it is not the root of a BIDS tree.")
        problems: list[Problem] = []
        try:
            manifest = Manifest.read(self.root)
        except ReadError as error:
            manifest = Manifest({}, 0)
            problems.append(Problem("curation/manifest.parquet", str(error)))
        people = read_tsv(self.root / "participants.tsv")
        sites = {row.get("participant_id", ""): site_of(row) for row in people}
        raw = scan_tree(self.root, manifest, sites)
        masks = Scan()
        if (self.root / ANNOTATIONS).is_dir():
            masks = scan_tree(self.root, manifest, sites, scope="annotations", prefix=ANNOTATIONS)
        self._tables(raw, people)
        self.images: tuple[Image, ...] = tuple(raw.images)
        self.annotations: tuple[Image, ...] = tuple(masks.images)
        self.problems: tuple[Problem, ...] = (*problems, *raw.problems, *masks.problems)

    def __repr__(self) -> str:
        people = len({image.participant_id for image in self.images})
        return f"Database({str(self.root)!r}): {people} participants, {len(self.images)} images"

    def _tables(self, scan: Scan, people: list[dict[str, str]]) -> None:
        self._session_keys = sorted(set(scan.sessions), key=lambda key: (natural(key[0]), natural(key[1])))
        self.participants_table: Table = typed_table(people, ("participant_id",))
        rows: list[dict[str, str]] = []
        for subject in dict.fromkeys(subject for subject, _ in self._session_keys):
            for row in read_tsv(self.root / subject / f"{subject}_sessions.tsv"):
                rows.append({"participant_id": subject, "session_id": "", **row})
        self.sessions_table: Table = typed_table(rows, ("participant_id", "session_id"))
        self.phenotype: tuple[Clinical, ...] = read_phenotype(self.root)

    @property
    def tables(self) -> tuple[Clinical, ...]:
        """All clinical tables: of participants, of sessions, and those of ``phenotype/``."""
        rows = {(key[0], ""): row for key, row in self.participants_table.rows.items()}
        people = Table(rows, self.participants_table.columns)
        return (Clinical("participants", people), Clinical("sessions", self.sessions_table), *self.phenotype)

    @cached_property
    def participants(self) -> Mapping[str, Mapping[str, Any]]:
        """The rows of ``participants.tsv`` by ``participant_id``; who is only a folder has an empty row."""
        rows = {key[0]: row for key, row in self.participants_table.rows.items()}
        return {**{subject: {} for subject, _ in self._session_keys}, **rows}

    @cached_property
    def sessions(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """The rows of all ``sessions.tsv`` by participant and session; every session folder is there.

        A tree without sessions has one session ``""`` a participant.
        """
        rows = {(key[0], key[1]): row for key, row in self.sessions_table.rows.items()}
        return {key: rows.get(key, {}) for key in self._session_keys}

    def images_of(self, participant: str, session: str | None = None) -> Sequence[Image]:
        """The images of one visit, or of all visits of a participant; without annotations."""
        return self._by_visit.get((participant, session), ())

    @cached_property
    def _by_visit(self) -> Mapping[tuple[str, str | None], list[Image]]:
        visits: dict[tuple[str, str | None], list[Image]] = {}
        for image in self.images:
            visits.setdefault((image.participant_id, image.session_id), []).append(image)
            visits.setdefault((image.participant_id, None), []).append(image)
        return visits

    @cached_property
    def quality(self) -> Quality:
        """What checks and metrics say of every image, by its path; read when it is first asked for.

        Raises :class:`ReadError` where it cannot be read.
        """
        return Quality.read(self.root, self.images)

    def query(self, query: Q) -> tuple[Image, ...]:
        """All images that match, in the order of the tree."""
        return tuple(image for image in (*self.images, *self.annotations) if query.matches(image))

    def sidecar(self, image: Image) -> dict[str, Any]:
        """The JSON beside an image, read anew; {} where there is none or it cannot be read."""
        beside = image.path.partition(".nii")[0] + ".json"
        present = (self.root / beside).is_file()
        name = parse_name(image.path.rpartition("/")[2])
        return Metadata(self.root, lambda path, reason: None).of(name, (), beside) if name and present else {}

    def contents(self) -> str:
        """What there is, by sequence and label, as words for messages."""
        sequences = Counter(image.record.sequence for image in self.images)
        labels = Counter(words for image in self.annotations for words in _shown(image))
        parts = [f"{name} ({n})" for name, n in sequences.most_common()]
        parts += [f"{words} ({n})" for words, n in labels.most_common()]
        return ", ".join(parts)

    def cohort(
        self,
        *,
        unit: str = "session",
        images: Mapping[str, Q],
        labels: Mapping[str, Q] | None = None,
        targets: Mapping[str, Target] | None = None,
        where: str | None = None,
        qc: str | QC | None = "pass",
        missing: Missing = "raise",
        duplicates: str = "raise",
        grid: str = "any",
    ) -> Cohort:
        """The samples that a model is to see; everything the index can know is checked here.

        ``unit``        what one sample is: ``image`` (then ``images`` has one key), ``session`` or ``participant``
        ``images``      a query a key; a DCE or the b-values of one diffusion scan answer as one acquisition
        ``labels``      queries for masks; a mask must have been drawn on an image of the sample
        ``targets``     :class:`Regression` or :class:`Categorical` a key, from any clinical table
        ``where``       a condition over the same columns and the images of the unit (``has``, ``count``), see
                        :class:`~trialbids.mappings.criteria.Condition`; also over ``qc_verdict`` (the worst of a
                        unit's images) and what checks found (``found('G04')``), and with ``unit="image"`` over the
                        metrics of quality (``snr > 8``; of an acquisition it must be true of each image). A clinical
                        column goes before a metric of the same name, which is then asked for as ``qc__snr``
        ``qc``          ``pass`` (or waived), ``warn`` (pass, waived or warn), None: any or no verdict; or
                        :class:`QC`, which also asks for metrics and checks of every image
        ``missing``     ``raise``, ``drop`` the sample, ``mask`` (zeros and a ``present`` flag), or :class:`Require`
        ``duplicates``  of acquisitions: ``raise``, ``first``, ``last``, or ``best-qc`` (the first among the best)
        ``grid``        ``same``: all images and masks of a sample share one voxel grid; ``any``: they need not

        Raises :class:`QueryError` for what cannot be meant, :class:`CohortError` naming the participants and
        sessions for what the tree does not hold.
        """
        from .cohorts.builder import build
        from .cohorts.request import Request

        request = Request(
            unit=unit,
            images=dict(images),
            labels=dict(labels or {}),
            targets=dict(targets or {}),
            where=where,
            qc=qc,
            missing=missing,
            duplicates=duplicates,
            grid=grid,
        )
        return build(self, request)


def _shown(image: Image) -> list[str]:
    """What an annotation shows, in words: its label, or the names of its regions."""
    whole = [image.label] if image.label else []
    return [f"{image.suffix} of {name}" for name in whole or [name for name, _ in image.regions]]


def site_of(row: Mapping[str, Any]) -> str:
    """The site of a participant, "" where none is given."""
    site = str(row.get("site") or "")
    return "" if site == "n/a" else site
