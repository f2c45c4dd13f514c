"""A waiver covers what was waived: not the same fault in another slice or file, but the same one wherever it lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from pixelmaker import body, found_in
from seriesmaker import records_of, series

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.visits import Visit, Visits
from trialbids.exporter.qc.check import Evidence, Finding, bound
from trialbids.exporter.qc.headers.run import check_headers
from trialbids.exporter.qc.ledger.issue import Issue
from trialbids.exporter.qc.ledger.merge import Run
from trialbids.exporter.qc.ledger.record import record_cycle
from trialbids.exporter.qc.ledger.row import read_issues
from trialbids.exporter.qc.ledger.waive import Wish, waive
from trialbids.exporter.qc.pixels.equal import unknown_people
from trialbids.exporter.qc.verdict import is_waived
from trialbids.exporter.release.said import Said
from trialbids.exporter.release.session import Fragment, StackResult, StagedMasks
from trialbids.exporter.stacks import Stacking

VISITS = Visits({("P", "S"): Visit("A1", "01", "1", "P", "S", "", None)}, (), {}, lambda i: "P", lambda i: "S")
SOUND = {"SamplesPerPixel": 1, "BitsAllocated": 16, "BitsStored": 12, "PixelRepresentation": 0,
         "pixel_length": 128, "StationName": "one"}  # fmt: skip
Change = dict[str, object]


def of_headers(code: str, at: Sequence[int], change: Change, folder: str = "/data") -> Finding:
    """What the checks say of a series in which some images are changed."""
    instances = [
        replace(i, path=i.path.replace("/data", folder), **(change if n in at else {}))
        for n, i in enumerate(series(1, 8, **SOUND))
    ]
    stacks = records_of(instances)
    stacking = Stacking(tuple(h.stack for h in stacks), ())
    return next(f for f in check_headers(stacking, stacks, VISITS) if f.check == code)


HEADERS = pytest.mark.parametrize(
    ("code", "change"),
    [
        ("F04", {"remarks": ("vm:PatientPosition",)}),
        ("F05", {"BitsStored": None}),
        ("F07", {"remarks": ("meta-uid",)}),
        ("F08", {"remarks": ("charset",)}),
        ("C07", {"StationName": "another"}),
    ],
)


@HEADERS
def test_a_fault_of_another_image_is_not_waived(code: str, change: Change) -> None:
    one, other = of_headers(code, [2], change), of_headers(code, [5], change)
    assert (one.id, one.message, one.evidence.values) == (other.id, other.message, other.evidence.values)
    assert not is_waived(other, {one.id: one.digest})


@HEADERS
def test_the_same_fault_is_waived_again_also_in_a_folder_that_moved(code: str, change: Change) -> None:
    one, moved = of_headers(code, [2, 5], change), of_headers(code, [2, 5], change, "/mnt/other")
    assert (moved.id, moved.digest) == (one.id, one.digest)
    assert moved.evidence.instances != one.evidence.instances or code == "C07"


def constant(*slices: int) -> Finding:
    voxels = body()
    for k in slices:
        voxels[:, :, k] = 7
    return next(f for f in found_in(voxels) if f.check == "P01")


def not_finite(*slices: int) -> Finding:
    voxels = body()
    for k in slices:
        voxels[40, 40, k] = np.nan
    return next(f for f in found_in(voxels, dtype=np.float32) if f.check == "P02")


@pytest.mark.parametrize("fault", [constant, not_finite])
def test_a_fault_of_another_slice_is_not_waived(fault: Callable[..., Finding]) -> None:
    one, other = fault(3, 5), fault(3, 9)
    assert (one.id, one.message, one.evidence.values) == (other.id, other.message, other.evidence.values)
    assert not is_waived(other, {one.id: one.digest})
    assert is_waived(fault(5, 3), {one.id: one.digest})


def test_other_people_without_images_are_other_people() -> None:
    (one,), (other,) = (unknown_people([(name, "train")], ()) for name in ("Anna", "Berta"))
    assert one.id == other.id and not is_waived(other, {one.id: one.digest})
    assert "Anna" not in repr(one)


def test_files_of_one_name_are_told_apart_and_frames_too() -> None:
    places = [("/in/1/image.dcm", "", 0), ("/in/2/image.dcm", "", 0), ("/in/2/image.dcm", "", 2)]
    objects = [Instance(path=p, frame=n, SOPInstanceUID=f"1.2.{p[4]}") for p, _, n in places]
    found = [Finding("F03", "error", "m", Evidence("m", instances=(place,))) for place in places]
    assert len({f.digest for f in bound(found, objects)}) == 3


def test_no_uid_stands_in_what_a_finding_is_about() -> None:
    found = of_headers("F07", [2], {"remarks": ("meta-uid",)})
    assert series(1, 8)[2].SOPInstanceUID not in repr(found) and len(found.evidence.about) == 12


def test_a_session_that_is_not_made_again_keeps_what_its_findings_are_about() -> None:
    result = StackResult("s1", "pass", "", "", (constant(3, 5),), (), "")
    visit = Visit("A1", "01", "1", "P", "S", "", None)
    fragment = Fragment(visit, "f", Said(), "n/a", (), (result,), StagedMasks((), ()))
    read = Fragment.from_json(json.loads(json.dumps(fragment.to_json())))
    assert read.results[0].findings[0].digest == constant(3, 5).digest


def test_a_waived_fault_stays_waived_until_it_is_another_slice_s(tmp_path: Path) -> None:
    def run(*slices: int) -> str:
        at = Run(datetime(2026, 3, 1, 9), "1.0", ("header", "plan", "pixel"))
        record_cycle(tmp_path, [Issue(constant(*slices), "pixel")], at)
        (row,) = read_issues(tmp_path).values()
        return row.state

    assert run(3, 5) == "open"
    waive(tmp_path, Wish((constant(3, 5).id,), "AB", "known"), datetime(2026, 3, 1).date())
    assert (run(3, 5), run(3, 5), run(3, 9)) == ("waived", "waived", "open")
