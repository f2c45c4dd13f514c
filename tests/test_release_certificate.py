"""The certificate: what it says, what it never holds, and the page that a data-protection officer reads."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from trialbids.exporter.deidentify.anonymity import Quasi, assess
from trialbids.exporter.deidentify.kept import Kept, KeptNumbers, KeptText
from trialbids.exporter.deidentify.options import Options
from trialbids.exporter.release.certificate import NO_LEGAL, Faces, Facts, IdentifierKind, Pixels, Search
from trialbids.exporter.release.certify import MOST_VALUES, certify, write_certificate
from trialbids.exporter.release.page import page

KEPT = Kept(
    images=12,
    texts=(KeptText("SequenceName", "*fl3d1", 2, 1), KeptText("SequenceName", "*tse2d1_25", 10, 4)),
    numbers=(KeptNumbers("EchoTime", 0.01, 0.1, 7, 12, 4),),
    images_with={"SequenceName": 12, "EchoTime": 12, "StudyInstanceUID": 12},
    models={"sub-A": frozenset({"Skyra"})},
)
GROUPS = assess(Quasi(("site", "sex"), (("S01", "F"),) * 6 + (("S02", "F"),)))
FACTS = Facts(
    date="2025-03-04",
    trial="demo",
    versions={"trialbids": "0.1.0"},
    key="0123456789abcdef",
    edition="2025b",
    participants=7,
    sessions=9,
    options=Options(),
    kept=KEPT,
    stopped={"SequenceName": 3},
    removed={"private attributes": 4012},
    accepted=1,
    rejected=2,
    search=Search((IdentifierKind("patient_name", 7, 5, 1, 1),), files=55, hits=0, sessions_stopped=0),
    pixels=Pixels(looked_at=14, read_by_engine=1, held_back=1),
    faces=Faces(held_back=2, allowed=0, defaced=0, unknown=1),
    anonymity=GROUPS,
)


class Page(HTMLParser):
    """Tags and visible text of a page; loud where a tag is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def text_of(facts: Facts) -> str:
    return Page(page(certify(facts))).text


def test_it_says_first_that_it_is_no_legal_certificate() -> None:
    text = text_of(FACTS)
    assert NO_LEGAL in text
    assert text.index(NO_LEGAL) < text.index("7 participants")
    assert certify(FACTS).to_json()["statement"] == NO_LEGAL


@pytest.mark.parametrize(
    ("options", "claimed"),
    [
        (Options(), ["113100", "113107", "113108"]),
        (Options(keep_dates=True), ["113100", "113106", "113108"]),
        (Options(device=True), ["113100", "113107", "113108", "113109"]),
    ],
)
def test_all_thirteen_codes_stand_once_claimed_or_with_the_reason_why_not(options: Options, claimed: list[str]) -> None:
    made = certify(replace(FACTS, options=options))
    assert [c.code for c in made.claimed] == claimed
    assert sorted(c.code for c in (*made.claimed, *made.not_claimed)) == [str(113100 + n) for n in range(13)]
    assert all(c.why for c in made.not_claimed)


def test_removed_faces_are_claimed_only_where_a_command_ran() -> None:
    made = certify(replace(FACTS, faces=Faces(held_back=0, allowed=0, defaced=3, unknown=0)))
    assert "113102" in [c.code for c in made.claimed]
    assert "113102" not in [c.code for c in certify(FACTS).claimed]


def test_every_field_of_the_list_is_told_with_its_form_and_counts() -> None:
    lines = {line.field: line for line in certify(FACTS).fields}
    assert len(lines) == len(Options().allowed.fields)
    assert (lines["SequenceName"].images, lines["SequenceName"].stopped) == (12, 3)
    assert (lines["ScanOptions"].images, lines["PatientID"].images) == (0, None)
    assert lines["PatientWeight"].form == "not at all"
    weighed = certify(replace(FACTS, options=Options(weight=True)))
    assert {line.field: line.form for line in weighed.fields}["PatientWeight"] == "in whole kilograms (weight)"
    assert all(line.form != line.action for line in lines.values())


def test_the_distinct_values_stand_with_their_counts_the_most_frequent_first() -> None:
    kept = {line.field: line for line in certify(FACTS).kept}
    assert [(v.value, v.images) for v in kept["SequenceName"].values] == [("*tse2d1_25", 10), ("*fl3d1", 2)]
    assert kept["EchoTime"].numbers == "0.01 to 0.1 (7 values)"
    assert "*tse2d1_25 (10), *fl3d1 (2)" in text_of(FACTS)


