"""The words of a person's name, with and without titles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from .labels import plain_words
from .text import read_yaml

Words = tuple[str, ...]


def name_words(name: str) -> tuple[Words, ...]:
    """The words of a name by which it may be found, the closest first: all of them, then those that are no titles.

    Letter case, accents, order and punctuation do not count. A DICOM name (``family^given^middle^prefix^suffix``) has
    its titles in the last two places as well. A title is left out only beside two words and more: Mr. and Mrs. Black
    are two people. A name of signs alone has no words.

    >>> name_words("Dr. Anna Bläck")
    (('anna', 'black', 'dr'), ('anna', 'black'))
    >>> name_words("Black^Anna^^Dr^MD")[-1], name_words("...")
    (('anna', 'black'), ())
    >>> name_words("Mrs. Black")
    (('black', 'mrs'),)
    """
    full = tuple(sorted(plain_words(name).split()))
    bare = tuple(sorted(_untitled(name)))
    return tuple(dict.fromkeys(filter(None, (full, bare if len(bare) > 1 else ()))))


def _untitled(name: str) -> list[str]:
    titles = _titles()
    parts = name.split("^")
    words = plain_words(_dotted().sub(" ", " ".join(parts[:3]).casefold())).split()
    if len(parts) == 1 and len(words) > 1 and words[0] in titles["first"]:
        words = words[1:]
    return [word for word in words if word not in titles["anywhere"]]


@cache
def _titles() -> Mapping[str, Any]:
    return read_yaml("titles.yaml")


@cache
def _dotted() -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _titles()['dotted']))})(?!\w)\.?")
