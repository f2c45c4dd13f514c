"""What annotations are called: words for a query that meets none of them, or too many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..index.image import Image
from .policies import near_spelling
from .query import Q

CONSENSUS = "consensus"


def near_label(query: Q, annotations: Iterable[Image]) -> str:
    """`` (did you mean 'lesion'?)`` where no annotation has a label or a reader asked for, and one is spelt alike."""
    there = list(annotations)
    labels = {name for image in there for name in _labels(image)}
    readers = {name for image in there for name in _readers(image)}
    for asked, known in ((query.label, labels), (query.reader, readers)):
        folded = {name.lower() for name in known}
        for word in asked:
            if word not in known and (known is labels or word.lower() not in folded):
                return near_spelling(word, sorted(known))
    return ""


def has_consensus(annotations: Sequence[Image]) -> bool:
    """Whether there is a drawing of the consensus beside those of readers."""
    readers = {name.lower() for image in annotations for name in _readers(image)}
    return CONSENSUS in readers and len(readers) > 1


def _labels(image: Image) -> Iterable[str]:
    return filter(None, (image.label, image.entity.get("label"), *(name for name, _ in image.regions)))


def _readers(image: Image) -> Iterable[str]:
    return filter(None, (image.reader, image.entity.get("desc")))
