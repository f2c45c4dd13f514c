"""The certificate of a release: what was done so that nobody is named, what was looked for, and what was not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from ..deidentify.kept import Kept, KeptText
from ..deidentify.options import VISUAL_FEATURES
from ..tables import json_bytes
from .caveats import not_checked, not_claimed, risks
from .certificate import Certificate, Claim, Facts, FieldLine, KeptLine, ValueCount
from .dataset import write_if_changed
from .page import page

CERTIFICATE_FILES = ("curation/certificate.json", "curation/certificate.html")
MOST_VALUES = 60
MOST_LETTERS = 80
CLOSED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.,:;/()+-]{0,79}")
"""What a word of ours looks like: a kind, a keyword, a version, a day."""

FORMS = {
    "hash": "replaced by a keyed pseudonym",
    "label": "replaced by a label of this release",
    "years": "as age in whole years; 89 stands for 89 and over",
    "offset": "as time since the first acquisition of the session",
    "number": "as a number within fixed limits",
    "words": "only where it is a listed word",
    "pattern": "only where it matches a listed pattern, or was accepted by a person",
    "record": "only as the harmonised record tells it",
    "with": "only as with or without contrast agent, and the kind of agent",
    "image": "only in the grid and the values of the image itself",
    "shift": "moved by a secret number of days for each participant",
    "asked": "not at all",
}
"""How a field leaves, in plain words, by the action of the allow-list."""


def certify(facts: Facts) -> Certificate:
    """The certificate of a release.

    Raises ``ValueError`` where a word that has to be one of ours (a kind, a keyword, a version) does not look like one:
    it might be a raw value.
    """
    _check_words(facts)
    options = facts.options
    defaced = facts.faces is not None and facts.faces.defaced > 0
    fields = tuple(_fields(facts))
    return Certificate(
        date=facts.date,
        trial=facts.trial,
        versions=dict(sorted(facts.versions.items())),
        key=facts.key,
        edition=facts.edition,
        allow_list=options.allowed.version,
        participants=facts.participants,
        sessions=facts.sessions,
        images=facts.kept.images,
        claimed=tuple(
            Claim(c.value, c.meaning, "for the images from which a face was removed" if c == VISUAL_FEATURES else "")
            for c in options.claims(defaced=defaced)
        ),
        not_claimed=tuple(Claim(c.value, c.meaning, why) for c, why in not_claimed(options, defaced=defaced)),
        fields=fields,
        actions=dict(sorted(Counter(line.action for line in fields).items())),
        removed=dict(sorted(facts.removed.items())),
        accepted=facts.accepted,
        rejected=facts.rejected,
        kept=tuple(_kept(facts.kept)),
        search=facts.search,
        pixels=facts.pixels,
        faces=facts.faces,
        anonymity=facts.anonymity,
        inspection=facts.inspection,
        risks=risks(facts),
        not_checked=not_checked(facts),
    )


def write_certificate(root: Path, certificate: Certificate) -> bool:
    """``curation/certificate.json`` and ``curation/certificate.html``; whether either had to change."""
    contents = (json_bytes(certificate.to_json()), page(certificate).encode("utf-8", "backslashreplace"))
    changed = [write_if_changed(root / name, data) for name, data in zip(CERTIFICATE_FILES, contents, strict=True)]
    return any(changed)


def _check_words(facts: Facts) -> None:
    kinds = [k.kind for k in facts.search.kinds] if facts.search else []
    words = [facts.date, facts.key, facts.edition, *facts.versions, *facts.versions.values(), *kinds]
    for word in (*words, *facts.stopped, *facts.removed):
        if not CLOSED.fullmatch(word):
            raise ValueError("a word of the certificate is none of ours, and might be a raw value")


def _fields(facts: Facts) -> Iterator[FieldLine]:
    """The allow-list of the trial with what became of each field."""
    options = facts.options
    forms = dict(FORMS)
    if options.keep_dates:
        forms["shift"] = "as it is (keep_dates)"
    if options.keep_times:
        forms["offset"] = "as the time of day (keep_times)"
    if options.weight:
        forms["asked"] = "in whole kilograms (weight)"
    for f in options.allowed.fields:
        images = facts.kept.images_with.get(f.keyword, 0) if f.bids else None
        form = forms.get(f.action, f.action)
        yield FieldLine(f.keyword, f.group, f.action, form, images, facts.stopped.get(f.keyword, 0))


def _kept(kept: Kept) -> Iterator[KeptLine]:
    """Every field that leaves as words or numbers, the most frequent values first."""
    by_field: dict[str, list[KeptText]] = defaultdict(list)
    for text in kept.texts:
        by_field[text.field].append(text)
    numbers = {n.field: n for n in kept.numbers}
    for name in sorted({*by_field, *numbers}):
        texts = sorted(by_field.get(name, ()), key=lambda t: (-t.images, t.value))
        values = tuple(ValueCount(_short(t.value), t.images, t.subjects) for t in texts[:MOST_VALUES])
        yield KeptLine(name, len(texts), values, numbers[name].shown if name in numbers else "")


def _short(value: str) -> str:
    return value if len(value) <= MOST_LETTERS else f"{value[:MOST_LETTERS]}…"
