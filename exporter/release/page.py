"""The certificate as a page: one file, no script, nothing loaded from elsewhere, readable on paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ..deidentify.anonymity import LEAST, Anonymity, Offer
from ..qc.inspection.estimate import drawn_of, percent, rounded
from .caveats import counted
from .certificate import Certificate, KeptLine, LookedAt, Search

Cell = str | int

STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif;color:#1c2330;background:#fff;
max-width:62rem;margin:0 auto;padding:2rem 1.5rem 4rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .2rem}
h2{font-size:1.15rem;margin:2.2rem 0 .4rem;padding-top:.8rem;border-top:2px solid #d5dbe5}
h3{font-size:1rem;margin:1.2rem 0 .2rem}
p{margin:.4rem 0;max-width:48rem}
.sub{color:#556072}
.statement{border-left:4px solid #9a6a00;background:#fdf6e3;padding:.7rem 1rem;margin:1.2rem 0;max-width:none}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.6rem;margin:1rem 0}
dl div{border:1px solid #d5dbe5;border-radius:.4rem;padding:.5rem .8rem}
dt{color:#556072;font-size:.85rem}
dd{margin:0;font-size:1.3rem;font-weight:600;font-variant-numeric:tabular-nums}
dd small{display:block;font-size:.8rem;font-weight:400;color:#556072}
table{border-collapse:collapse;max-width:100%;margin:.5rem 0 1rem;font-size:.88rem}
th,td{text-align:left;vertical-align:top;padding:.25rem 1.4rem .25rem 0;border-bottom:1px solid #e6eaf0;
overflow-wrap:anywhere}
th{white-space:nowrap}
td:first-child{min-width:5.5em;overflow-wrap:break-word}
th{font-weight:600;border-bottom:2px solid #d5dbe5}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
ul{max-width:48rem;padding-left:1.2rem;margin:.4rem 0}
li{margin:.25rem 0}
@page{margin:16mm}
@media print{body{font-size:10pt;padding:0;max-width:none}h2,h3{break-after:avoid}
tr,li,dl div,.statement{break-inside:avoid}
thead{display:table-header-group}}
"""


