"""The facts of a stack, read from its headers and from the scan and the study around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from trialbids.mappings.description import b_values_in, plain
from trialbids.mappings.facts import Facts
from trialbids.mappings.lexicon import kinds, read_concepts

from ..inventory.instance import Instance
from ..stacks.geometry import plane
from ..stacks.headers import dixon_of, has_direction, is_calculated_b, is_diffusion_weighted, map_kind, part, upper
from ..stacks.signature import SHORTEST_SPIN_ECHO_TR_MS, is_quick
from ..stacks.stack import Stack
from .context import Context

VENDORS = {
    "siemens": "siemens",
    "ge": "ge",
    "g.e": "ge",
    "general": "ge",
    "philips": "philips",
    "canon": "canon",
    "toshiba": "canon",
    "uih": "uih",
    "united": "uih",
    "hitachi": "hitachi",
    "fujifilm": "hitachi",
    "hyperfine": "hyperfine",
    "bruker": "bruker",
}
EXAMINATION_PROTOCOLS = frozenset({"ge", "canon", "hitachi"})
NO_AGENT = frozenset({"", "none", "no", "no contrast", "without", "n", "n/a", "na", "0", "ohne", "sans", "nein", "non"})
EPI_TRAIN, EPI_TE_MS = 16, 12.0
LEAST_TI_MS = 50.0
"""A shorter inversion time prepares the fat of a spoiled gradient echo (GE writes it), not the contrast."""

LARGEST_GRADIENT_FLIP, LEAST_REFOCUSING_FLIP = 70.0, 110.0
LONGEST_GRADIENT_TR_MS, LEAST_TRAIN = 400.0, 2
"""What tells a spin echo from a gradient echo where no flag does: flip angles in degrees, TR, echoes a train."""

T1_WORDS = frozenset({"t1", "vibe", "mprage", "spoiled"})
"""Beside these `post` means after the agent; alone it may mean after a treatment."""

BALANCED_NAME = re.compile(r"\*?(?:tf[ix]|gre_bssfp|trufi|bssfp)")
BALANCED_TR_MS, BALANCED_FLIP = 7.0, 38.0


def facts_of(stack: Stack, context: Context) -> Facts:
    """The facts of one stack."""
    first = stack.first
    rows = representatives(stack)
    scanning = words(rows, lambda i: i.ScanningSequence)
    gradient, spin, planar = readout(first, scanning)
    kind = diffusion_kind(stack)
    tr, te = first.RepetitionTime or 0.0, first.EchoTime or 0.0
    times = numbers(rows, lambda i: i.InversionTime or None)
    inversion = "ir" in scanning or first.InversionRecovery == "YES" or bool(times and max(times) >= LEAST_TI_MS)
    fast = gradient and not planar and not kind and is_quick(tr, te, first.MRAcquisitionType)
    description, protocol = plain(first.SeriesDescription), plain(first.ProtocolName)
    study = plain(first.StudyDescription)
    return Facts(
        modality=first.Modality.lower(),
        sop_class=first.SOPClassUID,
        vendor=vendor(first.Manufacturer),
        image_type=words(rows, lambda i: i.ImageType),
        scanning_sequence=scanning,
        sequence_variant=words(rows, lambda i: i.SequenceVariant),
        scan_options=words(rows, lambda i: i.ScanOptions),
        corrected_image=words(rows, lambda i: i.CorrectedImage),
        sequence_name=first.SequenceName.strip().lower(),
        acquisition_type=first.MRAcquisitionType.strip().lower(),
        acquisition_contrast=first.AcquisitionContrast.strip().lower(),
        echo_pulse_sequence=first.EchoPulseSequence.strip().lower(),
        inversion_recovery=first.InversionRecovery.strip().lower(),
        spoiling=first.SpoilingState.strip().lower(),
        steady_state=first.SteadyStatePulseSequence.strip().lower(),
        suppression=first.SpectrallySelectedSuppression.strip().lower(),
        directionality=directionality(rows),
        photometric=first.PhotometricInterpretation.strip().lower(),
        conversion_type=first.ConversionType.strip().lower(),
        rescale_type=first.RescaleType.strip().lower(),
        units=first.Units.strip().lower(),
        kernel=first.ConvolutionKernel.strip().lower(),
        radiopharmaceutical=first.Radiopharmaceutical.strip().lower(),
        contrast_agent=agent(rows),
        body_part=first.BodyPartExamined.strip().lower(),
        side=tuple(s.strip().lower() for s in (first.Laterality, first.ImageLaterality) if s.strip()),
        tr=numbers(rows, lambda i: i.RepetitionTime or None),
        te=numbers(rows, lambda i: i.EchoTime or None),
        ti=times,
        flip=numbers(rows, lambda i: i.FlipAngle),
        echo_train=numbers(rows, lambda i: i.EchoTrainLength or None),
        field=numbers(rows, lambda i: i.MagneticFieldStrength or None),
        thickness=numbers(rows, lambda i: i.SliceThickness),
        spacing=first.PixelSpacing[:1],
        temporal_positions=first.NumberOfTemporalPositions or 0,
        text=" ".join(filter(None, (description, protocol))),
        description=description,
        study=study,
        said=said(description, protocol, vendor(first.Manufacturer)),
        named=tuple(dict.fromkeys(read_concepts(description) + read_concepts(protocol))),
        study_said=read_concepts(study),
        plane=plane(first.ImageOrientationPatient),
        part=part(first),
        dixon=dixon_of(first.ImageType),
        diffusion=kind,
        bvalues=record_bvalues(stack, kind),
        n_directions=len({d for d in stack.directions if d}),
        n_slices=stack.n_slices,
        n_volumes=stack.n_volumes,
        echo_planar=planar,
        gradient_echo=gradient,
        spin_echo=spin,
        inversion=inversion,
        fast_gradient_echo=fast,
        balanced=gradient and not planar and is_balanced(first),
        fat_phase=context.fat_phase if gradient and not planar else "",
        n_orientations=context.n_orientations,
        n_echoes=context.n_echoes,
        n_flips=context.n_flips,
        n_time_points=context.n_time_points,
        told_dynamic=context.told_dynamic,
        phase_index=stack.phase_index,
        phase_time=stack.phase_time_s,
        phase_interval=context.phase_interval,
        companions=context.companions,
        before_injection=context.before_injection,
        after_injection=context.after_injection,
        contrast_in_study=context.contrast_in_study,
        n_in_study=context.n_in_study,
        first_in_study=context.first_in_study,
        beside_dynamic=context.beside_dynamic,
    )


def said(description: str, protocol: str, vendor: str = "") -> tuple[str, ...]:
    """What the description says, and what the protocol name says where the description names no kind of image.

    On the scanners of :data:`EXAMINATION_PROTOCOLS` the protocol name is that of the whole examination.
    """
    own = read_concepts(description)
    if vendor in EXAMINATION_PROTOCOLS or not kinds().isdisjoint(own):
        return own
    return tuple(dict.fromkeys(own + read_concepts(protocol)))


def is_balanced(first: Instance) -> bool:
    """Whether a gradient echo is balanced: by its name, or by shortest TR, an echo at its half and a large flip."""
    tr, te = first.RepetitionTime or 0.0, first.EchoTime or 0.0
    if BALANCED_NAME.match(first.SequenceName.strip().lower()):
        return True
    quick = 0 < tr <= BALANCED_TR_MS and (first.FlipAngle or 0.0) >= BALANCED_FLIP
    return quick and 0.4 <= te / tr <= 0.6


def representatives(stack: Stack) -> list[Instance]:
    """The first instance of each volume: within a volume the headers agree in what is asked here."""
    seen: dict[int, Instance] = {}
    for instance, volume in zip(stack.instances, stack.volume, strict=True):
        seen.setdefault(volume, instance)
    return list(seen.values())


def readout(first: Instance, scanning: tuple[str, ...]) -> tuple[bool, bool, bool]:
    """Gradient echo, spin echo, echo planar: by the flags of the standard, the sequence name, the echo train."""
    name = first.SequenceName.strip().lower().lstrip("*")
    types = upper(first.ImageType)
    pulse = first.EchoPulseSequence.strip().upper()
    planar = "ep" in scanning or name.startswith(("ep", "mbep", "mb_ep")) or "EPI" in types
    gradient = "gr" in scanning or pulse in ("GRADIENT", "BOTH") or name.startswith(("epfid", "fl", "tfl", "tfi", "fi"))
    gradient = gradient or bool(types & {"M_FFE", "FFE", "M_TFE"})
    spin = ("se" in scanning or pulse in ("SPIN", "BOTH") or "M_SE" in types) and not name.startswith("epfid")
    prepared = "ir" in scanning and "gr" not in scanning and "ep" not in scanning
    quick = 0 < (first.RepetitionTime or 0) <= SHORTEST_SPIN_ECHO_TR_MS
    spin, gradient = spin or (prepared and not quick), gradient or (prepared and quick)
    train = (first.EchoTrainLength or 0) >= EPI_TRAIN and (first.EchoTime or 0) >= EPI_TE_MS
    if gradient and not spin and train and first.MRAcquisitionType != "3D":
        planar = True
    if not (gradient or spin or planar):
        spin = name.startswith(("tse", "se", "tir", "spc", "h2d", "fse"))
        gradient = not spin and (quick or 0 < (first.FlipAngle or 0) <= LARGEST_GRADIENT_FLIP)
        spin = spin or (not gradient and tells_refocusing(first))
    return gradient and not (spin and not planar), spin, planar


def tells_refocusing(first: Instance) -> bool:
    """Whether nothing but a spin echo has such a flip angle (some vendors store that of the refocusing) or train."""
    slow = (first.RepetitionTime or 0) > LONGEST_GRADIENT_TR_MS
    return slow and ((first.FlipAngle or 0) >= LEAST_REFOCUSING_FLIP or (first.EchoTrainLength or 0) >= LEAST_TRAIN)


def diffusion_kind(stack: Stack) -> str:
    """``weighted``, ``calc``, the name of a map in lower case, or "" outside diffusion."""
    first = stack.first
    if first.Modality not in ("MR", ""):
        return ""
    found = map_kind(first.ImageType, first.SeriesDescription)
    if found and not (is_gradient_only(first) and not map_kind(first.ImageType, "")):
        return found.lower()
    if not any(is_diffusion_weighted(i) for i in representatives(stack)):
        return ""
    return "calc" if is_calculated_b(first) else "weighted"


def is_gradient_only(first: Instance) -> bool:
    """Whether the header tells a gradient echo that is not echo planar, of which no diffusion map is made."""
    told = {w.upper() for w in first.ScanningSequence}
    return "GR" in told and not told & {"EP", "SE"}


def record_bvalues(stack: Stack, kind: str) -> tuple[float, ...]:
    """b-values for the record: of the volumes where directions are stored, else ascending; maps have none."""
    if kind not in ("weighted", "calc"):
        return ()
    known = tuple(round(b, 2) + 0.0 for b in stack.bvalues)
    if not known:
        said = b_values_in(plain(stack.first.SeriesDescription))
        return said if len(said) == stack.n_volumes else ()
    return known if any(stack.directions) else tuple(sorted(known))


def directionality(rows: Sequence[Instance]) -> str:
    """DiffusionDirectionality of the weighted volumes, "" where they differ; a stored direction overrules ISOTROPIC."""
    said = {i.DiffusionDirectionality.strip().lower() for i in rows if (i.b_value or 0) > 0}
    if len(said) != 1 or any(has_direction(i) for i in rows):
        return ""
    return said.pop()


def agent(rows: Sequence[Instance]) -> str:
    """The contrast agent named in the header, "" where none is or the tag says none."""
    named = {i.ContrastBolusAgent.strip().lower() for i in rows} - NO_AGENT
    return " ".join(sorted(named))


def enhanced_among(stacks: Iterable[Stack]) -> frozenset[str]:
    """The ``stack_id`` of those whose own header or description tells a contrast agent on board."""
    return frozenset(s.stack_id for s in stacks if tells_agent(s))


def tells_agent(stack: Stack) -> bool:
    """Whether a stack's own header or description tells a contrast agent on board."""
    said = frozenset(read_concepts(plain(stack.first.SeriesDescription)))
    named = "with_agent" in said or ("after_agent" in said and not said.isdisjoint(T1_WORDS))
    return bool(agent(representatives(stack))) or (named and "without_agent" not in said)


def vendor(manufacturer: str) -> str:
    """The vendor in one word."""
    name = manufacturer.strip().lower()
    return next((word for start, word in VENDORS.items() if name.startswith(start)), "other" if name else "")


def words(rows: Iterable[Instance], read: Callable[[Instance], tuple[str, ...]]) -> tuple[str, ...]:
    """All words of a multi-valued field over the volumes, lower case, in order of first use."""
    return tuple(dict.fromkeys(w.strip().lower() for row in {read(i): None for i in rows} for w in row if w.strip()))


def numbers(rows: Iterable[Instance], read: Callable[[Instance], float | None]) -> tuple[float, ...]:
    """All values of a number over the volumes, ascending."""
    return tuple(sorted({float(v) for i in rows if (v := read(i)) is not None}))
