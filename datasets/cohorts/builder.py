"""How a cohort is made from the index: units, conditions, choice among candidates, checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import CohortError, QueryError, listing
from ..index.columns import Columns
from ..index.image import Image, same_grid
from .acquisition import Source, Unusable, acquisitions, qc_rank, resolve
from .asking import Filter, where_of
from .cohort import Cohort, Count, Dropped, Report, count_sites
from .policies import Require
from .query import Q
from .request import Request
from .rows import sample_row
from .targets import Categorical, Target
from .units import Unit

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
        self.counts: list[Count] = []
        self.columns = Columns(db.tables, request.unit)
        self.quality = Filter(request.wanted, db)
        self.units: list[Unit] = self.make_units()

    def run(self) -> Cohort:
        self.note(f"{self.request.unit}s in the tree")
        self.apply_where()
        targets = self.fit_targets()
        self.check_vocabulary_of_tree()
        for key in self.queries:
            self.find(key)
        self.decide_missing()
        for name, target in targets.items():
            self.require_target(name, target)
        self.raise_if_strict()
        self.decide_doubles()
        if not self.left():
            raise CohortError(f"No sample is left.\n{self.report()}\n{listing(self.reasons())}")
        self.check_grids()
        self.check_channels()
        return self.cohort(targets)

    # --- units and conditions

    def make_units(self) -> list[Unit]:
        visits = self.db.sessions
        if self.request.unit == "participant":
            ids = list(dict.fromkeys(participant for participant, _ in visits))
            return [Unit(p, p, "", self.site(p)) for p in ids]
        if self.request.unit == "session":
            return [Unit("_".join(filter(None, (p, s))), p, s, self.site(p)) for p, s in visits]
        (query,) = self.request.images.values()
        return [
            Unit(group[0].stem, p, s, self.site(p), fixed=group)
            for group in acquisitions(self.db.query(query))
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

    def row(self, unit: Unit) -> dict[str, Any]:
        return self.columns.row(unit.participant_id, unit.session_id, unit.site)

    def images(self, unit: Unit) -> Sequence[Image]:
        """All images of a unit."""
        session = unit.session_id if self.request.unit == "session" else None
        return unit.fixed or self.db.images_of(unit.participant_id, session)

    def apply_where(self) -> None:
        if self.request.where is None:
            return
        where = where_of(self.request.where, self.db, self.columns, self.request.unit)
        self.lose(f"where {self.request.where}", lambda unit: where.reason(self.row(unit), self.images(unit)))

    def fit_targets(self) -> dict[str, Target]:
        fitted: dict[str, Target] = {}
        for name, target in self.request.targets.items():
            if target.column not in self.columns.kinds:
                raise QueryError(
                    f"cohort: target {name!r}: there is no column {target.column!r} for a {self.request.unit}; "
                    f"there are: {' '.join(sorted(self.columns.kinds))}"
                )
            self.columns.check(target.column)
            fitted[name] = target.fit(self.columns.values(target.column))
        return fitted

    def require_target(self, name: str, target: Target) -> None:
        self.lose(
            f"{name}: {target.column} given",
            lambda unit: None if self.row(unit).get(target.column) is not None else f"{target.column} is empty",
        )

    # --- images and masks

    def check_vocabulary_of_tree(self) -> None:
        for key, query in self.queries.items():
            if not self.db.query(query):
                raise CohortError(
                    f"{key}: no image in {self.db.root} matches {query!r}. "
                    f"There are: {self.db.contents() or 'no images'}."
                )
        if self.request.wanted.verdict is not None and not any(image.qc for image in self.db.images):
            raise CohortError(f"{self.db.root} has no QC verdicts; ask for qc=None to take its images as they are.")

    def find(self, key: str) -> None:
        """Choose what every unit reads for one key, or note why there is nothing."""
        query = self.queries[key]
        by_unit: dict[tuple[str, str], list[Image]] = {}
        for image in self.db.query(query):
            session = "" if self.request.unit == "participant" else image.session_id
            by_unit.setdefault((image.participant_id, session), []).append(image)
        for unit in self.left():
            images = unit.fixed if unit.fixed and key in self.request.images else None
            candidates = images or by_unit.get((unit.participant_id, unit.session_id), [])
            self.choose(unit, key, query, candidates)

    def choose(self, unit: Unit, key: str, query: Q, candidates: Sequence[Image]) -> None:
        if not candidates:
            unit.absent[key] = f"no image matches {query!r}"
            return
        groups = acquisitions(candidates)
        reasons: list[str] = []
        usable: list[tuple[int, Source]] = []
        for group in groups:
            if key in self.request.images and (bad := self.objection(group)):
                reasons.append(bad)
                continue
            if key in self.request.labels and (reason := self.drawn_elsewhere(unit, group[0])):
                reasons.append(reason)
                continue
            try:
                usable.append((qc_rank(group), resolve(query, group)))
            except Unusable as error:
                reasons.append(str(error))
        if query.label and any(source.suffix == "mask" for _, source in usable):
            usable = [(rank, source) for rank, source in usable if source.suffix == "mask"]
        if not usable:
            unit.absent[key] = "; ".join(reasons)
        elif len(usable) > 1 and self.request.duplicates == "raise":
            unit.doubles[key] = ", ".join(source.name for _, source in usable)
            unit.sources[key] = usable[0][1]
        elif self.request.duplicates == "best-qc":
            unit.sources[key] = min(usable, key=lambda ranked: ranked[0])[1]
        else:
            unit.sources[key] = usable[-1 if self.request.duplicates == "last" else 0][1]

    def objection(self, group: Sequence[Image]) -> str | None:
        """Why an acquisition is not good enough: the first of its images that is not."""
        return next((f"{image.path}: {why}" for image in group if (why := self.quality.objection(image))), None)

    def drawn_elsewhere(self, unit: Unit, mask: Image) -> str | None:
        """Why a mask does not belong to the images of this sample, if so."""
        images = [image for key in self.request.images if key in unit.sources for image in unit.sources[key].images]
        if mask.sources and not {image.path for image in images} & set(mask.sources):
            return f"{mask.path}: it was drawn on {mask.sources[0]}, which is not in this sample"
        return None

    def decide_missing(self) -> None:
        missing = self.request.missing
        if missing == "mask":
            missing = Require(any_of=1)
        if not isinstance(missing, Require):
            for key in self.queries:
                self.lose(f"{key}: {self.queries[key]!r}", lambda unit, key=key: unit.absent.get(key))
            return
        for key in missing.keys:
            self.lose(
                f"{key}: {self.queries[key]!r}" if key in self.queries else key, lambda u, key=key: u.absent.get(key)
            )
        images = self.request.images
        self.lose(
            f"at least {missing.any_of} of {', '.join(images)}",
            lambda unit: (
                None
                if sum(key in unit.sources for key in images) >= missing.any_of
                else "; ".join(f"{key}: {reason}" for key, reason in unit.absent.items())
            ),
        )

    def raise_if_strict(self) -> None:
        """With ``missing='raise'``, what is not there is an error; only ``where`` may leave samples out."""
        lines = [
            f"{unit.title}: {unit.lost[0].partition(':')[0]}: {unit.lost[1]}"
            for unit in self.units
            if unit.lost and not unit.lost[0].startswith("where ")
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
                f"or 'best-qc':\n{listing(lines)}"
            )

    # --- what must agree

    def check_grids(self) -> None:
        lines: list[str] = []
        for unit in self.left():
            found = {key: unit.sources[key].images[0] for key in self.queries if key in unit.sources}
            images = {key: image for key, image in found.items() if not image.is_table}
            for key in self.request.labels:
                if key in images and not any(
                    same_grid(images[key], images[k]) for k in self.request.images if k in images
                ):
                    lines.append(f"{unit.title}: the mask {images[key].path} is on the grid of no image of the sample")
            if self.request.grid == "same":
                first, *others = images.values()
                lines += [f"{unit.title}: {o.path} and {first.path}" for o in others if not same_grid(o, first)]
        if lines:
            raise CohortError(f"Grids differ; leave these out by where=, or ask for other images:\n{listing(lines)}")

    def check_channels(self) -> None:
        """Zeros for what is masked need one number of channels a key."""
        if self.request.missing in ("raise", "drop"):
            return
        for key in self.queries:
            seen: dict[int, str] = {}
            for unit in self.left():
                if key in unit.sources:
                    seen.setdefault(unit.sources[key].channels, unit.title)
            if len(seen) > 1:
                words = ", ".join(f"{n} in {title}" for n, title in seen.items())
                raise CohortError(f"{key}: the number of volumes differs ({words}); fix it by phases= or bvalues=.")

    # --- the result

    def cohort(self, targets: Mapping[str, Target]) -> Cohort:
        units = self.left()
        masked = self.request.missing not in ("raise", "drop")
        templates = {key: next((u.sources[key] for u in units if key in u.sources), None) for key in self.queries}
        merged = {key for unit in units for key, source in unit.sources.items() if source.union or source.indices}
        rows = [sample_row(unit, self.queries, templates, targets, self.row(unit), masked, merged) for unit in units]
        used = {image.path: image for unit in units for source in unit.sources.values() for image in source.images}
        return Cohort(
            self.db.root,
            rows,
            image_keys=tuple(self.request.images),
            label_keys=tuple(self.request.labels),
            classes={name: t.classes for name, t in targets.items() if isinstance(t, Categorical)},
            identities={path: image.voxels_sha256 for path, image in used.items() if image.voxels_sha256},
            report=self.report(),
            description=repr(self.request),
        )

    def report(self) -> Report:
        lost = [Dropped(u.sample_id, u.site, *u.lost) for u in self.units if u.lost]
        return Report(tuple(self.counts), tuple(lost))

    def reasons(self) -> list[str]:
        return [f"{unit.title}: {unit.lost[1]}" for unit in self.units if unit.lost]
