"""The data card of a tree: what it holds, how it came to be, whom it is of, and what to mind.

In the spirit of Datasheets for Datasets (Gebru et al. 2021, doi:10.1145/3458723) and of the dataset cards of the
Hugging Face Hub. Every line is one of ``mappings/card.yaml``, which the leak proof of a release knows too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from trialbids.mappings.card import CARD_FILE, card_template, tree_state

from ..errors import ExportError
from ..files.tables import parse_tsv
from .about import About, read_json, read_text
from .cardtables import Tables
from .files import write_whole
from .smallcells import LEAST, shown_alone
from .written import Written, new_place

if TYPE_CHECKING:
    from ..database import Database

OURS = "trialbids"
SPARSE = 0.5
"""A column that is filled for less is pointed out."""

_FACES = {"quarantine": "faces_out", "defaced": "faces_removed", "allow": "faces_left"}


def write_card(db: Database, out: Path | None = None, *, least: int = LEAST) -> Written:
    """Write the card of a tree to ``curation/DATACARD.md``, or to ``out``.

    Counts of fewer than ``least`` people by what they share are not told. The same tree gives the same card; nothing of
    it is of today. Of a foreign tree it says what can be told, and what cannot.
    Raises :class:`ExportError` where the place cannot be written.
    """
    if out is None and not isinstance(db.root, Path):
        raise ExportError(f"{db.root}: a card cannot be written to an address; give out=.")
    target = Path(db.locate(CARD_FILE)) if out is None else new_place(out, db.root)
    text = card_text(db, least=least)
    try:
        write_whole(target, text.encode())
    except OSError as error:
        raise ExportError(f"{target}: the card cannot be written ({error.strerror}).") from error
    return Written(target, len(db.sessions), 1, _unsaid(db))


def card_text(db: Database, *, least: int = LEAST) -> str:
    """The card as Markdown."""
    return "\n".join(_Card.of(db, least).lines()) + "\n"


def _unsaid(db: Database) -> tuple[str, ...]:
    about = About.read(db.root)
    said = {"a licence (License)": about.licence, "how to cite it (HowToAcknowledge)": about.citation}
    lacks = " and ".join(what for what, text in said.items() if not text)
    return (f"dataset_description.json does not say {lacks}, so neither does the card.",) if lacks else ()


@dataclass(frozen=True, slots=True)
class _Card:
    """One card in the making: each method is a section, in the order of :meth:`lines`."""

    db: Database
    tables: Tables
    about: About
    certificate: Mapping[str, Any]
    made: Mapping[str, Any]
    least: int

    @classmethod
    def of(cls, db: Database, least: int) -> _Card:
        return cls(
            db=db,
            tables=Tables(db, least),
            about=About.read(db.root),
            certificate=read_json(db.root, "curation/certificate.json"),
            made=read_json(db.root, "code/trialbids.json"),
            least=least,
        )

    def lines(self) -> Iterator[str]:
        line = card_template().line
        yield line("title", name=self.about.name or "unnamed")
        yield from ("", line("intro"), "", line("small", least=self.least))
        if isinstance(self.db.root, Path):
            yield from ("", line("state", state=tree_state(self.db.root)))
        for section in (
            self.at_a_glance,
            self.how_made,
            self.left_out,
            self.images,
            self.people,
            self.scanners,
            self.quality,
            self.annotations,
            self.clinical,
            self.limits,
        ):
            yield ""
            yield from section()

    def at_a_glance(self) -> Iterator[str]:
        line, sites = card_template().line, self.tables.sites
        counts = {"people": f"{len(self.db.participants):,}", "sessions": f"{len(self.db.sessions):,}"}
        sequences = {image.record.sequence for image in self.db.images}
        yield from (line("at_a_glance"), "")
        is_told = self.tables.knows_groups
        yield line("people_and_sites", **counts, sites=len(sites)) if is_told else line("people", **counts)
        yield from self._images_at_a_glance(f"{len(self.db.images):,}", len(sequences))
        if self.tables.drawn == "1":
            yield line("drawn_one")
        else:
            yield line("drawn", files=self.tables.drawn) if self.db.annotations else line("no_drawn")
        about = self.about
        yield line("release", version=about.version, day=about.day) if about.version else line("no_release")
        yield line("licence", licence=about.licence) if about.licence else line("no_licence")
        if about.citation:
            yield line("citation", citation=about.citation)

    def _images_at_a_glance(self, images: str, sequences: int) -> Iterator[str]:
        line, root = card_template().line, self.db.root
        if isinstance(root, Path):
            size = sum((root / image.path).stat().st_size for image in self.db.images)
            yield line("images", images=images, sequences=sequences, size=_size(size))
        else:
            yield line("images_unsized", images=images, sequences=sequences)

    def how_made(self) -> Iterator[str]:
        line, about = card_template().line, self.about
        yield from (line("how_made"), "")
        yield line("bids", version=about.bids_version) if about.bids_version else line("no_bids")
        for program, version in about.made_by:
            yield (
                line("program", program=program, version=version) if version else line("program_alone", program=program)
            )
        if OURS not in {program.lower() for program, _ in about.made_by}:
            yield line("foreign")
        asked = self.made.get("de-identification")
        if isinstance(asked, dict):
            yield line("dates_kept" if asked.get("keep_dates") else "dates_moved")
            yield line("times_kept" if asked.get("keep_times") else "times_counted")
            if asked.get("faces") in _FACES:
                yield line(_FACES[asked["faces"]])
            if "site" in asked.get("suppress", ()):
                yield line("sites_hidden")
        yield from self._certified()

    def _certified(self) -> Iterator[str]:
        if not self.certificate:
            return
        line = card_template().line
        search, pixels = self.certificate["search"], self.certificate["pixels"]
        known = sum(kind["searched"] for kind in search["kinds"])
        yield line("searched", files=f"{search['files']:,}", known=f"{known:,}", hits=f"{search['hits']:,}")
        yield line("pixels", images=f"{pixels['looked_at']:,}", held=f"{pixels['held_back']:,}")
        yield line("certificate")

    def left_out(self) -> Iterator[str]:
        line, flow = card_template().line, read_json(self.db.root, "curation/flow.json")
        yield from (line("left_out"), "")
        steps = [s for s in flow.get("steps", ()) if s["kind"] == "milestone" or any(s["removed"].values())]
        if not steps:
            yield line("no_flow")
            return
        yield from (line("left_out_of"), "")
        units = ("subjects", "sessions", "series", "stacks")
        yield from card_template().table(
            "flow", [(step["sentence"], *(f"{step['remaining'][unit]:,}" for unit in units)) for step in steps]
        )
        if without := flow.get("clinical_without_images"):
            yield from ("", line("without_images", people=shown_alone(without, self.least)))

    def images(self) -> Iterator[str]:
        line = card_template().line
        yield from (line("what_images"), "", line("what_images_of"), "")
        yield from _table("sequences", self.tables.sequences())
        titles, rows = self.tables.missing()
        yield from ("", line("by_site"), "", line("by_site_of"), "")
        yield from _table("missing", rows, titles)

    def people(self) -> Iterator[str]:
        line = card_template().line
        yield from (line("who"), "", line("sites"), "")
        yield from _table("sites", self.tables.by_site())
        yield from ("", line("sex"), "")
        yield from _table("sex", self.tables.by_sex()) if self.tables.knows_sex else [line("no_sex")]
        yield from ("", line("age"), "")
        yield from _table("age", self.tables.by_age()) if self.tables.knows_age else [line("no_age")]
        ages = self.tables.ages
        if len(ages) >= 4 * self.least:  # so that as many as may be told are on each side of a quartile
            low, middle, high = (f"{age:.0f}" for age in quantiles(ages, n=4))
            yield from ("", line("age_of", median=middle, low=low, high=high))

    def scanners(self) -> Iterator[str]:
        line, rows = card_template().line, self.tables.scanners()
        yield from (line("scanners"), "")
        unknown = bool(rows) and all(row[:2] == ("n/a", "n/a") for row in rows)
        yield from [line("no_scanners")] if unknown or not self.db.images else _table("scanners", rows)

    def quality(self) -> Iterator[str]:
        line, table = card_template().line, card_template().table
        yield from (line("quality"), "")
        judged = any(image.qc for image in self.db.images)
        yield from table("verdicts", self.tables.verdicts()) if judged else [line("no_quality")]
        if issues := self._issues():
            yield from ("", line("issues"), "")
            yield from table("issues", issues)
        seen = self.certificate.get("inspection")
        if seen:
            counts = {"looked": seen["looked_at"], "images": seen["images"], "wrong": seen["wrong"]}
            shown = {name: f"{count:,}" for name, count in counts.items()}
            yield from ("", line("inspected", **shown, most=f"{100 * seen['at_most']:.1f} %"))
        elif self.certificate:
            yield from ("", line("not_inspected"))

    def _issues(self) -> list[tuple[object, ...]]:
        """Check, severity, and how many findings of it are open and waived."""
        name = "curation/issues.tsv"
        rows = parse_tsv(self.db.locate(name), read_text(self.db.root, name).encode())
        counts = Counter((row["check"], row["severity"], row["state"]) for row in rows)
        found = dict.fromkeys((check, severity) for check, severity, _ in sorted(counts))
        told = [(*key, counts[*key, "open"], counts[*key, "waived"]) for key in found]
        return [(check, severity, f"{o:,}", f"{w:,}") for check, severity, o, w in told if o or w]

    def annotations(self) -> Iterator[str]:
        line, rows = card_template().line, self.tables.annotations()
        yield from (line("annotations"), "")
        yield from _table("annotations", rows) if self.db.annotations else [line("no_annotations")]

    def clinical(self) -> Iterator[str]:
        line, rows = card_template().line, [row for row, _ in self.tables.clinical()]
        yield from (line("clinical"), "")
        if rows:
            yield from (line("clinical_of"), "")
        yield from card_template().table("clinical", rows) if rows else [line("no_clinical")]

    def limits(self) -> Iterator[str]:
        line = card_template().line
        yield from (line("limits"), "", line("split"))
        yield from self._site_limits()
        sexes = {row.get("sex") for row in self.db.participants.values()}
        if len(sexes) == 1 and self.tables.knows_sex:
            yield line("one_sex")
        models = {row[:2] for row in self.tables.scanners()}
        if len(models) == 1 and ("n/a", "n/a") not in models:
            yield line("one_scanner")
        if any(image.datatype in ("anat", "perf", "dwi", "func") for image in self.db.images):
            yield line("arbitrary")
        if sparse := sum(filled < SPARSE for _, filled in self.tables.clinical()):
            yield line("sparse", columns=f"{sparse:,}")
        if problems := {problem.path for problem in self.db.problems}:
            yield line("problems", files=f"{len(problems):,}")
        for name in ("risks", "not_checked"):
            if sentences := self.certificate.get(name, ()):
                yield from ("", line(name), "")
                yield from (line("said", sentence=sentence) for sentence in sentences)

    def _site_limits(self) -> Iterator[str]:
        line, sites = card_template().line, self.tables.sites
        if len(sites) == 1:
            yield line("one_site")
        elif self.tables.knows_groups:
            yield line("few_sites", sites=len(sites))
            if share := self.tables.largest_site:
                yield line("large_site", share=share)


def _table(name: str, rows: Sequence[Sequence[object]], titles: Sequence[str] = ()) -> list[str]:
    """A table, or the sentence that its groups are too small."""
    template = card_template()
    return template.table(name, rows, titles) if rows else [template.line("too_small")]


def _size(count: int) -> str:
    """Bytes in decimal units, three digits of them.

    >>> _size(1_234_567)
    '1.2 MB'
    """
    size, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
