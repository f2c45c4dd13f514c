"""Who is left out by no fold, or tested on in some only, as after a part was changed in the table by hand."""

from __future__ import annotations

from collections.abc import Mapping

from .design import TEST, VAL, Design

SHOWN = 10


def never_held_out(words: Mapping[str, Mapping[str, str]], design: Design | None) -> list[str]:
    """Notes that name whom no fold leaves out, where folds leave everybody out in turn, and who is in the test part of
    some folds only, where it is one for all.

    ``words`` gives, by fold, the part of every participant. Who is the test part of all folds is none of them. Where
    it is not known how the parts were made, the part that nobody is in twice is what the folds leave out.
    """
    if len(words) < 2 or (design is not None and not design.folds):
        return []
    people = list(next(iter(words.values())))
    of_person = {person: [fold[person] for fold in words.values()] for person in people}
    turning = {person: given for person, given in of_person.items() if set(given) != {TEST}}
    part = _in_turn(turning) if design is None else design.left_out
    if part is None:
        return []
    never = [person for person, given in turning.items() if part not in given]
    mixed = [person for person, given in turning.items() if part != TEST and TEST in given]
    return [
        f"{len(who)} of {len(people)} participants {what}: {', '.join(who[:SHOWN])}"
        f"{f' and {len(who) - SHOWN} more' if len(who) > SHOWN else ''}; look whether the table was changed by hand"
        for who, what in (
            (never, f"are {part} in no fold, while the folds leave out everybody else in turn"),
            (mixed, "are tested on in some folds and learnt from in others, while the test part is the same in all"),
        )
        if who
    ]


def _in_turn(of_person: Mapping[str, list[str]]) -> str | None:
    """The part that some are in once, and nobody twice."""
    counts = {part: [given.count(part) for given in of_person.values()] for part in (TEST, VAL)}
    return next((part for part, held in counts.items() if any(held) and max(held) == 1), None)
