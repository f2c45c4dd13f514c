"""The contact sheet: one page with everything in it, no script, nothing loaded from elsewhere, readable on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .draw import Draw
from .judged import INSPECTION
from .look import Figure
from .population import Judgement, Released
from .verdicts import RIGHT, UNSURE, WRONG
from .words import further, headline

STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif;color:#1c2330;background:#fff;
max-width:92rem;margin:0 auto;padding:1.5rem 1.5rem 4rem}
h1{font-size:1.6rem;line-height:1.2;margin:0 0 .2rem}
h2{font-size:1.15rem;line-height:1.3;margin:0}
h3{font-size:.95rem;margin:.9rem 0 .2rem}
p{margin:.35rem 0;max-width:56rem}
.sub{color:#4a5568}
.private{border-left:4px solid #9a3412;background:#fff4ed;padding:.6rem 1rem;margin:1rem 0;max-width:none}
nav ol{columns:18rem;padding-left:2.2rem;margin:.4rem 0}
a{color:#0b5394}
article{border-top:3px solid #1c2330;margin-top:2rem;padding-top:.7rem}
.file{font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.8rem;color:#4a5568;overflow-wrap:anywhere}
.two{display:grid;grid-template-columns:minmax(0,1fr) 19rem;gap:1.2rem;margin-top:.6rem}
figure{margin:0 0 .7rem}
img{display:block;max-width:100%;height:auto;background:#000}
figcaption{font-size:.82rem;color:#4a5568;margin-top:.2rem}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.15rem .5rem .15rem 0;border-bottom:1px solid #e2e7ee;font-weight:400}
th{color:#4a5568;width:9rem}
td{font-variant-numeric:tabular-nums}
.verdict{display:inline-block;border:1px solid currentColor;border-radius:.3rem;padding:0 .45rem;font-size:.85rem;
font-weight:600}
.pass{color:#1b5e20}.warn,.waived{color:#8a4b00}
ul{padding-left:1.1rem;margin:.2rem 0;font-size:.85rem}
.ask td{white-space:nowrap}
.ask td,.ask th{padding:.3rem .5rem .3rem 0}
.box{display:inline-block;width:.85em;height:.85em;border:1.5px solid #4a5568;
margin:0 .25em 0 .1em;vertical-align:-.08em}
.line{border-bottom:1px solid #4a5568;height:1.6rem}
@page{size:A4;margin:11mm}
@media print{body{font-size:9pt;padding:0;max-width:none}nav{display:none}
article{break-before:page;border:0;margin:0;padding:0}figure,table{break-inside:avoid}
.two{grid-template-columns:minmax(0,1fr) 15rem}
img{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
@media (max-width:60rem){.two{grid-template-columns:minmax(0,1fr)}}
"""

METRICS = {"mean": "mean", "snr": "SNR", "efc": "entropy focus", "fber": "FBER", "foreground": "foreground share"}


@dataclass(frozen=True, slots=True)
class Card:
    """All that is shown of one image."""

    image: Released
    judgement: Judgement
    figures: tuple[Figure, ...]


def sheet(draw: Draw, cards: Sequence[Card], title: str, images: int) -> str:
    """The page as HTML; every text in it is escaped. ``images`` is how many there were to draw from."""
    name = escape(f"Inspection {draw.number} of {title}")
    body = [*_head(draw, name, images), *_index(cards)]
    for position, card in enumerate(cards, start=1):
        body += _card(card, position, len(cards))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none';style-src 'unsafe-inline';img-src data:\">\n"
        f"<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _head(draw: Draw, name: str, images: int) -> Iterator[str]:
    yield f"<header><h1>{name}</h1>"
    yield (
        f'<p class="sub">{len(draw.images):,} of {images:,} released images, drawn at random by site and sequence with '
        f"seed {draw.seed}. The order is random too: whoever stops halfway has seen a random sample as well.</p>"
    )
    yield (
        '<p class="private"><strong>Private.</strong> This page holds images. It does not belong to the release: keep '
        "it in the work folder, or give it to the readers alone.</p>"
    )
    yield (
        f"<p>For each image write <b>{RIGHT}</b>, <b>{WRONG}</b> or <b>{UNSURE}</b> into verdicts.tsv, in the line "
        "that stands beside it here. An empty cell is one not looked at yet; you may stop and come back.</p>"
    )
    yield "<table><tbody>"
    for aspect in INSPECTION:
        yield f"<tr><th scope=row><b>{aspect.name}</b></th><td>{escape(aspect.question)}</td></tr>"
    yield "</tbody></table></header>"


def _index(cards: Sequence[Card]) -> Iterator[str]:
    yield '<nav aria-label="Images"><h3>Images</h3><ol>'
    for position, card in enumerate(cards, start=1):
        text = f"{card.image.sequence}, {card.image.site}"
        yield f'<li><a href="#i{position}">{escape(text)}</a></li>'
    yield "</ol></nav>\n<main>"


def _card(card: Card, position: int, count: int) -> Iterator[str]:
    image = card.image
    yield f'<article id="i{position}" aria-labelledby="h{position}">'
    yield f'<h2 id="h{position}">{position} of {count}: {escape(headline(image.words))}</h2>'
    where = f"site {image.site}, scan {image.acquisition_id}, line {position + 1} of verdicts.tsv"
    yield f'<div class="sub">{escape(where)}</div>'
    yield f'<div class="file">{escape(image.path)}</div>'
    yield '<div class="two"><div>'
    for figure in card.figures:
        yield _figure(figure, image)
    yield "</div><div>"
    yield from _ask(card)
    yield "<h3>The record</h3>"
    yield from _table(
        [("label", image.sequence), ("confidence", image.words.get("confidence", "")), *further(image.words)]
    )
    yield from _checks(card.judgement)
    yield "</div></div></article>"


def _figure(figure: Figure, image: Released) -> str:
    width, height = figure.size
    alt = escape(f"{image.sequence}: {figure.caption}", quote=True)
    return (
        f'<figure><img src="{figure.uri}" width="{width}" height="{height}" alt="{alt}">'
        f"<figcaption>{escape(figure.caption)}</figcaption></figure>"
    )


def _ask(card: Card) -> Iterator[str]:
    """Boxes to tick on paper."""
    box = '<span class="box" aria-hidden="true"></span>'
    yield "<h3>Your verdict</h3><table class=ask><tbody>"
    for aspect in INSPECTION:
        words = " ".join(f"{box}{word}" for word in (RIGHT, WRONG, UNSURE))
        yield f"<tr><th scope=row>{aspect.name}</th><td>{words}</td></tr>"
    yield '</tbody></table><div class="line sub">comment</div>'


def _checks(judgement: Judgement) -> Iterator[str]:
    word = escape(judgement.verdict)
    yield f'<h3>The checks</h3><p><span class="verdict {word}">{word}</span></p>'
    if judgement.checks:
        yield "<ul>"
        for code, severity, message in judgement.checks:
            yield f"<li><b>{escape(code)}</b> ({escape(severity)}): {escape(message)}</li>"
        yield "</ul>"
    else:
        yield '<p class="sub">No check has anything to say.</p>'
    if judgement.metrics:
        yield "<h3>The metrics</h3>"
        yield from _table([(METRICS.get(name, name), f"{value:.4g}") for name, value in judgement.metrics])


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "<table><tbody>"
    for name, value in rows:
        if value:
            yield f"<tr><th scope=row>{escape(name)}</th><td>{escape(value)}</td></tr>"
    yield "</tbody></table>"
