"""Parsimony: copies that can be computed again, the line that brings each thing back, and figures that add up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from conftest import Exported
from hypothesis import given, settings
from hypothesis import strategies as st
from reviewmaker import plan as planned
from seriesmaker import SAGITTAL, series
from stackmaker import axial, write_series
from test_export_again import export

from trialbids.exporter.deidentify.documents import faults, spec_of
from trialbids.exporter.deidentify.shapes import Rules
from trialbids.exporter.errors import UsageError
from trialbids.exporter.harmonise import Harmonised
from trialbids.exporter.pipeline import Plan
from trialbids.exporter.plan.build import decision_among
from trialbids.exporter.release.parsimony import account
from trialbids.exporter.select.copies import SOURCES, without_copies
from trialbids.exporter.select.decide import RULES, Decision, sentence_of
from trialbids.exporter.select.parsimony import CATEGORIES, KEEP_COPIES, KEPT, REVIEW, category_of
from trialbids.exporter.stacks import stack_instances
from trialbids.exporter.stacks.reasons import DUPLICATE, RESENT
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import Trial, load_trial
from trialbids.exporter.trial.keep import NEVER_KEPT, Kind
from trialbids.mappings.fields import allow_list
from trialbids.mappings.record import Record

VOLUME = {"sequence": "T1w", "dim": "3d", "technique": "vibe", "agent": "with"}
KEPT_DECISION = Decision("keep")


def stack(number: int, header: dict[str, Any] | None = None, /, **record: Any) -> Harmonised:
    """A stack of four slices with this record."""
    rows = series(number, **(header or {}))
    return Harmonised(stack_instances(rows, lambda _: "").stacks[0], Record(**record), ())


def outcome(*session: Harmonised, keep: tuple[str, ...] = (), out: tuple[int, ...] = ()) -> str:
    """The decisions on a session, in its order, as letters; ``out`` are the places of stacks that are not kept."""
    decisions = [Decision("exclude", "edit") if n in out else KEPT_DECISION for n in range(len(session))]
    return "".join(d.decision[0] for d in without_copies(session, decisions, keep))


@pytest.mark.parametrize("word", ["mip", "minip", "mpr"])
def test_a_projection_is_left_out_only_beside_its_volume(word: str) -> None:
    copy, source = stack(2, **VOLUME, derived=(word,)), stack(1, **VOLUME)
    assert outcome(copy, source) == "ek"
    assert outcome(copy) == "k"
    assert outcome(copy, source, out=(1,)) == "ke"
    assert outcome(copy, source, keep=(KEEP_COPIES,)) == "kk"


@pytest.mark.parametrize(
    "other",
    [{"dim": "2d"}, {"agent": "without"}, {"sequence": "T2w"}, {"laterality": "left"}, {"dixon": "water"}],
)
def test_another_image_is_not_the_source_of_a_projection(other: dict[str, str]) -> None:
    told = {"laterality": "right", "dixon": "none"}
    assert outcome(stack(2, **VOLUME | told, derived=("mip",)), stack(1, **VOLUME | told | other)) == "kk"


def test_a_copy_is_not_the_source_of_a_copy() -> None:
    assert outcome(stack(1, **VOLUME, derived=("mip",)), stack(2, **VOLUME, derived=("mpr",))) == "kk"


def test_a_volume_in_another_frame_of_reference_is_not_the_source() -> None:
    elsewhere = {"FrameOfReferenceUID": "1.2.3.4"}
    assert outcome(stack(2, **VOLUME, derived=("mpr",)), stack(1, elsewhere, **VOLUME)) == "kk"


def test_a_subtraction_needs_both_images_on_its_grid() -> None:
    difference = stack(3, **VOLUME, derived=("sub",))
    after, before = stack(2, **VOLUME), stack(1, **VOLUME | {"agent": "without"})
    assert outcome(difference, after, before) == "ekk"
    assert outcome(difference, after) == "kk"
    assert outcome(difference, before) == "kk"
    for elsewhere in ({"n_slices": 3}, {"orientation": SAGITTAL}, {"PixelSpacing": (2.0, 2.0)}, {"Rows": 16}):
        assert outcome(difference, after, stack(1, elsewhere, **VOLUME | {"agent": "without"})) == "kkk"
    assert outcome(difference, after, stack(1, **VOLUME | {"agent": "without", "fatsat": "fs"})) == "kkk"


def test_a_subtraction_of_a_dynamic_series_needs_its_phases() -> None:
    dynamic = VOLUME | {"sequence": "DCE"}
    phases = [stack(n, **dynamic, phase_index=n) for n in (1, 2)]
    assert outcome(stack(9, **dynamic, derived=("sub",)), *phases) == "ekk"
    assert outcome(stack(9, **dynamic, derived=("sub",)), phases[0]) == "kk"


def test_a_projection_of_a_subtraction_needs_what_either_step_needs() -> None:
    both = stack(3, {"orientation": SAGITTAL}, **VOLUME, derived=("sub", "mip"))
    after, before = stack(2, **VOLUME), stack(1, **VOLUME | {"agent": "without"})
    assert outcome(both, after, before) == "ekk"
    assert outcome(both, after) == "kk"


def test_a_computed_b_value_stays() -> None:
    diffusion = {"sequence": "trace", "dim": "3d"}
    assert outcome(stack(2, **diffusion, derived=("calc",)), stack(1, **diffusion)) == "kk"
    assert outcome(stack(2, **diffusion, derived=("mip", "calc")), stack(1, **diffusion)) == "kk"


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["", "sub", "mip", "mpr", "calc"]), st.sampled_from(["with", "without"])), max_size=6
    ),
    st.randoms(),
)
def test_the_order_of_a_session_makes_no_difference_and_twice_is_once(
    kinds: list[tuple[str, str]], random: Any
) -> None:
    session = [
        stack(n, **VOLUME | {"agent": agent, "derived": (word,) if word else ()})
        for n, (word, agent) in enumerate(kinds, start=1)
    ]
    once = without_copies(session, [KEPT_DECISION] * len(session), ())
    order = list(range(len(session)))
    random.shuffle(order)
    mixed = without_copies([session[n] for n in order], [KEPT_DECISION] * len(session), ())
    assert [once[n] for n in order] == mixed
    assert without_copies(session, once, ()) == once
    assert all(h.record.derived for h, d in zip(session, once, strict=True) if d.decision == "exclude")


def test_what_a_person_decided_stands_and_counts() -> None:
    copy, source = stack(2, **VOLUME, derived=("mip",)), stack(1, **VOLUME)
    decisions, mine = [KEPT_DECISION, KEPT_DECISION], {copy.stack.stack_id: "keep"}
    assert [d.decision for d in without_copies([copy, source], decisions, (), mine)] == ["keep", "keep"]


VIBE = {
    "MRAcquisitionType": "3D", "ScanningSequence": "GR", "RepetitionTime": 4.0, "EchoTime": 1.5, "FlipAngle": 10.0,
    "ContrastBolusAgent": "Gadovist", "StudyInstanceUID": "1.2.3", "FrameOfReferenceUID": "1.2.3.9",
}  # fmt: skip


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A 3D image, its projection, a localizer, a screen and a resent file."""
    folder = tmp_path / "in"
    write_series(folder / "1", axial(8), SeriesNumber=1, SeriesDescription="t1_vibe_fs_tra post", **VIBE)
    mip = {**VIBE, "SeriesNumber": 2, "SeriesDescription": "t1_vibe_fs_tra post MIP"}
    write_series(folder / "2", axial(3), ImageType=["DERIVED", "SECONDARY", "PROJECTION IMAGE", "MIP"], **mip)
    scout = {"ScanningSequence": "GR", "RepetitionTime": 8.0, "EchoTime": 4.0, "FlipAngle": 20.0, "SliceThickness": 10}
    scout |= {"SeriesNumber": 3, "SeriesDescription": "localizer", "StudyInstanceUID": "1.2.3"}
    write_series(folder / "3", axial(3, 40.0), **scout)
    (folder / "4").mkdir()
    (folder / "4" / "again.dcm").write_bytes(min((folder / "1").glob("*.dcm")).read_bytes())
    path = tmp_path / "trial.yaml"
    path.write_text("sources: [in]\noutput: out\n", encoding="utf-8")
    return load_trial(path)


