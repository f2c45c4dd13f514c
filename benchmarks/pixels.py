"""Text rendered into real MR and demo stacks: what the detector finds, what it takes for text, and what it costs.

    TRIALBIDS_TEST_DATA=… python benchmarks/pixels.py             print the tables for the test stacks
    TRIALBIDS_TEST_DATA=… python benchmarks/pixels.py --write     write them into docs/text-in-pixels.md as well
    TRIALBIDS_TEST_DATA=… python benchmarks/pixels.py --development     the stacks that the thresholds were set on

Every stack is converted as in an export; text is drawn on its slices as they were shown on the screen.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import cv2
import numpy as np
from judging import Figure, wilson
from numpy.typing import NDArray
from pixeltext import RENDERINGS, Drawing, Drawn, draw, drawings, lossy
from report import Table, as_markdown, as_text, write_block

from trialbids.exporter.convert import Volume, convert, voxels_sha256
from trialbids.exporter.deidentify.pixels.engine import detect
from trialbids.exporter.deidentify.pixels.find import Text, find_text, suspects
from trialbids.exporter.deidentify.pixels.strokes import Slices, plain
from trialbids.exporter.deidentify.pixels.view import as_shown
from trialbids.exporter.demo.generate import make_trial
from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory.objects import materialise, pixel_digest
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.progress import Silent
from trialbids.exporter.stacks.build import stack_instances

PAGE = Path(__file__).resolve().parents[1] / "docs" / "text-in-pixels.md"
DEVELOPMENT = (
    "*ProstateX-0000*", "dcm_qa_nih/*GE*", "dicom2nifti/ge/*", "dicom2nifti/siemens*", "rt-utils/*",
    "dcmqi/segmentations/*", "dcm_qa_enh/*Philips*", "CHU*",
)  # fmt: skip
"""Whose stacks the thresholds were set on: whole patients or centres. All others are for the test."""
DEMO_PATIENTS = 3
SMALLEST = 40


@dataclass(frozen=True)
class Stack:
    """A clean stack: where from, how its slices were shown, and the processor seconds of its conversion."""

    place: str
    volume: Volume
    orientation: tuple[float, ...] | None
    seconds: float

    def found(self, voxels: NDArray[np.generic]) -> tuple[Text, ...]:
        """What is detected in these voxels, laid out as the stack's own."""
        return find_text(voxels, self.volume.affine, self.orientation)

    def shown(self, voxels: NDArray[np.generic]) -> NDArray[np.generic]:
        """The first volume of these voxels, as (slice, row, column)."""
        return as_shown(voxels[..., 0] if voxels.ndim > 3 else voxels, self.volume.affine, self.orientation)

    def slices(self, voxels: NDArray[np.generic]) -> Slices:
        """The same, ready to be looked at."""
        return Slices.of(self.shown(plain(voxels)))


@dataclass(frozen=True)
class Trial:
    """One drawn text: how, whether its stack was suspected, and whether the box that was detected meets it."""

    drawing: Drawing
    suspected: bool
    found: bool