def page(certificate: Certificate) -> str:
    """The page as HTML. Every text of it is escaped; its size is bounded by that of the certificate."""
    c = certificate
    parts = [
        *_head(c),
        *_glance(c),
        *_done(c),
        *_search(c.search),
        *_pixels(c),
        *_groups(c.anonymity),
        *_inspection(c.inspection),
        "<h2>What could still lead to a person</h2>",
        _list(c.risks),
        "<h2>What was not checked</h2>",
        _list(c.not_checked),
        *_fields(c),
        *_values(c.kept),
        *_versions(c),
    ]
    title = escape(f"De-identification of {c.trial}, {c.date}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def _head(c: Certificate) -> Iterator[str]:
    yield f"<h1>De-identification of {escape(c.trial)}</h1>"
    yield f'<p class="sub">Release of {escape(c.date)}. This page belongs to the release.</p>'
    yield f'<p class="statement">{escape(c.statement)}</p>'


def _glance(c: Certificate) -> Iterator[str]:
    tiles = [
        (
            "Released",
            counted(c.participants, "participant"),
            f"{counted(c.sessions, 'session')}, {counted(c.images, 'image')}",
        ),
        ("Smallest group", *_smallest(c.anonymity)),
        ("Known identifiers detected", *_detected(c.search)),
    ]
    if c.pixels is not None:
        seen = f"of {c.pixels.looked_at:,} stacks looked at"
        tiles.append(("Held back for text in the image", counted(c.pixels.held_back, "stack"), seen))
    if c.faces is not None:
        left = f"{c.faces.allowed:,} left with a face, {c.faces.defaced:,} with the face removed"
        tiles.append(("Held back for a face", counted(c.faces.held_back, "image"), left))
    yield "<dl>"
    for name, figure, small in tiles:
        yield f"<div><dt>{escape(name)}</dt><dd>{escape(figure)}<small>{escape(small)}</small></dd></div>"
    yield "</dl>"


def _smallest(found: Anonymity | None) -> tuple[str, str]:
    if found is None:
        return "not counted", "sizes of groups were not counted"
    return counted(found.k, "participant"), f"{found.in_small:,} of {found.participants:,} are in groups under {LEAST}"


def _detected(search: Search | None) -> tuple[str, str]:
    if search is None:
        return "not looked for", "the search did not run"
    searched = sum(kind.searched for kind in search.kinds)
    where = f"of {searched:,} searched for, in {search.files:,} files"
    stopped = f"; {counted(search.sessions_stopped, 'session')} stopped" if search.sessions_stopped else ""
    return f"{search.hits:,}", where + stopped


def _done(c: Certificate) -> Iterator[str]:
    yield "<h2>What was done</h2>"
    yield (
        "<p>Only fields of a fixed list leave, each in the form that the list names; all else is left out, at every "
        "depth of the header. Participants, sessions and identifiers of images are replaced by pseudonyms made with a "
        "secret key. The profile and options are those of DICOM PS3.15; only what ran is claimed.</p>"
    )
    yield _table(
        ("Code", "Claimed", "Note"),
        [(claim.code, claim.meaning, claim.why) for claim in c.claimed],
    )
    yield _table(
        ("Code", "Not claimed", "Why"),
        [(claim.code, claim.meaning, claim.why) for claim in c.not_claimed],
    )
    if c.removed:
        yield "<h3>What was left out</h3>"
        yield _table(("What", "How often"), list(c.removed.items()))
    stopped = sum(line.stopped for line in c.fields)
    yield (
        f"<p>Values of listed fields that were stopped because no listed word or pattern covers them: {stopped:,}. "
        f"Values that a person let out in the review: {c.accepted:,}; that a person stopped: {c.rejected:,}.</p>"
    )


def _search(search: Search | None) -> Iterator[str]:
    yield "<h2>The search for known identifiers</h2>"
    if search is None:
        yield "<p>It did not run.</p>"
        return
    yield (
        "<p>All that the headers say of the participants, of staff and of institutions was collected and searched for, "
        f"in its usual spellings, in all that is released: {search.files:,} files "
        "without this certificate, compressed ones decompressed. "
        f"Detected: {search.hits:,}. Sessions stopped because of it: {search.sessions_stopped:,}. What "
        "is short or a common word occurs by chance, and was not searched for.</p>"
    )
    yield _table(
        ("Kind", "Known", "Searched for", "Too short", "Too common"),
        [(k.kind.replace("_", " "), k.known, k.searched, k.too_short, k.too_common) for k in search.kinds],
    )


def _pixels(c: Certificate) -> Iterator[str]:
    yield "<h2>Text and faces in the images</h2>"
    if c.pixels is None:
        yield "<p>No image was looked at for text in its pixels.</p>"
    else:
        yield (
            f"<p>Text: {c.pixels.looked_at:,} stacks were looked at, {c.pixels.read_by_engine:,} of them by a text "
            f"detector; held back: {c.pixels.held_back:,}. In the others text was not detected.</p>"
        )
    if c.faces is None:
        yield "<p>No image was looked at for whether a head is in view.</p>"
        return
    yield _table(
        ("Images that may show a face", "Images"),
        [
            ("held back", c.faces.held_back),
            ("released as they are (faces: allow)", c.faces.allowed),
            ("released after a command of the trial removed the face", c.faces.defaced),
            ("of these, images whose body part is not known", c.faces.unknown),
        ],
    )


def _inspection(found: LookedAt | None) -> Iterator[str]:
    yield "<h2>What a person saw in a random sample</h2>"
    if found is None:
        yield "<p>No person has looked at a random sample of the images.</p>"
        return
    is_all = found.looked_at == found.images
    how = "" if is_all else ", drawn at random by site and sequence"
    share = "Of these" if is_all else "Estimated from it, of all images"
    bound = "at most" if is_all else "the exact upper bound, with 95 % confidence, is"
    yield (
        f"<p>A person looked at {drawn_of(found.looked_at, found.images)} images{how}: "
        "are label and orientation right, is the whole of it there, do artefacts spoil it? Wrong: "
        f"{found.wrong:,}. "
        f"{share} {rounded(found.rate)} are wrong, {bound} {percent(found.at_most)}. "
        "What is judged wrong leaves the release until it is repaired or waived. "
        f"{found.unchanged:,} of the {found.released:,} released images are as they were when the sample was drawn. "
        "The figures by group are in curation/inspection.json.</p>"
    )


def _groups(found: Anonymity | None) -> Iterator[str]:
    yield "<h2>Groups of participants who look alike</h2>"
    if found is None:
        yield "<p>They were not counted.</p>"
        return
    yield (
        "<p>Participants with the same values in all columns below form a group, as the values are released (n/a is a "
        f"value too). The smallest group is k = {found.k:,}. {found.in_small:,} of {found.participants:,} participants "
        f"are in {found.n_small:,} groups under {LEAST}; all groups: {found.groups:,}.</p>"
    )
    yield _table(
        ("Column", "Distinct values", "Participants with the rarest"),
        [(column.name, column.values, column.rarest) for column in found.columns],
    )
    yield _table(("Size of the group", "Participants"), list(found.sizes))
    if found.offers:
        yield f"<h3>What would bring every group to {LEAST}</h3>"
        yield (
            "<p>Each line is a step that the trial can take, what it costs in values, and what it leaves. Columns are "
            "left out by suppress, ages are put in bands by generalise_age, participants leave with their sources.</p>"
        )
        yield _table(
            ("Step", "Values lost or coarser", "Smallest group", "Still in small groups"), _offers(found.offers)
        )
    if found.small:
        yield f"<h3>Groups under {LEAST}</h3>"
        if found.n_small > len(found.small):
            yield f"<p>The {len(found.small):,} smallest of {found.n_small:,}.</p>"
        names = [column.name for column in found.columns]
        yield _table(("Participants", *names), [(group.participants, *group.values) for group in found.small])


def _offers(offers: Sequence[Offer]) -> list[tuple[Cell, ...]]:
    return [("; then ".join(o.steps), o.cells, o.k or "nobody is left", o.left_small) for o in offers]


def _fields(c: Certificate) -> Iterator[str]:
    yield "<h2>Every field of the list</h2>"
    yield (
        f"<p>Allow-list version {c.allow_list}, {len(c.fields):,} fields. Images: in how many sidecars it stands; "
        "a dash where it stands in none by design (it is in the names, the tables or the image).</p>"
    )
    forms = Counter(line.form for line in c.fields)
    yield _table(("How it leaves", "Fields"), sorted(forms.items()))
    yield _table(
        ("Field", "Group", "How it leaves", "Images", "Values stopped"),
        [(f.field, f.group, f.form, "–" if f.images is None else f.images, f.stopped) for f in c.fields],
    )


def _values(kept: Sequence[KeptLine]) -> Iterator[str]:
    yield "<h2>Every word that leaves</h2>"
    yield "<p>The distinct values in the sidecars, with the number of images; numbers as their range.</p>"
    yield _table(("Field", "Values (images)"), [(line.field, _line(line)) for line in kept])


def _line(line: KeptLine) -> str:
    said = ", ".join(f"{v.value} ({v.images:,})" for v in line.values)
    more = line.distinct - len(line.values)
    rest = f", and {more:,} rarer ones" if more > 0 else ""
    return "; ".join(part for part in (said + rest, line.numbers) if part)


def _versions(c: Certificate) -> Iterator[str]:
    yield "<h2>Versions</h2>"
    rows = [
        *c.versions.items(),
        ("DICOM PS3.15", c.edition),
        ("allow-list", str(c.allow_list)),
        ("fingerprint of the key", c.key),
        ("form of this certificate", c.schema),
    ]
    yield _table(("What", "Version"), rows)


def _list(sentences: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(s)}</li>" for s in sentences) + "</ul>"


def _table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table; columns that hold a number in any row are set to the right."""
    figures = [any(isinstance(row[n], int) for row in rows) for n in range(len(header))]
    head = "".join(_cell("th", name, right) for name, right in zip(header, figures, strict=True))
    body = "".join(
        "<tr>" + "".join(_cell("td", cell, right) for cell, right in zip(row, figures, strict=True)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"


def _cell(tag: str, value: Cell, right: bool) -> str:
    text = f"{value:,}" if isinstance(value, int) else value
    style = ' class="n"' if right else ""
    return f"<{tag}{style}>{escape(text)}</{tag}>"
