"""One unit of work: one stack converted, checked and written into its session's staging folder."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from trialbids.mappings.names import name_rules

from ..convert import Volume, adc_scale, convert, encode, scratch_folder, voxels_sha256
from ..deidentify.pseudonyms import Pseudonyms
from ..deidentify.sidecar import Dropped, make_sidecar
from ..errors import ConversionError
from ..inventory import materialise
from ..plan.build import Planned
from ..qc import Finding, check_stack, measure, qc_sidecar, verdict
from ..tables import json_bytes
from .image import Image, cells


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a worker needs to make one image. ``start`` is the session's first moment of acquisition."""

    planned: Planned
    staging: Path
    work: Path
    start: float | None
    pseudonyms: Pseudonyms = field(repr=False)

    @property
    def session(self) -> tuple[str, str]:
        """Labels of subject and session."""
        return self.planned.visit.subject, self.planned.visit.session


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one stack: released as ``image``, or held back with a reason.

    ``crash`` is the (private) traceback of an error that is a fault of the program; the session then fails.
    """

    stack_id: str
    verdict: str
    findings: tuple[Finding, ...] = ()
    image: Image | None = None
    reason: str = ""
    message: str = ""
    dropped: tuple[Dropped, ...] = ()
    crash: str = ""


def run_job(job: Job) -> Outcome:
    """Convert, check and stage one stack. Never raises: one stack's fault must not stop the other sessions."""
    stack_id = job.planned.row.stack_id
    try:
        return _run(job)
    except ConversionError as error:
        return Outcome(stack_id, "fail", reason=error.reason, message=str(error))
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - the border of a unit of work: any fault is listed with its session, none is swallowed
        return Outcome(
            stack_id, "fail", reason="internal-error", message="an error of the program", crash=traceback.format_exc()
        )


def _run(job: Job) -> Outcome:
    planned = job.planned
    stack, record = planned.harmonised.stack, planned.harmonised.record
    findings = check_stack(stack)
    if verdict(findings) == "fail":
        worst = next(f for f in findings if f.severity == "error")
        return Outcome(stack.stack_id, "fail", findings, reason=worst.check, message=worst.message)
    volume = convert(stack, materialise, _scratch(job.work))
    if record.sequence == "bold" and volume.voxels.ndim == 3:
        volume = volume.as_series((stack.first.RepetitionTime or 0.0) / 1000)
    metrics = measure(volume)
    judged = verdict(findings)
    sidecar = make_sidecar(
        stack,
        record,
        volume.sidecar,
        acquisition=planned.acquisition,
        start=job.start,
        pseudonyms=job.pseudonyms,
        extra=_extra(planned, volume),
    )
    missing = set(name_rules().required.get(_suffix(planned), ())) - set(sidecar.content)
    if missing:
        raise ConversionError("bids-metadata-missing", f"BIDS requires {', '.join(sorted(missing))} for this image")
    folder = job.staging / planned.datatype
    folder.mkdir(parents=True, exist_ok=True)
    data = encode(volume)
    (folder / f"{planned.stem}.nii.gz").write_bytes(data)
    (folder / f"{planned.stem}.json").write_bytes(json_bytes(sidecar.content))
    (folder / f"{planned.stem}_qc.json").write_bytes(json_bytes(qc_sidecar(judged, findings, metrics)))
    if record.sequence == "DWI":
        _write_gradients(folder / planned.stem, volume)
    return Outcome(
        stack.stack_id, judged, findings, _image(planned, volume, judged, len(data)), dropped=sidecar.dropped
    )


@cache
def _scratch(work: Path) -> Path:
    """This process's scratch folder, made once."""
    return scratch_folder(work / "scratch")


def _suffix(planned: Planned) -> str:
    return planned.stem.rpartition("_")[2]


def _extra(planned: Planned, volume: Volume) -> Mapping[str, Any]:
    """Keys of ours that the voxels decide."""
    name, _, version = volume.converter.partition(" ")
    extra: dict[str, Any] = {"ConversionSoftware": name}
    if version:
        extra["ConversionSoftwareVersion"] = version
    if planned.harmonised.record.sequence == "ADC":
        first = planned.harmonised.stack.first
        scale = adc_scale(volume, first.RescaleType or first.Units)
        extra["Units"] = "mm2/s" if scale is not None else "arbitrary"
        if scale is not None:
            extra["ADCScale"] = scale
    return extra


def _write_gradients(stem: Path, volume: Volume) -> None:
    """``.bval`` and ``.bvec`` in FSL's form: one line, and three lines, of numbers parted by spaces."""
    if volume.bval is None or volume.bvec is None:
        raise ConversionError("no-gradients", "the b-values or directions of the volumes could not be told")
    stem.with_name(stem.name + ".bval").write_text(" ".join(f"{b:g}" for b in volume.bval) + "\n", encoding="ascii")
    lines = (" ".join(f"{v:.6g}" for v in row) for row in volume.bvec)
    stem.with_name(stem.name + ".bvec").write_text("\n".join(lines) + "\n", encoding="ascii")


def _image(planned: Planned, volume: Volume, judged: str, file_bytes: int) -> Image:
    row, visit = planned.row, planned.visit
    shape = volume.voxels.shape
    return Image(
        path=row.bids_path,
        participant_id=f"sub-{visit.subject}",
        session_id=f"ses-{visit.session}",
        site=visit.site,
        acquisition_id=planned.acquisition,
        datatype=planned.datatype,
        suffix=_suffix(planned),
        record=cells(row.record),
        qc_verdict=judged,
        shape=tuple(int(n) for n in shape),
        zooms=tuple(float(z) for z in volume.header.get_zooms()[: len(shape)]),
        affine=tuple(float(a) for a in volume.affine.ravel()),
        dtype=volume.voxels.dtype.name,
        slope=volume.slope,
        inter=volume.inter,
        voxels_sha256=voxels_sha256(volume),
        file_bytes=file_bytes,
    )
