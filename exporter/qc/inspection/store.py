"""What the work folder remembers of inspections: what was drawn, what was judged, what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import UsageError
from ...tables import json_bytes, write_private
from ..jsonfile import read_json
from ..ledger.table import read_strictly, whole_number
from .draw import Draw, DrawShape
from .verdicts import COLUMNS, Verdict, checked, table_bytes

FOLDER = "inspection"
DRAW_FILE, TAKEN_FILE = "draw.json", "taken.tsv"
SHEET_FILE, VERDICTS_FILE = "sheet.html", "verdicts.tsv"

Taken = Mapping[int, Mapping[str, Verdict]]
"""The verdicts that were taken in: by the number of the inspection, then by image."""


def folder_of(work: Path, number: int) -> Path:
    """The folder of one inspection."""
    return work / FOLDER / str(number)


def read_draws(work: Path) -> dict[int, Draw]:
    """Every draw by its number, the first one first. Raises ``UsageError`` where one cannot be read."""
    numbers = [n for n in _numbers(work) if (folder_of(work, n) / DRAW_FILE).exists()]
    return {number: _read_draw(folder_of(work, number) / DRAW_FILE) for number in numbers}


def next_number(work: Path) -> int:
    """A number that no inspection has had."""
    return 1 + max(_numbers(work), default=0)


def _numbers(work: Path) -> list[int]:
    """The numbers that folders of inspections bear; a folder of another name is none of ours."""
    names = {path.name: whole_number(path.name) for path in (work / FOLDER).glob("*")}
    return sorted(number for name, number in names.items() if number and name == str(number))


def write_draw(work: Path, draw: Draw) -> None:
    """Remember what was drawn."""
    folder = folder_of(work, draw.number)
    private_folder(folder.parent)
    private_folder(folder)
    write_private(folder / DRAW_FILE, json_bytes(draw.to_json()))


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)


def read_taken(work: Path, draws: Mapping[int, Draw]) -> Taken:
    """All verdicts that were taken in. Raises ``UsageError`` where what was kept of them cannot be read."""
    return {number: _read_taken(folder_of(work, number) / TAKEN_FILE, draw) for number, draw in draws.items()}


def take(work: Path, draw: Draw, verdicts: Mapping[str, Verdict]) -> Mapping[str, Verdict]:
    """Keep verdicts beside what was taken in before: a row that says something replaces what it said earlier."""
    path = folder_of(work, draw.number) / TAKEN_FILE
    merged = {**_read_taken(path, draw), **verdicts}
    write_private(path, table_bytes(draw, merged))
    return merged


def _read_taken(path: Path, draw: Draw) -> dict[str, Verdict]:
    """What was taken in of one draw, checked as strictly as when it was read."""
    rows = [(line.number, line.cells) for line in read_strictly(path, COLUMNS)]
    return checked(path, rows, draw)


def _read_draw(path: Path) -> Draw:
    shape, _ = read_json(path, DrawShape, "put back a copy of it, or delete its folder and draw anew")
    if str(shape.number) != path.parent.name:
        raise UsageError(f"{path}: number: is {shape.number}; expected {path.parent.name}, the name of its folder")
    return Draw.from_json(shape)


def judged_states(draws: Mapping[int, Draw], taken: Taken) -> dict[str, str]:
    """The outcome of every image that was judged, by its state when it was drawn; the latest verdict holds."""
    return {
        image.state: verdict.outcome
        for number, draw in draws.items()
        for image, verdict in _judged(draw, taken.get(number, {}))
        if verdict.outcome
    }


def _judged(draw: Draw, verdicts: Mapping[str, Verdict]) -> Iterable[tuple]:
    return ((image, verdicts[image.path]) for image in draw.images if image.path in verdicts)