def decisions(plan: Plan) -> dict[str, tuple[str, str]]:
    return {p.row.description: (p.row.decision, p.row.reason) for p in plan.planned}


def test_the_plan_leaves_copies_out_and_a_line_brings_them_back(trial: Trial) -> None:
    assert decisions(planned(trial)) == {
        "t1_vibe_fs_tra post": ("keep", ""),
        "t1_vibe_fs_tra post MIP": ("exclude", "computable"),
        "localizer": ("exclude", "not-needed"),
    }
    back = decisions(planned(trial.model_copy(update={"keep": ("derived", "localizer")})))
    assert {decision for decision, _ in back.values()} == {"keep"}


def test_a_person_can_bring_one_copy_back(trial: Trial) -> None:
    plan = planned(trial)
    copy = next(p.harmonised for p in plan.planned if p.row.reason == "computable")
    source = next(p.harmonised for p in plan.planned if p.row.decision == "keep")
    assert decision_among(copy, plan.own, plan.visits, ()).reason == "computable", "so `keep` is an edit"
    without = {source.stack.stack_id: "exclude"}
    assert decision_among(copy, plan.own, plan.visits, (), without).decision == "keep", "its source is not kept"


def test_the_export_lists_and_counts_everything(trial: Trial) -> None:
    summary = export(trial).summary
    assert {name: (w.series, w.files) for name, w in summary.categories.items()} == {
        "kept": (1, 8),
        "localizer": (1, 3),
        "derived": (1, 3),
        "duplicate": (1, 1),
    }
    assert (summary.objects, summary.objects_repacked, summary.objects_dropped) == (15, 8, 7)
    assert summary.bytes_repacked + summary.bytes_dropped == summary.bytes_before
    assert 10 < summary.fields_after < summary.fields_before and summary.fields_listed == len(allow_list().fields)
    rows = read_tsv(trial.work / "parsimony.tsv")
    back = {r["category"]: r["trial_yaml"] for r in rows if r["category"] != "field"}
    assert (back["derived"], back["localizer"]) == ("keep: [derived]", "keep: [localizer]")
    assert back["duplicate"].startswith("nothing: ")
    (never,) = [r for r in rows if r["category"] == "field" and r["trial_yaml"].startswith("nothing: ")]
    assert "PatientName" in never["what"].partition(" fields: ")[2].split(", ")
    assert [r["severity"] for r in read_tsv(trial.work / "issues.tsv") if r["check"] == "D04"] == ["info"]
    released = json.loads((trial.output / "curation" / "summary.json").read_bytes())
    assert released["categories"]["derived"]["files"] == 3


