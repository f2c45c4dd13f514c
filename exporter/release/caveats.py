"""What remains after de-identification: risks, what was not checked, options that are not claimed, in plain words."""

from __future__ import annotations

from collections.abc import Iterator

from ..deidentify.anonymity import LEAST
from ..deidentify.options import (
    DEVICE,
    FULL_DATES,
    MODIFIED_DATES,
    NOT_CLAIMED,
    VISUAL_FEATURES,
    Code,
    Options,
)
from .certificate import Facts


def risks(facts: Facts) -> tuple[str, ...]:
    """What could still lead to a person, in sentences; those that hold for every release come last."""
    return (*_chosen(facts), *_found(facts), *ALWAYS)


ALWAYS = (
    "The release is pseudonymised: whoever holds the secret key or the linkage table can name the participants.",
    "An image can be recognised by whoever has the same image elsewhere, such as in the archive of where it was made.",
    "Rare anatomy, implants and operations can be seen in images, and may be known of a person.",
    "Settings of the scan (times, angles, coil, software) may tell which scanner, and so which site, made an image.",
)


def _chosen(facts: Facts) -> Iterator[str]:
    """What the trial asked for."""
    options = facts.options
    if options.keep_dates:
        yield "Dates are released as they are (keep_dates): whoever knows when somebody was scanned can find the scan."
    else:
        yield "Intervals between visits are released in whole days; a known row of intervals may point to a person."
    if options.keep_times:
        yield "The time of day of every scan is released (keep_times)."
    if options.device:
        yield "Names and numbers of single devices are released (device): they tell the site."
    if options.weight:
        yield "Weight is released in whole kilograms (weight)."
    if options.marks.forms:
        forms = counted(len(options.marks.forms), "form")
        yield f"A person said that these are no identifiers, and they were not searched for: {forms}."
    if options.marks.stacks:
        yield f"Text was detected, and a person let them leave: {counted(len(options.marks.stacks), 'stack')}."
    if facts.accepted:
        yield f"{counted(facts.accepted, 'value')} that no listed pattern covers left because a person accepted them."
    if facts.dicom:
        yield "De-identified DICOM lies beside the images: it holds more attributes than the sidecars do."
        yield "Text hidden inside the coded data of compressed DICOM pixels, behind the last sample, is not looked for."


def _found(facts: Facts) -> Iterator[str]:
    """What this release shows of itself."""
    found = facts.anonymity
    if found is not None and found.in_small:
        yield (
            f"{counted(found.in_small, 'participant')} of {found.participants} share all that "
            f"is told of them with fewer than {LEAST - 1} others (the smallest group is {found.k}): whoever "
            "knows these facts of somebody may find the person."
        )
    if facts.faces is not None and facts.faces.allowed:
        yield (
            f"{counted(facts.faces.allowed, 'image')} may show a face and left with it (faces: allow): a face can be "
            "rebuilt from a scan of the head and compared with photographs."
        )
    if facts.faces is not None and facts.faces.defaced:
        yield (
            f"From {counted(facts.faces.defaced, 'image')} a command of the trial removed the face. That voxels "
            "changed was checked, how well was not."
        )
    if facts.search is not None:
        left = sum(k.too_short + k.too_common for k in facts.search.kinds)
        if left:
            yield f"Too short or too common to be searched for safely: {counted(left, 'known identifier')}."
        if facts.search.hits:
            yield (
                f"{counted(facts.search.hits, 'known identifier')} stood in what was about to be released; what was "
                f"stopped because of it and is not in the release: {counted(facts.search.sessions_stopped, 'session')}."
            )


def not_checked(facts: Facts) -> tuple[str, ...]:
    """What nobody looked for, in sentences."""
    return (*_did_not_run(facts), *NEVER_CHECKED)


NEVER_CHECKED = (
    "Identifiers that stand in no header that was read are not known, and so were not searched for.",
    "Text in pixels is looked for by a detector, which misses some: what it did not detect may be there all the same.",
    "Marks in the image other than text (a label photographed with the patient, a tattoo, an implant's number).",
    "What the data tell together with other sources: registers, publications, social media, other releases.",
    "Intervals between visits, their number, and the settings of the scans are not counted in the groups.",
    "Whether all members of a group share a sensitive value (l-diversity).",
    "What a person drew or wrote in the trial's tables beyond the listed columns and levels.",
)


def _did_not_run(facts: Facts) -> Iterator[str]:
    if facts.search is None:
        yield "The search for known identifiers did not run."
    if facts.pixels is None:
        yield "No image was looked at for text in its pixels."
    if facts.faces is None:
        yield "No image was looked at for whether a head is in view."
    elif facts.faces.unknown:
        yield f"Whether a face is in view in {counted(facts.faces.unknown, 'image')} whose body part is not known."
    if facts.anonymity is None:
        yield "The sizes of the groups of participants who share all values were not counted."


def not_claimed(options: Options, *, defaced: bool) -> list[tuple[Code, str]]:
    """The options of CID 7050 that are not claimed for this release, each with the reason."""
    reasons = dict(NOT_CLAIMED)
    if not defaced:
        reasons[VISUAL_FEATURES] = "no face was removed: images that may show one are held back, or left as they are"
    if options.keep_dates:
        reasons[MODIFIED_DATES] = "dates are kept as they are"
    else:
        reasons[FULL_DATES] = "dates are moved"
    if not options.device:
        reasons[DEVICE] = "no name or number of a single device is kept"
    return sorted(reasons.items(), key=lambda item: item[0].value)


def counted(n: int, what: str) -> str:
    """A number with what it counts.

    >>> counted(1, "image"), counted(2000, "stack")
    ('1 image', '2,000 stacks')
    """
    return f"{n:,} {what}{'s' if n != 1 else ''}"
