"""What the work folder remembers of inspections: what was drawn, what was judged, what follows from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from ...errors import UsageError
from ...tables import json_bytes, read_tsv, write_private
from ..names import ASPECTS
from .draw import Draw
from .verdicts import Verdict, table_bytes

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
    numbers = sorted(int(p.name) for p in (work / FOLDER).glob("*") if p.name.isdecimal() and (p / DRAW_FILE).exists())
    return {number: _read_draw(folder_of(work, number) / DRAW_FILE) for number in numbers}


def next_number(work: Path) -> int:
    """A number that no inspection has had."""
    return 1 + max((int(p.name) for p in (work / FOLDER).glob("*") if p.name.isdecimal()), default=0)


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
    return {number: _read_taken(folder_of(work, number) / TAKEN_FILE) for number in draws}


def take(work: Path, draw: Draw, verdicts: Mapping[str, Verdict]) -> Mapping[str, Verdict]:
    """Keep verdicts beside what was taken in before: a row that says something replaces what it said earlier."""
    path = folder_of(work, draw.number) / TAKEN_FILE
    merged = {**_read_taken(path), **verdicts}
    write_private(path, table_bytes(draw, merged))
    return merged


def _read_taken(path: Path) -> dict[str, Verdict]:
    if not path.exists():
        return {}
    try:
        rows = read_tsv(path)
        verdicts = [
            Verdict(r["image"], {a: r[a] for a in ASPECTS}, r["corrected_label"], r["comment"], r["by"]) for r in rows
        ]
    except (ValueError, KeyError) as error:
        raise UsageError(f"{path}: was changed by hand; delete it and read the verdicts in again") from error
    return {verdict.image: verdict for verdict in verdicts if not verdict.is_empty}


def _read_draw(path: Path) -> Draw:
    try:
        return Draw.from_json(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: was changed by hand; put back a copy, or delete its folder and draw anew") from error


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