def test_the_figures_of_the_demo_add_up(exported: Exported) -> None:
    summary = json.loads((exported.trial.output / "curation" / "summary.json").read_bytes())
    weights = summary["categories"].values()
    assert sum(w["files"] for w in weights) == summary["objects"]
    assert sum(w["bytes"] for w in weights) == summary["bytes_repacked"] + summary["bytes_dropped"]
    assert summary["categories"]["kept"]["files"] == summary["objects_repacked"]
    assert 0 < summary["fields_after"] <= summary["fields_listed"] < summary["fields_before"]


def test_the_allow_list_of_the_trial_is_what_fields_are_counted_by(trial: Trial) -> None:
    plan = planned(trial)
    rows = [p.row for p in plan.planned]
    whole = account(plan, rows, allow_list()).fields
    fewer = account(plan, rows, allow_list().changed(drop=["EchoTime"])).fields
    assert (whole.after - fewer.after, whole.before) == (1, fewer.before)
    assert Counter(u.name for u in fewer.unlisted)["EchoTime"] == 1
    nothing = account(plan, [replace(r, decision="exclude") for r in rows], allow_list()).fields
    assert nothing.after == 0


def test_every_reason_has_a_category_and_each_category_says_how_it_comes_back() -> None:
    for category in CATEGORIES:
        assert category is KEPT or bool(category.back) != bool(category.never), category.id
    excluded = [(r.reason, "") for r in RULES if r.decision == "exclude" and r.reason != "not-needed"]
    excluded += [("not-needed", s) for s in ("localizer", "calibration", "secondary")]
    for reason, kind in (*excluded, ("computable", ""), (DUPLICATE, ""), (RESENT, ""), ("criterion-age", "")):
        assert category_of("exclude", reason, kind) not in (KEPT, REVIEW)
    assert sentence_of("computable")


def test_keep_takes_what_can_come_back_and_says_of_the_rest_why_not(trial: Trial, tmp_path: Path) -> None:
    words = get_args(Kind)
    assert {f"keep: [{word}]" for word in words} == {c.back for c in CATEGORIES if c.back.startswith("keep:")}
    assert not set(words) & set(NEVER_KEPT) and set(SOURCES) <= {"sub", "mip", "minip", "mpr"}
    path = tmp_path / "trial.yaml"
    path.write_text("sources: [in]\noutput: out\nkeep: [derived, secondary]\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"line 3: keep\.1: 'secondary' cannot be brought back: a secondary capture"):
        load_trial(path)


def test_no_other_category_may_stand_in_the_released_summary() -> None:
    weight: dict[str, object] = {"series": 1, "files": 2, "bytes": 3}
    spec = spec_of("curation/summary.json", {}, Rules())
    assert not list(faults(spec, {"categories": {"derived": weight}}))
    assert list(faults(spec, {"categories": {"Jane Doe": weight}}))
    assert list(faults(spec, {"categories": {"derived": weight | {"series": "1.2.3"}}}))


def test_a_radiograph_that_is_left_out_says_how_it_comes_back(tmp_path: Path) -> None:
    picture = {"Modality": "DX", "SeriesDescription": "chest pa", "StudyInstanceUID": "1.2.3"}
    write_series(tmp_path / "in" / "1", axial(1), SeriesNumber=1, **picture)
    write_series(tmp_path / "in" / "2", axial(3), SeriesNumber=2, StudyInstanceUID="1.2.3")
    path = tmp_path / "trial.yaml"
    path.write_text("sources: [in]\noutput: out\n", encoding="utf-8")
    plan = planned(load_trial(path))
    (entry,) = account(plan, [p.row for p in plan.planned], allow_list()).entries
    assert (entry.category.back, entry.files) == ("keep: [projection]", 1)
