"""The index of a BIDS tree: which images there are and what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cohorts.policies import Grid, Missing
from .cohorts.query import Q
from .errors import DatasetError
from .files.names import natural
from .files.places import Place, place_of
from .files.remote import RemoteTree
from .files.slowness import warn_of_indexed_gzip
from .files.tables import Table, typed_table, united
from .files.trees import LocalTree, Tree
from .index.columns import PERSON, Clinical, read_phenotype, read_rows
from .index.image import Image
from .index.index import ANNOTATIONS, DERIVATIVES, Changes, Index, Problem, folder_of
from .index.inherited import inherited, own_sidecar
from .index.quality import Quality
from .index.store import Store

if TYPE_CHECKING:
    from .cohorts.cohort import Cohort
    from .cohorts.policies import QC
    from .cohorts.targets import Target

_PEOPLE = "participants.tsv"
_DERIVED = (
    *("images", "annotations", "_session_keys", "participants_table", "sessions_table"),
    *("participants", "sessions", "_by_visit", "_others"),
)
"""What is made of the index when it is first asked for, and forgotten when it has changed."""


class Database:
    """A released tree, or any BIDS tree, opened for reading. No voxel is read.

    ::

        bids/
        ├── participants.tsv
        └── sub-01/ses-01/anat/sub-01_ses-01_acq-tseSag_T2w.nii.gz (+ .json)

        >>> db = Database("bids/")
        >>> len(db.query(Q("T2w", plane="sag")))
        1

    ``root`` is a folder, or an address that fsspec can read (``s3://bucket/bids``). Header facts come from
    ``curation/manifest.parquet`` where it is there and fits the files, else from the NIfTI headers. ``problems`` lists
    what could not be read, with the reason.

    What was read is kept in an ``index`` and only what changed is read again, which the state of every file tells:
    ``"auto"`` keeps it in a hidden file beside the tree, or in ``$TRIALBIDS_CACHE`` (else ``~/.cache/trialbids``)
    where that folder cannot be written; a path names the file; None keeps nothing. An index that is damaged or of
    another version is made anew, and one that cannot be written is done without.

    Raises :class:`DatasetError` where ``root`` is not a folder or holds no ``sub-`` folder, :class:`QueryError` where
    ``index`` names a file that is there and no index.
    """

    def __init__(self, root: str | Path, index: str | Path | None = "auto") -> None:
        self.root: Place = place_of(root)
        warn_of_indexed_gzip()
        if isinstance(self.root, Path) and not self.root.is_dir():
            raise DatasetError(f"{self.root}: there is no such folder; give the root of a BIDS tree.")
        self._tree: Tree = LocalTree(self.root) if isinstance(self.root, Path) else RemoteTree(self.root)
        self._index = Index(self._tree, None if index is None else Store.of(self.root, index))
        self._people: list[dict[str, str]] = []
        self._refresh()
        if not self._index.entries("raw"):
            raise DatasetError(f"{self.root}: no sub-* folder in it, so it is not the root of a BIDS tree.")

    def __repr__(self) -> str:
        people = len({image.participant_id for image in self.images})
        return f"Database({str(self.root)!r}): {people} participants, {len(self.images)} images"

    def refresh(self) -> Changes:
        """Bring this database up to date with its tree; only what changed is read.

        Cohorts made before stay as they are. Raises :class:`DatasetError` where the tree is gone.
        """
        before = self.tables
        changes = self._refresh()
        then = {table.name: table for table in before}
        now = {table.name: table for table in self.tables}
        tables = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        return replace(changes, tables=tuple(tables))

    def _refresh(self) -> Changes:
        state = self._index.state
        try:
            changes = self._index.refresh()
        except OSError as error:
            raise DatasetError(f"{self.root}: the tree cannot be listed ({error.strerror}).") from error
        listed: list[Problem] = []

        def problem(path: str, reason: str) -> None:
            listed.append(Problem(path, reason))

        rows = read_rows(self._tree, _PEOPLE, problem)
        people = united(rows, PERSON, partial(problem, _PEOPLE))
        if self._index.state != state or people != self._people:
            self._people = people
            for name in _DERIVED:
                self.__dict__.pop(name, None)
        self.__dict__.pop("quality", None)  # its files are not looked at
        self.phenotype: tuple[Clinical, ...] = read_phenotype(self._tree, problem)
        self._table_problems = tuple(listed)
        return changes

    def locate(self, path: str) -> str:
        """The full path, or the address, of a file that is named relative to the root."""
        return str(self.root / path)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Files that the index set aside, or of which it could read only a part, with the reason."""
        return (*self._index.problems, *self._table_problems)

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """The images in the order of the tree, without annotations."""
        return self._index.images("raw", self._sites)

    @cached_property
    def annotations(self) -> tuple[Image, ...]:
        """The masks, label maps and tables of ``derivatives/annotations``."""
        return self._index.images("annotations", self._sites)

    @cached_property
    def _others(self) -> dict[str, tuple[Image, ...]]:
        """The images of other derivative datasets, by scope, as far as they were asked for."""
        return {}

    def images_in(self, scope: str) -> tuple[Image, ...]:
        """The images of one dataset of the tree: ``raw``, ``annotations``, or ``derivatives/<model>``, such as the
        predictions of a model; none where there is no such folder.

        The last is read when it is first asked for, and kept up to date by :meth:`refresh` from then on.
        """
        if scope == "raw":
            return self.images
        if scope == "annotations":
            return self.annotations
        if scope not in self._others:
            self._index.want(scope)
            self._others[scope] = self._index.images(scope, self._sites)
        return self._others[scope]

    @property
    def _sites(self) -> Mapping[str, str]:
        return {row[PERSON]: site_of(row) for row in self._people}

    @cached_property
    def _session_keys(self) -> Sequence[tuple[str, str]]:
        keys = {(entry.subject, session) for entry in self._index.entries("raw") for session in entry.sessions}
        return sorted(keys, key=lambda key: (natural(key[0]), natural(key[1])))

    @cached_property
    def participants_table(self) -> Table:
        """The rows of ``participants.tsv``, typed."""
        return typed_table(self._people, (PERSON,))

    @cached_property
    def sessions_table(self) -> Table:
        """The rows of all ``sessions.tsv``, typed."""
        entries = sorted(self._index.entries("raw"), key=lambda entry: natural(entry.subject))
        rows = [
            {"participant_id": entry.subject, "session_id": "", **visit} for entry in entries for visit in entry.visits
        ]
        return typed_table(rows, ("participant_id", "session_id"))

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
        return Quality.read(self._tree, self.images)

    def query(self, query: Q) -> tuple[Image, ...]:
        """All images that match, in the order of the tree."""
        return tuple(image for image in self.images_in(query.scope) if query.matches(image))

    def sidecar(self, image: Image) -> dict[str, Any]:
        """The JSON beside an image, read anew; {} where there is none or it cannot be read."""
        return own_sidecar(self._tree, image.path)

    def metadata(self, image: Image) -> dict[str, Any]:
        """All metadata of an image, read anew: of its own JSON and of those that it inherits, the nearest first.

        The inheritance principle of BIDS; a file that cannot be read says nothing.
        """
        return inherited(self._tree, image.path, folder_of(image.scope))

    def layout(self, **options: Any) -> Any:
        """The same tree as a pybids ``BIDSLayout``, made with ``options``; the tables are not ours but those of pybids.

        Raises :class:`DatasetError` where pybids is not installed, or the tree lies behind an address.
        """
        if not isinstance(self.root, Path):
            raise DatasetError(f"{self.root}: pybids reads folders of this machine only; copy the tree for a layout.")
        try:
            from bids import BIDSLayout
        except ImportError as error:
            raise DatasetError("a layout is made by pybids; pip install 'trialbids[bids]'.") from error
        return BIDSLayout(self.root, **options)

    def contents(self) -> str:
        """What there is, by sequence and label, as words for messages; of other derivative datasets, such as the
        predictions of a model, the scope."""
        sequences = Counter(image.record.sequence for image in self.images)
        labels = Counter(words for image in self.annotations for words in _shown(image))
        parts = [f"{name} ({n})" for name, n in sequences.most_common()]
        parts += [f"{words} ({n})" for words, n in labels.most_common()]
        return ", ".join([*parts, *self._models()])

    def _models(self) -> list[str]:
        """The scopes of predictions and other derivative datasets, without looking into them."""
        try:
            folders = self._tree.listing(DERIVATIVES.rstrip("/")).folders
        except (OSError, DatasetError):
            return []
        return [scope for name in folders if (scope := f"{DERIVATIVES}{name}") != ANNOTATIONS]

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
        grid: Grid = "any",
        fields: Sequence[str] = (),
    ) -> Cohort:
        """The samples that a model is to see; everything the index can know is checked here.

        ``unit``        what one sample is: ``image`` (then ``images`` has one key), ``session``, ``participant``, or
                        ``lesion``: one mask of the first of ``labels``, of one reader on one image, with the images
                        of its session; its ``Characteristics`` are columns (``malignancy``, ``lesion__malignancy``)
        ``images``      a query a key; a DCE or the b-values of one diffusion scan answer as one acquisition
        ``labels``      queries for masks, drawn by people or predicted by a model (``scope="derivatives/<model>"``);
                        a mask must have been drawn on an image of the sample
        ``targets``     :class:`Regression`, :class:`Categorical`, :class:`MultiLabel` or :class:`Survival` a key,
                        from any clinical table
        ``where``       a condition over the same columns and the images of the unit (``has``, ``count``), see
                        :class:`~trialbids.mappings.criteria.Condition`; also over ``qc_verdict`` (the worst of a
                        unit's images) and what checks found (``found('G04')``), and with ``unit="image"`` over the
                        metrics of quality (``snr > 8``; of an acquisition it must be true of each image). A clinical
                        column goes before a metric of the same name, which is then asked for as ``qc__snr``
        ``qc``          ``pass`` (or waived), ``warn`` (pass, waived or warn), None: any or no verdict; or
                        :class:`QC`, which also asks for metrics and checks of every image
        ``missing``     ``raise``, ``drop`` the sample, ``mask`` (zeros and a ``present`` flag), or :class:`Require`;
                        a target without a value is missing too, and never masked unless it says ``gaps="mask"``
        ``duplicates``  of acquisitions: ``raise``, ``first``, ``last``, or ``best-qc`` (the first among the best)
        ``grid``        ``same``: all images and masks of a sample share one voxel grid; ``any``: they need not;
                        :class:`Resample`: they are brought to the grid of one of them when they are read
        ``fields``      sidecar fields that every sample shall have, as ``<key>.fields`` (a dict of plain values)

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
            fields=(fields,) if isinstance(fields, str) else tuple(fields),
        )
        return build(self, request)

    def cohort_of(self, path: str | Path) -> Cohort:
        """The cohort that a recipe asks for, a YAML or JSON file (:class:`~trialbids.datasets.cohorts.recipe.Recipe`).

        Raises :class:`QueryError` naming file and field for what cannot be meant, and as :meth:`cohort`.
        """
        from .cohorts.recipe import Recipe

        return Recipe.read(path).cohort(self)


def _shown(image: Image) -> list[str]:
    """What an annotation shows, in words: its label, or the names of its regions."""
    whole = [image.label] if image.label else []
    return [f"{image.suffix} of {name}" for name in whole or [name for name, _ in image.regions]]


def site_of(row: Mapping[str, Any]) -> str:
    """The site of a participant, "" where none is given."""
    site = str(row.get("site") or "")
    return "" if site == "n/a" else site
