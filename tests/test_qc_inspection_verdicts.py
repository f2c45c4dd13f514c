"""Verdicts: what a spreadsheet makes of the table is read, and what is wrong in it is said with its line and column."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from test_qc_inspection_draw import released

from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.inspection.draw import Draw, Drawn
from trialbids.exporter.qc.inspection.population import basis_of
from trialbids.exporter.qc.inspection.store import read_taken, take, write_draw
from trialbids.exporter.qc.inspection.verdicts import COLUMNS, Verdict, read_verdicts, table_bytes
from trialbids.exporter.qc.names import ASPECTS


def drawn(number: int, stack_id: str = "") -> Drawn:
    image = released(number)
    bases = {aspect: basis_of(aspect, image.voxels_sha256, image.affine, image.words) for aspect in ASPECTS}
    return Drawn(image.path, image.site, image.sequence, image.state, stack_id or f"stack{number}", bases)


def draw_of(number: int, *images: int) -> Draw:
    members = tuple(drawn(n) for n in images)
    return Draw(number, 1, {("S01", "T2w"): frozenset(m.state for m in members)}, members)


DRAWS = {1: draw_of(1, 1, 2, 3), 2: draw_of(2, 7, 8)}
Rows = list[dict[str, str]]


def rows_of(draw: Draw) -> Rows:
    return list(csv.DictReader(io.StringIO(table_bytes(draw).decode()), delimiter="\t"))


def write(path: Path, rows: Rows, separator: str = "\t", columns: tuple[str, ...] = COLUMNS, **form: str) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, columns, delimiter=separator, extrasaction="ignore", lineterminator=form.get("end", "\n")
    )
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes((form.get("bom", "") + text.getvalue()).encode("utf-8"))
    return path


def filled(**words: str) -> Rows:
    """The table of inspection 1, its second row filled in."""
    rows = rows_of(DRAWS[1])
    rows[1] |= words
    return rows


@pytest.mark.parametrize("separator", ["\t", ";", ","])
@pytest.mark.parametrize("form", [{}, {"end": "\r\n"}, {"bom": "\ufeff", "end": "\r\n"}])
def test_what_a_spreadsheet_makes_of_it_is_read(tmp_path: Path, separator: str, form: dict[str, str]) -> None:
    rows = filled(label="Wrong", orientation="RIGHT", corrected_label="ADC plane=sag", comment='dark, "odd"; small')
    draw, verdicts = read_verdicts(write(tmp_path / "v.csv", rows, separator, COLUMNS[::-1], **form), DRAWS)
    assert draw.number == 1
    (verdict,) = verdicts.values()
    assert verdict.words == {"label": "wrong", "orientation": "right", "completeness": "", "artefact": ""}
    assert (verdict.corrected_label, verdict.comment) == ("ADC plane=sag", 'dark, "odd"; small')


def test_a_half_filled_table_is_fine_and_rows_may_be_missing(tmp_path: Path) -> None:
    rows = filled(label="right")[1:]
    _, verdicts = read_verdicts(write(tmp_path / "v.tsv", rows), DRAWS)
    assert [verdict.outcome for verdict in verdicts.values()] == [""]


CHANGES: dict[str, tuple[Callable[[Rows], object], str]] = {
    "illegal word": (lambda r: r[0].update(label="ok"), r"line 2: column label: 'ok': expected right, wrong, unsure"),
    "unknown image": (lambda r: r[1].update(image="sub-x"), r"line 3: column image: is no image of inspection 1"),
    "another's image": (lambda r: r[1].update(image=drawn(7).path), r"line 3: column image: .* is of inspection 2"),
    "image twice": (lambda r: r.append(r[0]), r"line 5: column image: stands in line 2 already"),
    "changed row": (lambda r: r[2].update(site="S09"), r"line 4: column site: 'S09': expected 'S01', as it was drawn"),
    "unknown number": (lambda r: [x.update(inspection="9") for x in r], r"line 2: column inspection: '9': there is no"),
    "no number": (lambda r: r[1].update(inspection=""), r"line 3: column inspection: '': there is no such"),
    "two numbers": (lambda r: r[1].update(inspection="2"), r"line 3: column inspection: 2: line 2 says 1"),
    "no such label": (
        lambda r: r[0].update(label="wrong", corrected_label="T2"),
        r"line 2: column corrected_label: 'T2'",
    ),
    "no such value": (
        lambda r: r[0].update(label="wrong", corrected_label="plane=up"),
        r"line 2: column corrected_label: 'plane=up': expected one of ax, sag",
    ),
    "corrected though right": (
        lambda r: r[0].update(corrected_label="ADC"),
        r"line 2: column corrected_label: .* not wrong",
    ),
    "endless comment": (lambda r: r[0].update(comment="x" * 3000), r"line 2: column comment: expected at most 2,000"),
    "no rows": (lambda r: r.clear(), r"line 2: holds no rows"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_wrong_is_said_in_one_sentence_with_its_place(
    tmp_path: Path, change: tuple[Callable[[Rows], object], str]
) -> None:
    rows = rows_of(DRAWS[1])
    change[0](rows)
    with pytest.raises(UsageError, match=r"v\.tsv: " + change[1]) as told:
        read_verdicts(write(tmp_path / "v.tsv", rows), DRAWS)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "is a workbook"),
        ("image\tlabel\n".encode("utf-16"), "is UTF-16 text"),
        (b"image\tlabel\nx\tright\n", "line 1: has no column inspection"),
        ("\t".join((*COLUMNS, "mood")).encode() + b"\n", "line 1: column 'mood': expected"),
        (("\t".join(COLUMNS) + "\n").encode() + b"1\tgr\xfcn\n", "line 2: this is not UTF-8"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "v.tsv").write_bytes(content)
    with pytest.raises(UsageError, match=sentence):
        read_verdicts(tmp_path / "v.tsv", DRAWS)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        read_verdicts(tmp_path / "none.tsv", DRAWS)


def test_later_reads_update_and_an_empty_row_changes_nothing(tmp_path: Path) -> None:
    write_draw(tmp_path, DRAWS[1])
    one, two = drawn(1).path, drawn(2).path
    all_right = dict.fromkeys(ASPECTS, "right")
    take(tmp_path, DRAWS[1], {one: Verdict(one, all_right), two: Verdict(two, all_right)})
    _, later = read_verdicts(write(tmp_path / "v.tsv", filled(label="wrong", by="R2")), DRAWS)
    take(tmp_path, DRAWS[1], later)
    taken = read_taken(tmp_path, DRAWS)[1]
    assert (taken[one].outcome, taken[two].outcome, taken[two].by) == ("right", "wrong", "R2")


def test_the_words_of_an_image_come_to_one() -> None:
    for words, outcome in [
        (("right",) * 4, "right"),
        (("right", "right", "unsure", "right"), "unsure"),
        (("right", "", "unsure", "right"), ""),
        (("wrong", "", "", ""), "wrong"),
    ]:
        said = dict(zip(ASPECTS, words, strict=True))
        assert Verdict("x", said).outcome == outcome
