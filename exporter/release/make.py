"""One stack converted, checked and written into its session's staging folder: what a worker does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from trialbids.mappings.names import name_rules

from ..convert import Volume, adc_scale, convert, encode, scratch_folder, voxels_sha256
from ..deidentify.sidecar import make_sidecar
from ..errors import ConversionError
from ..inventory.objects import materialise
from ..plan.build import Planned
from ..qc.check import Evidence, Finding
from ..qc.geometry import check_stack
from ..qc.metrics import measure
from ..qc.verdict import qc_sidecar, verdict
from ..stacks.reasons import SENTENCES
from ..stacks.stack import Stack
from ..tables import json_bytes
from .image import Image, cells
from .job import Job, Outcome


def make_image(job: Job) -> Outcome:
    """Make one image. Raises ``ConversionError`` where the stack does not become what it promises."""
    planned = job.planned
    stack, record = planned.harmonised.stack, planned.harmonised.record
    findings = (*check_stack(stack), *_cautions(stack))
    if verdict(findings) == "fail":
        worst = next(f for f in findings if f.severity == "error")
        return Outcome(stack.stack_id, "fail", findings, reason=worst.check, message=worst.message)
    volume = convert(stack, partial(materialise, unpacked=job.unpacked), _scratch(job.work))
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
    gradients = _gradients(volume) if record.sequence == "DWI" else {}
    folder = job.staging / planned.datatype
    folder.mkdir(parents=True, exist_ok=True)
    data = encode(volume)
    (folder / f"{planned.stem}.nii.gz").write_bytes(data)
    (folder / f"{planned.stem}.json").write_bytes(json_bytes(sidecar.content))
    (folder / f"{planned.stem}_qc.json").write_bytes(json_bytes(qc_sidecar(judged, findings, metrics)))
    for extension, text in gradients.items():
        (folder / f"{planned.stem}{extension}").write_text(text, encoding="ascii")
    return Outcome(
        stack.stack_id, judged, findings, _image(planned, volume, judged, len(data)), dropped=sidecar.dropped
    )


def _cautions(stack: Stack) -> list[Finding]:
    """What stacking could only decide by order."""
    if not stack.caution:
        return []
    message = f"the first of several is kept: {SENTENCES[stack.caution]}"
    return [Finding("C02", "warning", message, Evidence(message))]


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
        extra["Units"] = "arbitrary" if scale is None else "mm2/s" if scale == 1.0 else f"{scale:g} mm2/s"
        if scale is not None:
            extra["ADCScale"] = scale
    return extra


def _gradients(volume: Volume) -> Mapping[str, str]:
    """``.bval`` and ``.bvec`` in FSL's form: one line, and three lines, of numbers parted by spaces."""
    if volume.bval is None or volume.bvec is None:
        raise ConversionError("no-gradients", "the b-values or directions of the volumes could not be told")
    lines = (" ".join(f"{v:.6g}" for v in row) for row in volume.bvec)
    return {".bval": " ".join(f"{b:g}" for b in volume.bval) + "\n", ".bvec": "\n".join(lines) + "\n"}


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
