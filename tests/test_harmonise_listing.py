"""A table of DICOM keywords: what is read of it, what comes out, and what is refused."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialbids.exporter.engine import Serial, engine
from trialbids.exporter.errors import UsageError
from trialbids.exporter.harmonise.columns import KEYWORDS, OF_SERIES
from trialbids.exporter.harmonise.decide import Judge
from trialbids.exporter.harmonise.listing import MOST_SERIES, ROWS_A_UNIT, Summary, harmonise_listing, open_listing
from trialbids.exporter.harmonise.panel import Sheet
from trialbids.exporter.progress import Silent
from trialbids.mappings.facts import Facts
from trialbids.mappings.record import Record
from trialbids.mappings.rules import load_rules
from trialbids.mappings.vocabulary import vocabulary

Rows = list[dict[str, str]]


def judge(folder: Path, text: str | bytes, name: str = "in.csv", out: str = "out.csv") -> tuple[Rows, Summary]:
    """Write a table, harmonise it, read the result as any reader of CSV would."""
    table, output = folder / name, folder / out
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    summary = harmonise_listing(open_listing(table, output), output, Serial(), Silent())
    with output.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file, delimiter="\t" if out.endswith(".tsv") else ",")), summary


def one(folder: Path, **cells: str) -> dict[str, str]:
    """The record of a table with one row."""
    path = folder / "one.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(cells)
        writer.writerow(cells.values())
    return judge(folder, path.read_bytes())[0][0]


def refusal(folder: Path, text: str | bytes, out: str = "out.csv") -> str:
    with pytest.raises(UsageError) as caught:
        judge(folder, text, out=out)
    assert not (folder / "out.csv").exists()
    return str(caught.value)


def test_a_description_alone_is_answered_for_mr_ct_and_pet(tmp_path: Path) -> None:
    rows, summary = judge(tmp_path, "SeriesDescription\nt2_tse_sag\nThorax CT lung 1.0\nPET WB FDG\n")
    assert [r["sequence"] for r in rows] == ["T2w", "CT", "PET"]
    assert summary.without_modality == 3


def test_attributes_tell_the_modality_and_a_column_overrides_them(tmp_path: Path) -> None:
    text = "SeriesDescription,Modality,KVP,EchoTime\nabdomen,,120,\nabdomen,,,4\nabdomen,PT,,\n"
    rows, summary = judge(tmp_path, text)
    assert rows[0]["sequence"] == "CT"
    assert rows[1]["sequence"] not in ("CT", "PET")
    assert rows[2]["sequence"] == "PET"
    assert summary.without_modality == 0


def test_rows_keep_their_order_and_every_cell_of_theirs(tmp_path: Path) -> None:
    text = 'n,"SeriesDescription",note\n3," t2, ""tse"" ",é\n1,,"two\r\nlines"\n2,T1,\tx\n'
    rows, _ = judge(tmp_path, text)
    assert [(r["n"], r["SeriesDescription"], r["note"]) for r in rows] == [
        ("3", ' t2, "tse" ', "é"),
        ("1", "", "two\r\nlines"),
        ("2", "T1", "\tx"),
    ]
    columns = ["n", "SeriesDescription", "note", *vocabulary(), "confidence", "evidence"]
    assert list(rows[0]) == columns


def test_evidence_is_rule_ids_and_confidence_a_number(tmp_path: Path) -> None:
    row = one(tmp_path, SeriesDescription="t2_tse_sag", Modality="MR")
    assert 0.5 < float(row["confidence"]) <= 1
    assert row["evidence"].split() == sorted(set(row["evidence"].split()))


def test_a_clash_of_names_leaves_the_users_column_alone(tmp_path: Path) -> None:
    text = "SeriesDescription,plane,harmonised_plane,Confidence\nt2 sag,mine,too,x\n"
    rows, _ = judge(tmp_path, text)
    assert (rows[0]["plane"], rows[0]["harmonised_plane"], rows[0]["Confidence"]) == ("mine", "too", "x")
    assert rows[0]["harmonised_harmonised_plane"] == "sag"
    assert float(rows[0]["harmonised_confidence"]) > 0


def test_what_came_out_can_be_judged_again(tmp_path: Path) -> None:
    judge(tmp_path, "SeriesDescription\nt2 sag\nDWI b0 b800\n")
    again, _ = judge(tmp_path, (tmp_path / "out.csv").read_bytes(), name="again.csv", out="twice.csv")
    assert [r["harmonised_sequence"] for r in again] == [r["sequence"] for r in again]


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("\ufeffSeriesDescription;RepetitionTime\nt2 sag;4000,5\n", "out.csv"),
        ("SeriesDescription\tRepetitionTime\nt2 sag\t4000.5\n", "out.tsv"),
        ("series_description,Repetition Time\r\nt2 sag,4000.5\r\n", "out.csv"),
        ('SERIESDESCRIPTION\tTR\n"t2 sag\t4000.5\n', "out.tsv"),
    ],
)
def test_separators_marks_and_spellings(tmp_path: Path, text: str, out: str) -> None:
    table, output = tmp_path / "in", tmp_path / out
    table.write_text(text, encoding="utf-8", newline="")
    summary = harmonise_listing(open_listing(table, output), output, Serial(), Silent())
    assert summary.sequences == {"T2w": 1}
    assert summary.bad_cells == ()
    assert set(summary.read.values()) == {"SeriesDescription", "RepetitionTime"}
    written = output.read_bytes()
    assert written.startswith(text[: text.index("\n")].rstrip("\r\n").encode()), "the header of the source stays"
    assert written.count(b"\r\n") == text.count("\r\n")


@pytest.mark.parametrize(
    "cell",
    [r"DERIVED\PRIMARY\DIFFUSION\ADC", "['DERIVED', 'PRIMARY', 'DIFFUSION', 'ADC']", "derived;primary;diffusion;adc"],
)
def test_image_type_in_every_way_it_is_written(tmp_path: Path, cell: str) -> None:
    assert one(tmp_path, ImageType=cell, Modality="MR", SeriesDescription="")["sequence"] == "ADC"


@pytest.mark.parametrize("cell", [r"0\50\800", "[0, 50, 800]", "0;50;800", "0 50 800"])
@pytest.mark.parametrize("name", ["DiffusionBValue", "b_value", "bvalues"])
def test_several_b_values_are_volumes(tmp_path: Path, name: str, cell: str) -> None:
    row = one(tmp_path, SeriesDescription="ep2d", Modality="MR", ScanningSequence="EP", **{name: cell})
    assert row["sequence"] == "trace"
    assert row["harmonised_bvalues" if name == "bvalues" else "bvalues"] == "0 50 800"


def test_directions_make_it_dwi(tmp_path: Path) -> None:
    directions = "\\".join(f"{x}\\{1 - x}\\0.1" for x in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9))
    row = one(tmp_path, Modality="MR", DiffusionBValue="1000", DiffusionGradientOrientation=directions, EchoTime="80")
    assert row["sequence"] == "DWI"


def test_the_plane_is_that_of_the_cosines_and_several_are_multi(tmp_path: Path) -> None:
    sagittal, axial = r"0\1\0\0\0\-1", r"1\0\0\0\1\0"
    assert one(tmp_path, SeriesDescription="t2 tra", ImageOrientationPatient=sagittal)["plane"] == "sag"
    both = one(tmp_path, SeriesDescription="survey", ImageOrientationPatient=rf"{sagittal}\{axial}")
    assert both["plane"] == "multi"


FAST = {"Modality": "MR", "ScanningSequence": "GR", "RepetitionTime": "4.5", "EchoTime": "1.7", "FlipAngle": "12"}


def test_temporal_positions_of_one_row_are_a_dynamic_scan(tmp_path: Path) -> None:
    row = one(tmp_path, SeriesDescription="t1 vibe", MRAcquisitionType="3D", NumberOfTemporalPositions="30", **FAST)
    assert row["sequence"] == "DCE"
    assert row["agent"] == "with"
    assert row["phase_index"] == ""


def test_rows_of_one_study_give_context_and_rows_of_none_do_not(tmp_path: Path) -> None:
    def table(studies: list[str]) -> str:
        head = ["StudyInstanceUID", "SeriesDescription", "MRAcquisitionType", "AcquisitionTime", *FAST]
        rows = [[study, "t1 vibe", "3D", f"1000{k:02d}", *FAST.values()] for k, study in enumerate(studies)]
        return "".join(",".join(row) + "\n" for row in [head, *rows])

    together, _ = judge(tmp_path, table(["1.2"] * 6))
    assert [r["sequence"] for r in together] == ["DCE"] * 6
    assert [r["phase_index"] for r in together] == list("123456")
    assert [r["phase_time_s"] for r in together] == list("012345")
    alone, _ = judge(tmp_path, table([f"1.2.{k}" for k in range(6)]))
    assert {r["phase_index"] for r in alone} == {""}
    assert "DCE" not in {r["sequence"] for r in alone}
    unnamed, _ = judge(tmp_path, table([""] * 6))
    assert [r["sequence"] for r in unnamed] == [r["sequence"] for r in alone]


def test_echo_times_of_one_row_are_echoes(tmp_path: Path) -> None:
    cells = FAST | {"RepetitionTime": "600", "EchoTime": r"5\10\15\20\25", "FlipAngle": "20"}
    row = one(tmp_path, SeriesDescription="gre multi echo", **cells)
    assert row["sequence"] == "MEGRE"
    assert row["echo_index"] == ""


def test_flip_angles_of_one_row_are_a_set_for_t1_mapping(tmp_path: Path) -> None:
    assert one(tmp_path, **(FAST | {"FlipAngle": r"2\5\10\15"}))["sequence"] == "VFA"


def test_images_over_slices_are_repeats(tmp_path: Path) -> None:
    bold = {"Modality": "MR", "ScanningSequence": r"EP\GR", "EchoTime": "30", "RepetitionTime": "2000"}
    counts = {"NumberOfSeriesRelatedInstances": "6000", "NumberOfSlices": "30"}
    assert one(tmp_path, **bold, **counts)["sequence"] == "bold"
    assert one(tmp_path, SeriesDescription="dyn", **FAST, **counts)["sequence"] == "DCE"


def test_objects_that_are_no_images_have_an_empty_record(tmp_path: Path) -> None:
    row = one(tmp_path, SeriesDescription="t2 tse sag", Modality="SEG", DiffusionBValue="800")
    assert (row["sequence"], row["confidence"]) == ("unknown", "0")


def test_what_shares_one_identifier_too_often_is_no_study(tmp_path: Path) -> None:
    text = "StudyInstanceUID,SeriesDescription\n" + "1.2,t2 sag\n" * (MOST_SERIES + 1)
    rows, summary = judge(tmp_path, text)
    assert {r["sequence"] for r in rows} == {"T2w"}
    assert summary.crowded_studies == (("1.2", MOST_SERIES + 1),)


def test_a_number_that_is_none_costs_only_its_cell(tmp_path: Path) -> None:
    text = 'SeriesDescription,EchoTime,DiffusionBValue\n"t2\nsag",fast,\ndwi,1e99,-5\nt1,nan,n/a\n'
    rows, summary = judge(tmp_path, text)
    assert [r["EchoTime"] for r in rows] == ["fast", "1e99", "nan"]
    assert rows[0]["sequence"] == "T2w"
    assert [(b.line, b.column) for b in summary.bad_cells] == [(2, "EchoTime"), (4, "DiffusionBValue"), (4, "EchoTime")]


def test_a_short_row_is_filled_and_told(tmp_path: Path) -> None:
    rows, summary = judge(tmp_path, "SeriesDescription,a,b\nt2 sag\n\nt1,1,2,,\n")
    assert [(r["SeriesDescription"], r["a"], r["b"]) for r in rows] == [("t2 sag", "", ""), ("t1", "1", "2")]
    assert summary.short_rows == (2,)


def test_a_header_alone_gives_a_header(tmp_path: Path) -> None:
    rows, summary = judge(tmp_path, "SeriesDescription\n")
    assert rows == []
    assert summary.rows == 0
    assert (tmp_path / "out.csv").read_text().startswith("SeriesDescription,sequence,plane")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n1,2\n", "line 1: no column tells what an image is; at least one must be a DICOM keyword"),
        ("StudyInstanceUID,PatientID\n1,2\n", "no column tells what an image is"),
        ("SeriesDescription,x,seriesdescription\na,b,c\n", "line 1: the column SeriesDescription stands twice"),
        ("SeriesDescription,x,x\na,b,c\n", "line 1: the column x stands twice"),
        ("SeriesDescription,x\na,b\nt2, sag, fs\n", "line 3: 3 cells, but the header names 2 columns"),
        ('SeriesDescription,x\na,b\n"t2,b\nc,d\n', "line 3: the double quotes of a cell are not closed"),
        (b"SeriesDescription\nt2\nS\xe9rie\n", "line 3: this is not UTF-8 text"),
        ("SeriesDescription\nt2\n".encode("utf-16"), "is UTF-16 text"),
        ("SeriesDescription\nt2\n".encode("utf-32"), "is UTF-32 text"),
        (f"SeriesDescription,x\na,b\n{'t2 ' * 50_000},c\n", "line 3: a cell is longer than 131,072 characters"),
        ('SeriesDescription,x\na,b\n"t2,b\n' + "c,d\n" * 50_000, "line 3: the double quotes of a cell are not closed"),
        ("sep=#\nSeriesDescription#x\n", "line 1: sep=# names no separator that is read"),
        (b"PK\x03\x04rest of a workbook", "is a workbook or an archive"),
    ],
)
def test_what_is_no_such_table_is_refused_with_a_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    told = refusal(tmp_path, text)
    assert sentence in told
    assert str(tmp_path / "in.csv") in told


def test_places_that_cannot_be_written_are_refused_before_work(tmp_path: Path) -> None:
    text = "SeriesDescription\nt2\n"
    assert "the source is never changed" in refusal(tmp_path, text, out="in.csv")
    assert (tmp_path / "in.csv").read_text() == text
    assert "there is no folder" in refusal(tmp_path, text, out="missing/out.csv")
    (tmp_path / "folder").mkdir()
    assert "is a folder" in refusal(tmp_path, text, out="folder")
    with pytest.raises(UsageError, match="cannot be read"):
        open_listing(tmp_path / "absent.csv", tmp_path / "out.csv")


def test_an_output_that_is_no_regular_file_or_a_rule_file_is_left_alone(tmp_path: Path) -> None:
    table, site, pipe = tmp_path / "in.csv", tmp_path / "site.yaml", tmp_path / "pipe"
    table.write_text("SeriesDescription\nt2\n")
    text = "- {id: ours, reason: so named, when: {description: {words: [hoppla]}}, votes: {sequence: T2w}}\n"
    site.write_text(text)
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match=r"site.yaml: is a rule file that is read; give another name with -o"):
        open_listing(table, site, [site])
    assert site.read_text() == text
    for node in (pipe, Path(os.devnull)):
        with pytest.raises(UsageError, match="is no regular file"):
            open_listing(table, node)
        assert not node.is_file()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "out.csv").symlink_to("real.csv")
    judge(tmp_path, "SeriesDescription\nt2\n")
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("SeriesDescription,sequence")


def test_a_quote_within_the_cells_of_a_tsv_is_a_letter(tmp_path: Path) -> None:
    text = 'n\tSeriesDescription\tModality\n1\t"T2 tse\tMR\n2\tsag"\tMR\n3\t"t1 ""fs"""\tMR\n4\t"""T2"" x"\tMR\n'
    rows, summary = judge(tmp_path, text, name="in.tsv", out="out.csv")
    assert [r["SeriesDescription"] for r in rows] == ['"T2 tse', 'sag"', 't1 "fs"', '"T2" x']
    assert summary.rows == 4
    judge(tmp_path, text, name="in.tsv", out="out.tsv")
    again, _ = judge(tmp_path, (tmp_path / "out.tsv").read_bytes(), name="again.tsv", out="again.csv")
    assert [r["SeriesDescription"] for r in again] == [r["SeriesDescription"] for r in rows]


def test_a_quoted_cell_of_a_tsv_may_hold_tabs_and_line_ends(tmp_path: Path) -> None:
    text = 'n\tSeriesDescription\tModality\n1\t"T2\ttse\nsag"\tMR\n2\tt1\tMR\n'
    rows, _ = judge(tmp_path, text, name="in.tsv", out="out.csv")
    assert [r["SeriesDescription"] for r in rows] == ["T2\ttse\nsag", "t1"]


@pytest.mark.parametrize("mark", ["\u2028", "\f", "\x85"])
def test_only_line_ends_end_the_header(tmp_path: Path, mark: str) -> None:
    rows, _ = judge(tmp_path, f"my{mark}note;SeriesDescription\nx,y;t2 sag\n", out="out")
    table = (tmp_path / "out").read_text(encoding="utf-8")
    assert table.startswith(f"my{mark}note;SeriesDescription;sequence;")
    assert len(rows) == 1


@pytest.mark.parametrize(("said", "separator"), [("sep=;", ";"), ("SEP=,", ","), ("sep=\t", "\t")])
def test_a_first_line_may_say_the_separator(tmp_path: Path, said: str, separator: str) -> None:
    text = f"{said}\r\nSeriesDescription{separator}EchoTime\r\nt2 sag{separator}fast\r\n"
    _, summary = judge(tmp_path, text, out="out")
    assert summary.sequences == {"T2w": 1}
    assert summary.bad_cells[0].line == 3


def test_long_lists_in_one_row_are_cut_and_told(tmp_path: Path) -> None:
    many = "\\".join(str(1 + k / 100) for k in range(3000))
    turned = "\\".join(f"1\\0\\0\\0\\1\\{k / 1000}" for k in range(1000))
    head = "SeriesDescription,Modality,EchoTime,FlipAngle,ImageOrientationPatient\n"
    begun = time.process_time()
    rows, summary = judge(tmp_path, f"{head}t1,MR,2,5,\nt1,MR,{many},{many},{turned}\n")
    assert time.process_time() - begun < 10
    assert len(rows) == 2
    assert summary.cut_rows == (3,)


@pytest.mark.parametrize("n_rows", [MOST_SERIES, 2 * MOST_SERIES])
def test_a_study_that_lists_too_many_stacks_still_tells_flip_angles_and_phases(tmp_path: Path, n_rows: int) -> None:
    row = ["1.2", "MR", "GR", "4.5", "3D"]
    head = (
        "StudyInstanceUID,Modality,ScanningSequence,RepetitionTime,MRAcquisitionType,SeriesNumber,EchoTime,FlipAngle,"
        "NumberOfTemporalPositions"
    )
    flips = [",".join([*row, str(k), r"1.1\2.2\3.3", r"5\10\15\20", ""]) for k in range(n_rows - 1)]
    phases = ",".join([*row, str(n_rows), "1.6", "12", "30"])
    begun = time.process_time()
    rows, summary = judge(tmp_path, "\n".join([head, *flips, phases, ""]))
    assert time.process_time() - begun < 10
    assert {r["sequence"] for r in rows[:-1]} == {"VFA"}
    assert rows[-1]["sequence"] == "DCE"
    assert summary.cut_rows == tuple(range(2, n_rows + 1))


def test_rows_of_a_crowded_identifier_give_no_context(tmp_path: Path) -> None:
    head = ",".join(["StudyInstanceUID", "SeriesDescription", "MRAcquisitionType", "AcquisitionTime", *FAST])
    lines = [
        ",".join(["1.2", "t1 vibe", "3D", f"10{k // 60:02d}{k % 60:02d}", *FAST.values()])
        for k in range(MOST_SERIES + 1)
    ]
    rows, _ = judge(tmp_path, "\n".join([head, *lines, ""]))
    alone = one(tmp_path, SeriesDescription="t1 vibe", MRAcquisitionType="3D", AcquisitionTime="100000", **FAST)
    assert {(r["sequence"], r["agent"], r["evidence"]) for r in rows} == {
        (alone["sequence"], alone["agent"], alone["evidence"])
    }


@pytest.mark.parametrize(
    ("cells", "bvalues"),
    [
        ({"SeriesDescription": "Difusión axial b50 400 800"}, "50 400 800"),
        ({"SeriesDescription": "ep2d_diff_b50_400_800_tra", "ImageType": r"ORIGINAL\PRIMARY\DIFFUSION"}, "50 400 800"),
        (
            {"SeriesDescription": "DWI b0 b1000", "NumberOfSeriesRelatedInstances": "60", "NumberOfSlices": "30"},
            "0 1000",
        ),
        ({"SeriesDescription": "DWI b0 b1000", "NumberOfSeriesRelatedInstances": "90", "NumberOfSlices": "30"}, ""),
        ({"SeriesDescription": "dwi b800 fov 350"}, ""),
        ({"SeriesDescription": "dwi b50 400"}, ""),
        ({"SeriesDescription": "dwi b0 b800", "DiffusionBValue": "800"}, "800"),
        ({"SeriesDescription": "ADC b50 b800"}, ""),
    ],
)
def test_b_values_that_a_description_names(tmp_path: Path, cells: dict[str, str], bvalues: str) -> None:
    assert one(tmp_path, Modality="MR", **cells)["bvalues"] == bvalues


def test_a_site_rule_decides_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    table, output, site = tmp_path / "in.csv", tmp_path / "out.csv", tmp_path / "site.yaml"
    table.write_text("SeriesDescription\nhoppla\n")
    site.write_text("- {id: ours, reason: so named, when: {description: {words: [hoppla]}}, votes: {sequence: T2w}}\n")
    summary = harmonise_listing(open_listing(table, output, [site]), output, Serial(), Silent())
    assert summary.sequences == {"T2w": 1}
    site.write_text("- {id: ours, reason: so named, when: {description: x}, votes: {sequence: T3w}}\n")
    with pytest.raises(UsageError, match=r"site.yaml, line 1.*T3w.*it takes"):
        open_listing(table, output, [site])


def test_processes_and_one_process_write_the_same_bytes(tmp_path: Path) -> None:
    planes = ("tra", "sag", "cor")
    rows = [f"1.2.{k // 3},t{1 + k % 2} {planes[k % 3]} {k % 50},{k % 7}" for k in range(2 * ROWS_A_UNIT)]
    table = tmp_path / "in.csv"
    table.write_text("\n".join(["StudyInstanceUID,SeriesDescription,EchoTime", *rows, ""]))
    for how in ("processes", "serial"):
        with engine(how, 2) as running:
            harmonise_listing(open_listing(table, tmp_path / how), tmp_path / how, running, Silent())
    assert (tmp_path / "processes").read_bytes() == (tmp_path / "serial").read_bytes()


FACTS = st.builds(
    Facts,
    modality=st.sampled_from(["mr", "", "ct", "pt"]),
    vendor=st.sampled_from(["siemens", "ge", ""]),
    image_type=st.sampled_from([(), ("derived", "primary"), ("original", "primary", "m")]),
    said=st.lists(st.sampled_from(["t1", "t2", "diffusion", "adc", "ct", "dixon"]), max_size=3, unique=True).map(tuple),
    description=st.sampled_from(["", "t2 tse", "dwi b800"]),
    tr=st.sampled_from([(), (4.5,), (4000.0,)]),
    te=st.sampled_from([(), (1.7,), (100.0,)]),
    diffusion=st.sampled_from(["", "weighted", "adc"]),
    gradient_echo=st.booleans(),
    echo_planar=st.booleans(),
    n_slices=st.sampled_from([0, 20]),
)


@given(st.lists(FACTS, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_what_a_judge_remembers_changes_no_answer(several: list[Facts]) -> None:
    rules = load_rules()
    judge_all = Judge(rules)
    for facts in several:
        decision = judge_all(facts)
        sheet = Sheet(facts, decision.values)
        assert decision.fired == tuple(r for r in (*rules.first, *rules.later) if r.condition(sheet))
        assert dict(decision.values) == dict(Judge(rules)(facts).values)


CELLS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet='ab1.,;\t"\\\r\n[]- ', max_size=12),
    st.sampled_from(
        ["0\\800", "1\\0\\0\\0\\1\\0", "1e9", "-3", "inf", "NaN", "DERIVED\\PRIMARY", "t2", "MR", "SEG", "99999"]
    ),
)
NAMES = st.lists(
    st.sampled_from([*KEYWORDS, *OF_SERIES, "x", "plane", "TR", "b_value"]),
    min_size=1, max_size=6, unique_by=str.lower,
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NAMES, st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=5), st.sampled_from([",", ";", "\t"]))
def test_any_text_keeps_its_rows_and_gives_records_of_the_vocabulary(
    tmp_path: Path, names: list[str], cells: list[list[str]], separator: str
) -> None:
    table, output = tmp_path / "any.csv", tmp_path / "any_out.csv"
    names = ["SeriesDescription", *(n for n in names if n != "SeriesDescription")]
    rows = [row[: len(names)] + [""] * (len(names) - len(row)) for row in cells]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        writer.writerows(rows)
    summary = harmonise_listing(open_listing(table, output), output, Serial(), Silent())
    with output.open(newline="", encoding="utf-8") as file:
        text = list(csv.reader(file, delimiter=";" if separator == ";" and len(names) > 1 else ","))
    assert summary.rows == len(rows)
    assert text[0][: len(names)] == names
    assert [row[: len(names)] for row in text[1:]] == rows
    for row in text[1:]:
        Record.from_row(dict(zip(("evidence", *reversed((*vocabulary(), "confidence"))), reversed(row), strict=False)))
