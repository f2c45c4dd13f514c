"""The sheet of a draw, made from the tree: every image is read once, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...progress import Progress
from ...tables import write_private
from . import look
from .draw import Draw
from .look import Figure, Middle
from .population import Released, read_judgement, scans_of
from .sheet import Card, sheet
from .store import SHEET_FILE, VERDICTS_FILE, private_folder
from .verdicts import table_bytes


def lay_out(draw: Draw, images: Sequence[Released], root: Path, to: Path, title: str, progress: Progress) -> None:
    """Write the sheet and the table to fill in; the folder and both files are for their owner alone.

    ``images`` are all those of the tree. Raises ``UsageError`` where one of the draw cannot be read.
    """
    cards = make_cards(draw, images, root, progress)
    private_folder(to)
    write_private(to / SHEET_FILE, sheet(draw, cards, title, len(images)).encode())
    write_private(to / VERDICTS_FILE, table_bytes(draw))


def make_cards(draw: Draw, images: Sequence[Released], root: Path, progress: Progress) -> list[Card]:
    """What is shown of each image of a draw, in its order."""
    by_path = {image.path: image for image in images}
    drawn = [by_path[image.path] for image in draw.images]
    scans = scans_of(images)
    strips = {image.path: look.of_strip(image, scans[image.scan]) for image in drawn}
    strips = {path: strip for path, strip in strips.items() if len(strip) > 1}
    own: dict[str, list[Figure | None]] = {image.path: [] for image in drawn}
    middles: dict[str, Middle] = {}
    todo = list(dict.fromkeys([*drawn, *(image for strip in strips.values() for image in strip)]))
    in_strips = {image.path for strip in strips.values() for image in strip}
    progress.start("reading", len(todo))
    for image in todo:
        seen = look.load(root, image)
        if image.path in own:
            own[image.path] = [look.slices(seen), look.planes(seen), look.volumes(seen)]
        if image.path in in_strips:
            middles[image.path] = seen.middle
        progress.advance()
    progress.done()
    cards = []
    for image in drawn:
        strip = look.phases(image, [middles[other.path] for other in strips.get(image.path, [])])
        figures = tuple(figure for figure in (*own[image.path], strip) if figure is not None)
        cards.append(Card(image, read_judgement(root, image), figures))
    return cards