def test_the_page_tells_the_figures_in_words() -> None:
    text = text_of(replace(FACTS, participants=1234))
    for sentence in (
        "1,234 participants",
        "of 5 searched for, in 55 files",
        "The smallest group is k = 1. 1 of 7 participants are in 1 groups under 5",
        "leave out site",
        "In the others text was not detected.",
        "private attributes 4,012",
        "Too short or too common to be searched for safely: 2 known identifiers.",
        "Whether a face is in view in 1 image whose body part is not known.",
    ):
        assert sentence in text


def test_nothing_is_said_to_be_free_of_anything() -> None:
    text = text_of(FACTS).casefold()
    assert "free of" not in text
    assert "anonymised" not in text


def test_what_the_trial_asked_for_stands_among_the_risks() -> None:
    options = Options(keep_dates=True, keep_times=True, device=True, weight=True)
    facts = replace(FACTS, options=options, faces=Faces(held_back=0, allowed=4, defaced=0, unknown=0), dicom=True)
    told = " ".join(certify(facts).risks)
    for word in (
        "(keep_dates)",
        "(keep_times)",
        "(device)",
        "(weight)",
        "4 images may show a face",
        "DICOM lies beside",
    ):
        assert word in told
        assert word not in " ".join(certify(FACTS).risks)


def test_what_did_not_run_is_said_and_no_figure_stands_in_its_place() -> None:
    made = certify(replace(FACTS, search=None, pixels=None, faces=None, anonymity=None))
    assert len(made.not_checked) == len(certify(FACTS).not_checked) + 3  # four sentences, one fewer on faces
    text = Page(page(made)).text
    assert "The search for known identifiers did not run." in text
    assert "not looked for" in text
    assert "of 0 searched for" not in text


def test_hits_and_stopped_sessions_are_told() -> None:
    search = Search((IdentifierKind("patient_id", 7, 7, 0, 0),), files=55, hits=2, sessions_stopped=1)
    text = text_of(replace(FACTS, search=search))
    assert "2 known identifiers stood in what was about to be released" in text
    assert "1 session stopped" in text


def test_the_page_loads_nothing_and_escapes_everything() -> None:
    hostile = "<img src=https://evil.example onerror='x'>&amp;\"\u202e"
    kept = replace(KEPT, texts=(KeptText("SequenceName", hostile, 1, 1),))
    groups = assess(Quasi((hostile,), ((hostile,),)))
    html = page(certify(replace(FACTS, kept=kept, anonymity=groups, trial=hostile)))
    found = Page(html)
    assert not {tag for tag, _ in found.tags} & {"img", "script", "link", "iframe", "object", "a", "base", "form"}
    assert not any(name in ("src", "href", "style") or name.startswith("on") for _, a in found.tags for name in a)
    assert "url(" not in html
    assert "@import" not in html
    assert hostile in "".join(found.words)


@pytest.mark.parametrize(
    "facts",
    [
        replace(FACTS, search=Search((IdentifierKind("Müller^Änne", 1, 1, 0, 0),), 1, 0, 0)),
        replace(FACTS, removed={"MEIER^HANS": 1}),
        replace(FACTS, stopped={"a\tb": 1}),
        replace(FACTS, versions={"x" * 200: "1"}),
    ],
)
def test_a_word_that_is_none_of_ours_is_refused_without_being_repeated(facts: Facts) -> None:
    with pytest.raises(ValueError, match=r"^a word of the certificate is none of ours, and might be a raw value$"):
        certify(facts)


def test_its_size_is_bounded_whatever_the_trial_holds() -> None:
    chance = random.Random(1)
    texts = tuple(KeptText("SequenceName", f"{n} " + "x" * 300, n, 1) for n in range(1, 20_000))
    rows = tuple((str(n), chance.choice("FM")) for n in range(20_000))
    made = certify(replace(FACTS, kept=replace(KEPT, texts=texts), anonymity=assess(Quasi(("site", "sex"), rows))))
    kept = next(line for line in made.kept if line.field == "SequenceName")
    assert (kept.distinct, len(kept.values), kept.values[0].images) == (19_999, MOST_VALUES, 19_999)
    assert len(page(made)) < 200_000
    assert len(json.dumps(made.to_json())) < 200_000
    assert f"and {19_999 - MOST_VALUES:,} rarer ones" in Page(page(made)).text


def test_both_files_are_written_once_and_stay_where_nothing_changes(tmp_path: Path) -> None:
    write_certificate(tmp_path, certify(FACTS))
    files = [tmp_path / "curation" / f"certificate.{kind}" for kind in ("json", "html")]
    before = [file.stat().st_mtime_ns for file in files]
    said = json.loads(files[0].read_text())
    assert said["schema"] == "trialbids-certificate/1"
    assert said["anonymity"]["k"] == 1
    assert said["search"]["hits"] == 0
    write_certificate(tmp_path, certify(FACTS))
    assert [file.stat().st_mtime_ns for file in files] == before