def main() -> None:
    """Measure and print, and write where asked."""
    options = _options()
    data = Path(os.environ["TRIALBIDS_TEST_DATA"]) / "dicom"
    with tempfile.TemporaryDirectory(prefix="trialbids-pixels-") as name:
        demo = make_trial(Path(name) / "demo", patients=DEMO_PATIENTS)
        sources = ((data, Path(name) / "a"), (demo.sources[0], Path(name) / "b"))
        stacks = [s for source, scratch in sources for s in _stacks(source, scratch)]
    chosen = [s for s in stacks if any(fnmatch(s.place, p) for p in DEVELOPMENT) == options.development]
    tables = [_clean(chosen), *_recall(chosen, options.each), _lossy(chosen), _cost(chosen)]
    print("\n".join(map(as_text, tables)))
    if options.write:
        write_block(PAGE, "\n".join(map(as_markdown, tables)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--development", action="store_true", help="the stacks that the thresholds were set on")
    parser.add_argument("--each", type=int, default=12, help="texts drawn into each stack")
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    return parser.parse_args()


def _stacks(source: Path, scratch: Path) -> Iterator[Stack]:
    """Every stack of grey pixels that an export would convert, each once."""
    scratch.mkdir()
    inventory = scan([source], scratch, engine=Serial(), progress=Silent())
    seen: set[str] = set()
    for stack in stack_instances(inventory.instances, pixel_digest).stacks:
        begin = _cpu()
        try:
            volume = convert(stack, materialise, scratch) if stack.is_image else None
        except ConversionError:
            continue
        seconds = _cpu() - begin
        if volume is None or volume.voxels.dtype.names or voxels_sha256(volume) in seen:
            continue
        seen.add(voxels_sha256(volume))
        place = os.path.relpath(stack.first.path, source)
        yield Stack(place, volume, stack.first.ImageOrientationPatient, seconds)


def _clean(stacks: Sequence[Stack]) -> Table:
    """How many stacks without text reach the detector, and how many it takes for text."""
    reached = sum(bool(suspects(s.slices(s.volume.voxels))) for s in stacks)
    alarms = sum(bool(s.found(s.volume.voxels)) for s in stacks)
    rows = (
        ("reach the text detector", _share(reached, len(stacks))),
        ("are taken for text", _share(alarms, len(stacks))),
    )
    return Table("Stacks without text", ("", "% of stacks (95 % interval)"), rows)


def _recall(stacks: Sequence[Stack], each: int) -> list[Table]:
    """What is found of drawn text, by size and contrast and by everything else."""
    trials = [t for n, s in enumerate(stacks) for t in _trials(s, np.random.default_rng(n), each)]
    sizes = sorted({t.drawing.size for t in trials})
    contrasts = sorted({t.drawing.contrast for t in trials})
    grid = []
    for size in sizes:
        of = [t for t in trials if t.drawing.size == size]
        cells = (_found([t for t in of if t.drawing.contrast == c]) for c in contrasts)
        grid.append((f"{size} px", *cells, _found(of)))
    grid.append(("all", *(_found([t for t in trials if t.drawing.contrast == c]) for c in contrasts), _found(trials)))
    kinds: dict[str, Callable[[Drawing], object]] = {
        "drawn with": lambda d: d.rendering,
        "on": lambda d: "every slice" if d.every_slice else "one slice",
        "place": lambda d: d.place,
        "colour": lambda d: ("bright" if d.bright else "dark") + (", outlined" if d.outlined else ""),
        "stored as": lambda d: d.storage,
    }
    rows = []
    for name, kind in kinds.items():
        for value in sorted({str(kind(t.drawing)) for t in trials}):
            of = [t for t in trials if str(kind(t.drawing)) == value]
            rows.append((f"{name}: {value}", _share(sum(t.suspected for t in of), len(of)), _found(of)))
    columns = ("", *(f"{c:.0%}" for c in contrasts), "all")
    return [
        Table("Found, by height of the capitals and contrast", columns, tuple(grid)),
        Table("Found, by everything else", ("", "suspected, %", "found, %"), tuple(rows)),
    ]


def _trials(stack: Stack, rng: np.random.Generator, each: int) -> Iterator[Trial]:
    """Texts drawn into copies of one stack."""
    if min(stack.shown(stack.volume.voxels).shape[1:]) < SMALLEST:
        return
    for drawing in drawings(rng, each):
        voxels = drawing.stored(plain(stack.volume.voxels)).copy()
        drawn = draw(stack.shown(voxels), drawing, rng)
        if drawn is not None:
            suspected = bool(suspects(stack.slices(voxels)))
            yield Trial(drawing, suspected, _met(drawn, stack.found(voxels)))


def _met(drawn: Drawn, texts: Iterable[Text]) -> bool:
    """Whether a detected box shares a pixel with the drawn one."""
    return any(
        t.row < drawn.row + drawn.rows
        and drawn.row < t.row + t.rows
        and t.column < drawn.column + drawn.columns
        and drawn.column < t.column + t.columns
        for t in texts
    )


def _lossy(stacks: Sequence[Stack]) -> Table:
    """What is found of large bright text after the image was changed as a whole."""
    rows = []
    for name, change in lossy().items():
        hits = total = 0
        for n, stack in enumerate(stacks):
            if min(stack.shown(stack.volume.voxels).shape[1:]) < SMALLEST:
                continue
            rng = np.random.default_rng(n)
            voxels = plain(stack.volume.voxels).copy()
            drawing = Drawing(
                RENDERINGS[n % len(RENDERINGS)], 12, 0.75, True, False, bool(n % 2), "corner", "as it was"
            )
            if draw(stack.shown(voxels), drawing, rng) is None:
                continue
            total += 1
            hits += bool(find_text(change(stack.shown(voxels)).transpose(2, 1, 0)[:, ::-1], np.eye(4)))
        rows.append((name, _share(hits, total)))
    note = "Bright text of 12 pixels and 75 % contrast in a corner; the whole image changed after it was drawn."
    return Table("Found after a change that blurs drawn pixels", ("", "found, %"), tuple(rows), note)


def _cost(stacks: Sequence[Stack]) -> Table:
    """Milliseconds, and the share of the conversion."""
    volume = np.random.default_rng(0).normal(300, 40, (256, 256, 30)).astype(np.int16, order="F")
    prefilter = min(_seconds(lambda: find_text(volume, np.eye(4))) for _ in range(9))
    picture = np.random.default_rng(0).normal(300, 40, (76, 96)).astype(np.int16)
    detect(picture)
    look = min(_seconds(lambda: detect(picture)) for _ in range(5))
    large = [s for s in stacks if s.volume.voxels.size > 500_000] or list(stacks)
    spent = sum(min(_seconds(lambda s=s: s.found(s.volume.voxels)) for _ in range(3)) for s in large)
    converted = sum(s.seconds for s in large)
    share = f"{100 * spent / converted:.1f} % of their conversion"
    rows = (
        ("a volume of 256 x 256 x 30 that is not suspect", f"{1000 * prefilter:.1f} ms"),
        ("one look of the detector", f"{1000 * look:.0f} ms"),
        (f"all of it, on {len(large)} stacks of more than 500,000 voxels", share),
    )
    return Table("Cost on one core", ("", "processor time"), rows, f"OpenCV {cv2.__version__}.")


def _seconds(work: Callable[[], object]) -> float:
    begin = _cpu()
    work()
    return _cpu() - begin


def _cpu() -> float:
    """Seconds of processor, of this process and of the converters it has started: others share the machine."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _found(trials: Sequence[Trial]) -> str:
    return _share(sum(t.found for t in trials), len(trials))


def _share(hits: int, n: int) -> str:
    return f"{Figure(hits / n, *wilson(hits, n), n)}, {hits} of {n}" if n else "–"


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
