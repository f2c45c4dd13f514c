"""What cannot be measured of an image is an issue, and the image leaves all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pixelmaker import body, stack_of, volume_of
from protocolmaker import plan, prostate
from test_qc_sketch import phases

from trialbids.exporter.qc.metrics import dynamic as of_phases
from trialbids.exporter.qc.pixels import run
from trialbids.exporter.qc.source import Quality
from trialbids.exporter.release.job import Outcome
from trialbids.exporter.release.kin import compared
from trialbids.mappings.record import Record


def fails(*_: object) -> None:
    raise ZeroDivisionError("private words")


@pytest.mark.parametrize(
    ("name", "what"), [("measure", "metrics"), ("sketch_of", "small copies"), ("slice_digests", "digests")]
)
def test_an_image_is_examined_although_one_thing_cannot_be_measured(
    monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    voxels = body()
    sound = run.examine(volume_of(voxels), stack_of(voxels), Record(sequence="T1w", phase_index=1))
    assert sound.findings == () and sound.metrics and sound.sketch and sound.digests
    monkeypatch.setattr(run, name, fails)
    seen = run.examine(volume_of(voxels), stack_of(voxels), Record(sequence="T1w", phase_index=1))
    (finding,) = seen.findings
    assert (finding.check, finding.severity, finding.stacks) == ("Q99", "warning", ("s1",))
    assert finding.message == f"{what} could not be measured: ZeroDivisionError"
    assert [bool(x) for x in (seen.metrics, seen.sketch, seen.digests)].count(False) == 1


def test_a_session_is_compared_although_its_phases_cannot_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = phases(1.6, "Gadovist")
    (member, *_) = plan([prostate(1)])
    members = [replace(member, row=replace(member.row, stack_id=s.stack_id, record=r)) for s, r in parts]
    outcomes = [Outcome(s.stack_id, "pass", sketch=s) for s, _ in parts]
    done = compared(outcomes, members, Quality(), {})
    assert {o.verdict for o in done} == {"pass"} and all("motion" in o.metrics for o in done)
    monkeypatch.setattr(of_phases.Phases, "curves", property(fails))
    done = compared(outcomes, members, Quality(), {})
    (finding,) = {f.id: f for o in done for f in o.findings}.values()
    assert finding.message == "metrics of phases could not be measured: ZeroDivisionError"
    assert all(o.sketch is None and not o.metrics for o in done)
