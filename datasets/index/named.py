"""What the BIDS name of an image alone tells of its record."""

from __future__ import annotations

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..files.names import Name


def named_record(name: Name, bvalues: tuple[float, ...] = (), *, raw: bool = True) -> Record:
    """The record of an image of which nothing but its name and its b-values (s/mm²) is known.

    The suffix is a sequence where the vocabulary has it, except of a derivative: a mask is no acquisition.
    """
    words = {word.lower(): word for word in vocabulary()["sequence"].values}
    sequence = words.get(name.suffix.lower(), "unknown") if raw else "unknown"
    entities = dict(name.entities)
    part = entities.get("part", "mag")
    return Record(
        sequence=sequence,
        agent="with" if "ce" in entities else "unknown",
        part=part if part in vocabulary()["part"].values else "mag",
        echo_index=_index(entities.get("echo")),
        flip_index=_index(entities.get("flip")),
        bvalues=bvalues if sequence == "DWI" else (),
    )


def _index(label: str | None) -> int | None:
    return int(label) if label and label.isdigit() and int(label) > 0 else None
