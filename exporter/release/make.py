"""One stack converted, checked and written into its session's staging folder: what a worker does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from trialbids.mappings.names import name_rules

from ..convert import Volume, adc_scale, convert, encode, scratch_folder, voxels_sha256
from ..deidentify.dates import UNMOVED, shift_of
from ..deidentify.dicom.context import ObjectContext
from ..deidentify.dicom.stack import Written, write_objects
from ..deidentify.faces import REASONS, deface
from ..deidentify.facewords import face_reason
from ..deidentify.inspect import inspect_file
from ..deidentify.marks import PIXELS
from ..deidentify.pixels.engine import Box, detect
from ..deidentify.pixels.find import find_text
from ..deidentify.pseudonyms import Pseudonyms
from ..deidentify.sidecar import make_sidecar
from ..errors import ConversionError
from ..inventory.instance import Instance
from ..inventory.objects import materialise
from ..plan.build import Planned
from ..qc.check import Finding
from ..qc.inspection.judged import standing
from ..qc.pixels.failures import is_fault
from ..qc.pixels.run import examine
from ..qc.pixels.stored import files_at_hand
from ..qc.verdict import FAIL, NOT_JUDGED, first_error, verdict
from ..tables import json_bytes
from .dataset import SOURCEDATA
from .image import Image, cells
from .job import Job, Outcome

NO_OBJECTS = Written((), ())
HIDDEN = "n/a"


def make_image(job: Job) -> Outcome:
    """Make one image. Raises ``ConversionError`` where the stack does not become what it promises."""
    planned = job.planned
    stack, record = planned.harmonised.stack, planned.harmonised.record
    face = "" if job.options.keep_faces else face_reason(record)
    if face and not job.options.deface:
        raise ConversionError(face, REASONS[face])
    volume = convert(stack, partial(materialise, unpacked=job.unpacked), _scratch(job.work))
    if face:
        volume = deface(volume, job.options.deface, _scratch(job.work))
    if record.sequence == "bold" and volume.voxels.ndim == 3:
        volume = volume.as_series((stack.first.RepetitionTime or 0.0) / 1000)
    at_hand = files_at_hand(stack, job.unpacked)
    has_text = job.options.marks.was_looked_at(stack)
    seen = examine(volume, stack, record, job.tolerances, at_hand, has_text, changed=bool(face))
    found = (*seen.findings, *_inspected(job, volume))
    findings = (*job.findings, *found)
    judged = verdict(findings, job.waived)
    outcome = Outcome(stack.stack_id, judged, found, seen.metrics, seen.sketch, seen.digests)
    if judged == FAIL:
        worst = first_error(findings, job.waived)
        return replace(outcome, reason=worst.check, message=worst.message)
    try:
        return _release(job, volume, outcome, is_defaced=bool(face))
    except ConversionError as error:  # held back for what no check of quality asks: what they found stands
        word = FAIL if is_fault(error.reason) else NOT_JUDGED
        return replace(outcome, verdict=word, reason=error.reason, message=str(error))


def _release(job: Job, volume: Volume, outcome: Outcome, *, is_defaced: bool) -> Outcome:
    """The outcome, its image in the session's staging folder. Raises ``ConversionError`` where that may not leave."""
    planned, findings = job.planned, (*job.findings, *outcome.findings)
    stack, record = planned.harmonised.stack, planned.harmonised.record
    outcome = replace(outcome, text_look=_look_for_text(job, volume))
    against = job.question.decide(record, outcome.verdict, findings, outcome.metrics)
    if against:
        return replace(outcome, against=against)
    sidecar = make_sidecar(
        stack,
        record,
        volume.sidecar,
        acquisition=planned.acquisition,
        clock=job.clock,
        pseudonyms=job.pseudonyms,
        extra=_extra(planned, volume),
        options=job.options,
        defaced=is_defaced,
    )
    missing = set(name_rules().required.get(_suffix(planned), ())) - set(sidecar.content)
    if missing:
        raise ConversionError("bids-metadata-missing", f"BIDS requires {', '.join(sorted(missing))} for this image")
    gradients = _gradients(volume) if record.sequence == "DWI" else {}
    folder = job.staging / planned.datatype
    folder.mkdir(parents=True, exist_ok=True)
    data = encode(volume)
    files = {
        ".nii.gz": data,
        ".json": json_bytes(sidecar.content),
        **{extension: text.encode("ascii") for extension, text in gradients.items()},
    }
    for ending, content in files.items():
        (folder / f"{planned.stem}{ending}").write_bytes(content)
    objects = _write_objects(job) if job.options.sourcedata and not is_defaced else NO_OBJECTS
    root, stem = job.staging.parents[1], planned.row.bids_path.removesuffix(".nii.gz")
    paths = [*(stem + ending for ending in files), *(path.relative_to(root).as_posix() for path in objects.paths)]
    return replace(
        outcome,
        image=_image(job, volume, outcome.verdict, len(data)),
        dropped=sidecar.dropped,
        leaks=tuple(leak for path in paths for leak in inspect_file(root, path, job.searcher, job.rules)),
        left_out=objects.left_out,
    )


