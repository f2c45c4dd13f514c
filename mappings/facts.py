"""What rules may ask about one stack: a flat table of plain values, lower case, read once from its headers."""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[str, ...]
Numbers = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of one stack. Empty means absent or not told; several values mean that the headers differ.

    Times are in ms, lengths in mm, angles in degrees, b-values in s/mm², field in tesla, as DICOM has them;
    ``phase_time`` and ``phase_interval`` are in seconds. Text is lower case without accents, words parted by single
    blanks. ``said`` holds the concepts (:mod:`.lexicon`) of the description, and of the protocol name where the
    description names no kind of image: on some scanners the protocol name is that of the whole examination. ``named``
    holds those of both, ``study_said`` those of the study description.
    """

    # of the header
    modality: str = ""
    sop_class: str = ""
    vendor: str = ""
    image_type: Words = ()
    scanning_sequence: Words = ()
    sequence_variant: Words = ()
    scan_options: Words = ()
    corrected_image: Words = ()
    sequence_name: str = ""
    acquisition_type: str = ""
    acquisition_contrast: str = ""
    echo_pulse_sequence: str = ""
    inversion_recovery: str = ""
    spoiling: str = ""
    steady_state: str = ""
    suppression: str = ""
    directionality: str = ""
    photometric: str = ""
    conversion_type: str = ""
    rescale_type: str = ""
    units: str = ""
    kernel: str = ""
    radiopharmaceutical: str = ""
    contrast_agent: str = ""
    body_part: str = ""
    side: Words = ()
    tr: Numbers = ()
    te: Numbers = ()
    ti: Numbers = ()
    flip: Numbers = ()
    echo_train: Numbers = ()
    field: Numbers = ()
    thickness: Numbers = ()
    spacing: Numbers = ()
    temporal_positions: int = 0
    # text
    text: str = ""
    description: str = ""
    study: str = ""
    said: Words = ()
    named: Words = ()
    study_said: Words = ()
    # of the stack
    plane: str = "unknown"
    part: str = "mag"
    dixon: str = ""
    diffusion: str = ""
    bvalues: Numbers = ()
    n_directions: int = 0
    n_slices: int = 0
    n_volumes: int = 0
    echo_planar: bool = False
    gradient_echo: bool = False
    spin_echo: bool = False
    inversion: bool = False
    fast_gradient_echo: bool = False
    balanced: bool = False
    fat_phase: str = ""
    # of the scan and the study around it
    n_orientations: int = 1
    n_echoes: int = 0
    n_flips: int = 0
    n_time_points: int = 0
    told_dynamic: bool = False
    phase_index: int | None = None
    phase_time: float | None = None
    phase_interval: float | None = None
    companions: Words = ()
    before_injection: bool = False
    after_injection: bool = False
    contrast_in_study: bool = False
    n_in_study: int = 1
    first_in_study: bool = False
    beside_dynamic: bool = False
