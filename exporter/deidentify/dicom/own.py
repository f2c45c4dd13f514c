"""What de-identification itself says in an object: whose it now is, what was done, and with which program."""

from __future__ import annotations

from struct import pack

from trialbids.mappings.iods import Iod

from .context import Diffusion, ObjectContext
from .encode import binary, data_set, element, sequence, text

IMPLEMENTATION_UID = "2.25.204529402386415983620537127563905486115"
IMPLEMENTATION_NAME = "TRIALBIDS"
PREAMBLE = bytes(128) + b"DICM"
REMOVED = "REMOVED"
WITH_CONTRAST_MODULE = ("MR", "CT")


def file_meta(sop_class: str, sop_instance: str, syntax: str) -> bytes:
    """Preamble and file meta information (PS3.10 section 7.1): ours alone, no titles of the source's network."""
    uids = {
        0x00020002: sop_class,
        0x00020003: sop_instance,
        0x00020010: syntax,
        0x00020012: IMPLEMENTATION_UID,
    }
    elements = {tag: element(tag, b"UI", uid.encode("ascii")) for tag, uid in uids.items()}
    elements[0x00020001] = element(0x00020001, b"OB", b"\0\1")
    elements[0x00020013] = element(0x00020013, b"SH", IMPLEMENTATION_NAME.encode("ascii"))
    body = data_set(elements)
    return PREAMBLE + element(0x00020000, b"UL", pack("<L", len(body))) + body


def own_elements(context: ObjectContext, iod: Iod, little: bool) -> dict[int, bytes]:
    """The elements that replace, by tag, whatever the object said."""
    options = context.options
    kept = options.keep_dates and options.keep_times
    words: dict[int, tuple[bytes, str]] = {
        0x00100010: (b"PN", context.subject),
        0x00100020: (b"LO", context.subject),
        0x00120062: (b"CS", "YES"),
        0x00280303: (b"CS", "UNMODIFIED" if kept else "MODIFIED"),
        **_trial(context),
    }
    if context.description:
        words[0x0008103E] = (b"LO", context.description)
    if context.bodypart:
        words[0x00180015] = (b"CS", context.bodypart.upper())
    if context.agent and iod.name in WITH_CONTRAST_MODULE:
        words[0x00180010] = (b"LO", context.agent.upper())
    out = {tag: element(tag, vr, text(vr, [word]) or b"", little) for tag, (vr, word) in words.items()}
    methods = text(b"LO", [method[:64] for method in options.methods()]) or b""
    out[0x00120063] = element(0x00120063, b"LO", methods, little)
    out[0x00120064] = _method_codes(context, little)
    return out


def _trial(context: ObjectContext) -> dict[int, tuple[bytes, str]]:
    """The clinical trial modules: labels, and words that stand for the sponsor and the protocol (action D)."""
    return {
        0x00120010: (b"LO", REMOVED),
        0x00120020: (b"LO", REMOVED),
        0x00120021: (b"LO", ""),
        0x00120030: (b"LO", "" if "site" in context.options.suppress else context.site),
        0x00120031: (b"LO", ""),
        0x00120040: (b"LO", context.subject),
        0x00120050: (b"LO", context.session),
    }


def _method_codes(context: ObjectContext, little: bool) -> bytes:
    items = []
    for code in context.options.claims():
        parts = {0x00080100: (b"SH", code.value), 0x00080102: (b"SH", "DCM"), 0x00080104: (b"LO", code.meaning[:64])}
        items.append(b"".join(element(tag, vr, word.encode("ascii"), little) for tag, (vr, word) in parts.items()))
    return sequence(0x00120064, items, little)


def diffusion_elements(diffusion: Diffusion, little: bool) -> dict[int, bytes]:
    """b-value and direction as standard attributes, which a classic MR object may hold (PS3.3 C.8.13.5.9)."""
    out = {}
    b_value = binary(b"FD", [diffusion.b_value], little)
    if b_value:
        out[0x00189087] = element(0x00189087, b"FD", b_value, little)
    if len(diffusion.direction) == 3:
        out[0x00189089] = element(0x00189089, b"FD", binary(b"FD", diffusion.direction, little) or b"", little)
    return out