def _inspected(job: Job, volume: Volume) -> tuple[Finding, ...]:
    """What people judged wrong in just this image."""
    if not job.inspected:
        return ()
    affine = [float(a) for a in volume.affine.ravel()]
    return standing(job.inspected, voxels_sha256(volume), affine, cells(job.planned.row.record))


def _write_objects(job: Job) -> Written:
    """The stack's de-identified objects, beside the images of its session."""
    planned, options = job.planned, job.options
    visit, record = planned.visit, planned.harmonised.record
    context = ObjectContext(
        subject=visit.subject,
        session=visit.session,
        pseudonyms=job.pseudonyms,
        shift=UNMOVED if options.keep_dates else shift_of(job.pseudonyms, visit.subject),
        start=job.clock.start,
        site=visit.site,
        description=record.sequence,
        bodypart="" if record.bodypart == "unknown" else record.bodypart,
        agent=record.agent_name if record.agent == "with" else "",
        options=options,
    )
    folder = job.staging.parents[1] / SOURCEDATA / job.staging.parent.name / job.staging.name / planned.stem
    return write_objects(planned.harmonised.stack.instances, folder, context, job.unpacked)


def _look_for_text(job: Job, volume: Volume) -> str:
    """``Outcome.text_look``. Raises ``ConversionError`` where text is detected and no person has looked at it."""
    stack = job.planned.harmonised.stack
    if job.options.marks.was_looked_at(stack):
        return ""
    looks = 0

    def counted(image: NDArray[Any]) -> list[Box]:
        nonlocal looks
        looks += 1
        return detect(image)

    texts = find_text(volume.voxels, volume.affine, stack.first.ImageOrientationPatient or None, counted)
    if texts:
        first = texts[0]
        where = "all slices" if first.slice is None else f"slice {first.slice + 1}"
        place = f"{where}, row {first.row}, column {first.column} ({len(texts)} places in all)"
        sentence = f"text was detected at {place}: look at it, then mark the stack in trialbids deid review"
        raise ConversionError(PIXELS.keyword, sentence)
    return "read" if looks else "clear"


@cache
def _scratch(work: Path) -> Path:
    """This process's scratch folder, made once."""
    return scratch_folder(work / "scratch")


def scanner_of(instance: Instance, pseudonyms: Pseudonyms) -> str:
    """A label of the device that made an image, the same for all its images; "n/a" where nothing names one."""
    device = (instance.Manufacturer, instance.ManufacturerModelName, instance.DeviceSerialNumber, instance.StationName)
    return pseudonyms.label("scanner", "", "\0".join(device), 6) if any(device) else HIDDEN


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


def _image(job: Job, volume: Volume, judged: str, file_bytes: int) -> Image:
    planned = job.planned
    row, visit = planned.row, planned.visit
    shape = volume.voxels.shape
    return Image(
        path=row.bids_path,
        participant_id=f"sub-{visit.subject}",
        session_id=f"ses-{visit.session}",
        site=HIDDEN if "site" in job.options.suppress else visit.site,
        scanner=HIDDEN
        if "site" in job.options.suppress
        else scanner_of(planned.harmonised.stack.first, job.pseudonyms),
        acq_time=job.clock.stamp(job.clock.seconds(planned.harmonised.stack.instances)),
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
