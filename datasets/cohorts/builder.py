"""How a cohort is made from the index: units, conditions, choice among candidates, checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import CohortError, listing
from ..files.tables import Value
from ..index.image import Image
from .acquisition import acquisitions
from .asking import Filter, where_of
from .choosing import Chooser, Refusal, drawn_elsewhere
from .cohort import Cohort
from .columnar import Columnar
from .common import Common
from .facts import Facts
from .grids import check_channels, check_grids, odd_one
from .labelled import has_consensus, near_label
from .lesions import choose_drawings, lesion_masks, lesion_units
from .policies import Require, Resample
from .query import Q
from .remarks import multiplicities, remarks
from .report import Count, Dropped, Report, count_sites
from .request import Request
from .rows import sample_rows
from .sidefields import chosen_fields
from .targets import Target
from .units import Unit
from .uptake import NoUptake, suv_factor

if TYPE_CHECKING:
    from ..database import Database


def build(db: Database, request: Request) -> Cohort:
    """Make the cohort. Raises :class:`QueryError` and :class:`CohortError`."""
    return _Builder(db, request).run()


class _Builder:
    def __init__(self, db: Database, request: Request) -> None:
        self.db = db
        self.request = request
        self.queries: dict[str, Q] = {**request.images, **request.labels}
        self.matching = {key: db.query(query) for key, query in self.queries.items()}
        self.counts: list[Count] = []
        self.narrowing: set[str] = set()  # conditions that may leave samples out, also with missing="raise"
        masks = (
            lesion_masks(self.matching[request.lesion], repr(request.labels[request.lesion])) if request.lesion else []
        )
        self.facts = Facts(db, request.unit, masks)
        self.quality = Filter(request.wanted, db)
        self.units: list[Unit] = lesion_units(masks, self.site) if request.lesion else self.make_units()

    def run(self) -> Cohort:
        self.note(f"{self.request.unit}s in the tree")
        self.apply_where()
        targets = self.fit_targets()
        self.check_vocabulary_of_tree()
        for key in sorted(self.queries, key=lambda key: self.queries[key].scope != "raw"):
            self.find(key)
        self.decide_missing()
        self.decide_drawings()
        for name, target in targets.items():
            self.lose(
                f"{name}: {', '.join(target.columns)} given",
                lambda unit, target=target: target.objection(self.facts.row(unit)),
            )
        self.raise_if_strict()
        self.decide_doubles()
        if not self.left():
            raise CohortError(f"No sample is left.\n{self.report()}\n{listing(self.reasons())}")
        check_grids(self.left(), tuple(self.request.images), tuple(self.request.labels), self.request.grid)
        if self.request.masks:
            check_channels(self.left(), self.queries)
        return self.cohort(targets)

    # --- units and conditions

    def make_units(self) -> list[Unit]:
        visits = self.db.sessions
        if self.request.unit == "participant":
            ids = list(dict.fromkeys(participant for participant, _ in visits))
            return [Unit(p, p, "", self.site(p)) for p in ids]
        if self.request.unit == "session":
            return [Unit("_".join(filter(None, (p, s))), p, s, self.site(p)) for p, s in visits]
        (key,) = self.request.images
        return [
            Unit(group[0].stem, p, s, self.site(p), fixed=group)
            for group in acquisitions(self.matching[key])
            for p, s in [(group[0].participant_id, group[0].session_id)]
        ]

    def site(self, participant: str) -> str:
        return str(self.db.participants.get(participant, {}).get("site") or "")

    def left(self) -> list[Unit]:
        return [unit for unit in self.units if unit.lost is None]

    def note(self, condition: str) -> None:
        self.counts.append(count_sites(condition, (unit.site for unit in self.left())))

    def lose(self, condition: str, why: Callable[[Unit], str | None]) -> None:
        """Apply one condition to every unit that is left, and count."""
        for unit in self.left():
            if (reason := why(unit)) is not None:
                unit.lost = (condition, reason)
        self.note(condition)

    def narrow(self, condition: str, why: Callable[[Unit], str | None]) -> None:
        """Apply a condition that is a choice of the caller: who fails it lacks nothing."""
        self.narrowing.add(condition)
        self.lose(condition, why)

    def images(self, unit: Unit) -> Sequence[Image]:
        """All images of a unit."""
        session = None if self.request.unit == "participant" else unit.session_id
        return unit.fixed or self.db.images_of(unit.participant_id, session)

    def apply_where(self) -> None:
        if self.request.where is not None:
            where = where_of(self.request.where, self.db, self.facts, self.request.unit)
            self.narrow(
                f"where {self.request.where}", lambda unit: where.reason(self.facts.row(unit), self.images(unit))
            )

    def fit_targets(self) -> dict[str, Target]:
        for name, target in self.request.targets.items():
            for column in target.columns:
                self.facts.check(column, f"cohort: target {name!r}")
        return {name: target.fit(self.facts.values) for name, target in self.request.targets.items()}

    # --- images and masks

    def check_vocabulary_of_tree(self) -> None:
        for key, query in self.queries.items():
            if not self.matching[key]:
                near = near_label(query, self.db.annotations) if query.scope == "annotations" else ""
                raise CohortError(
                    f"{key}: no image in {self.db.root} matches {query!r}{near}. "
                    f"There are: {self.db.contents() or 'no images'}."
                )
        if self.request.wanted.verdict is not None and not any(image.qc for image in self.db.images):
            raise CohortError(f"{self.db.root} has no QC verdicts; ask for qc=None to take its images as they are.")

    def find(self, key: str) -> None:
        """Choose what every unit reads for one key, or note why there is nothing."""
        chooser = Chooser(
            key,
            self.queries[key],
            duplicates=self.request.duplicates,
            refusal=self.refusal_of(key),
            suv=self.suv,
            metadata=self.db.metadata,
        )
        by_unit: dict[tuple[str, str], list[Image]] = {}
        for image in self.matching[key]:
            session = "" if self.request.unit == "participant" else image.session_id
            by_unit.setdefault((image.participant_id, session), []).append(image)
        for unit in self.left():
            own: Sequence[Image] = unit.fixed if key in self.request.images else ()
            if unit.mask and key == self.request.lesion:
                own = (unit.mask,)
            chooser.choose(unit, own or by_unit.get((unit.participant_id, unit.session_id), []))

    def refusal_of(self, key: str) -> Refusal:
        """An image must be good enough, a label or a prediction made of an image of the sample; of lesions this is
        asked later."""
        if self.queries[key].scope == "raw":
            return lambda unit, group: next(
                (f"{image.path}: {why}" for image in group if (why := self.quality.objection(image))), None
            )
        keys = tuple(name for name in self.request.images if self.queries[name].scope == "raw")
        asked = key != self.request.lesion and keys
        return lambda unit, group: drawn_elsewhere(unit, group[0], keys) if asked else None

    def suv(self, unit: Unit, image: Image) -> float:
        """The factor of a PET image. Raises :class:`NoUptake`."""
        weight: Value = self.facts.row(unit).get("weight")
        if isinstance(weight, str):
            raise NoUptake(f"the column `weight` holds {weight!r}, where a number of kg is due")
        return suv_factor(self.db.sidecar(image), weight)

    def decide_missing(self) -> None:
        missing = Require(any_of=1) if self.request.missing == "mask" else self.request.missing
        lesion = self.request.lesion
        for key in missing.keys if isinstance(missing, Require) else self.queries:
            if key in self.queries and key != lesion:
                self.lose(f"{key}: {self.queries[key]!r}", lambda unit, key=key: unit.absent.get(key))
        if isinstance(missing, Require):
            self.require_some(missing.any_of)
        if lesion is not None:
            self.lose(f"{lesion}: {self.queries[lesion]!r}", lambda unit: unit.absent.get(lesion))

    def require_some(self, any_of: int) -> None:
        images = self.request.images

        def too_few(unit: Unit) -> str | None:
            if sum(key in unit.sources for key in images) >= any_of:
                return None
            return "; ".join(f"{key}: {reason}" for key, reason in unit.absent.items())

        self.lose(f"at least {any_of} of {', '.join(images)}", too_few)

    def decide_drawings(self) -> None:
        """Which lesions are those of the sample's images, and of one drawing."""
        lesion = self.request.lesion
        if lesion is None:
            return
        keys = tuple(self.request.images)
        self.narrow(
            f"{lesion}: drawn on an image of the sample",
            lambda unit: drawn_elsewhere(unit, unit.mask, keys) if unit.mask else None,
        )
        left_out = choose_drawings(self.left(), lesion, self.request.duplicates)
        if left_out:
            self.narrow(f"{lesion}: one drawing a session", lambda unit: left_out.get(unit.sample_id))

    def raise_if_strict(self) -> None:
        """With ``missing='raise'``, what is not there is an error; only choices of the caller leave samples out."""
        lines = [
            f"{unit.title}: {unit.lost[0].partition(':')[0]}: {unit.lost[1]}"
            for unit in self.units
            if unit.lost and unit.lost[0] not in self.narrowing
        ]
        if lines and self.request.missing == "raise":
            raise CohortError(
                f"{len(lines)} {self.request.unit}s lack something; missing='drop' leaves them out:\n{listing(lines)}"
            )

    def decide_doubles(self) -> None:
        lines = [f"{unit.title}: {key}: {paths}" for unit in self.left() for key, paths in unit.doubles.items()]
        if lines:
            raise CohortError(
                "More than one acquisition answers; make the query narrower, or choose by duplicates='first', 'last' "
                f"or 'best-qc'{self.agreed()}:\n{listing(lines)}"
            )

    def agreed(self) -> str:
        """What to ask for where several readers drew the same, and there is a mask of what they agree on."""
        keys = {key for unit in self.left() for key in unit.doubles} & self.request.labels.keys()
        found = [key for key in self.queries if key in keys and has_consensus(self.matching[key])]
        return f"; several readers drew {' and '.join(found)}: reader='consensus' takes what they agree on" * bool(
            found
        )

    # --- the result

    def cohort(self, targets: Mapping[str, Target]) -> Cohort:
        units = self.left()
        facts, refused = self.facts.held(units)
        fields = chosen_fields(self.db, units, self.request) if self.request.fields else None
        samples = sample_rows(units, self.queries, self.request.masks, fields)
        samples = self.with_targets(samples, units, targets)
        used = {image.path: image for unit in units for source in unit.sources.values() for image in source.images}
        common = Common(
            root=self.db.root,
            image_keys=tuple(self.request.images),
            label_keys=tuple(self.request.labels),
            targets=dict(targets),
            resample=self.request.grid if isinstance(self.request.grid, Resample) else None,
            report=self.report(remarks(targets, samples)),
            description=repr(self.request),
            sha256={path: image.voxels_sha256 for path, image in used.items() if image.voxels_sha256},
            studies={path: image.study for path, image in used.items() if image.study},
            refused=refused,
        )
        return Cohort(common, samples, facts, [odd_one(unit, common.image_keys) for unit in units])

    def with_targets(self, samples: Columnar, units: Sequence[Unit], targets: Mapping[str, Target]) -> Columnar:
        rows = [self.facts.row(unit) for unit in units] if targets else []
        columns: dict[str, tuple[Any, ...]] = {
            name: tuple(target.encode(row) for row in rows) for name, target in targets.items()
        }
        return Columnar({**samples.columns, **columns}, samples.length)

    def report(self, notes: tuple[str, ...] = ()) -> Report:
        lost = [Dropped(u.sample_id, u.site, *u.lost) for u in self.units if u.lost]
        return Report(tuple(self.counts), tuple(lost), multiplicities(self.left(), self.db.sessions), notes)

    def reasons(self) -> list[str]:
        return [f"{unit.title}: {unit.lost[1]}" for unit in self.units if unit.lost]
