"""From the harmonised record to a BIDS name, by the BIDS schema and never by pasting strings together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from bidsschematools.schema import load_schema

from .record import Record
from .text import read_yaml

LABEL = re.compile(r"[0-9a-zA-Z]+")
NUMBERED = ("run", "echo", "flip")


@dataclass(frozen=True, slots=True)
class Naming:
    """How one sequence is named."""

    datatype: str
    suffix: str
    stem: str = ""
    agent: bool = False
    bids: bool = True


@dataclass(frozen=True, slots=True)
class NameRules:
    """The whole of ``names.yaml``."""

    sequences: Mapping[str, Naming]
    metadata_missing: frozenset[str]
    pulse_sequences: Mapping[str, str]
    required: Mapping[str, tuple[str, ...]]
    bidsignore: tuple[str, ...]
    annotations_bidsignore: tuple[str, ...]


@cache
def name_rules() -> NameRules:
    """``names.yaml``, checked: every suffix is one that the schema allows, or is marked as none of BIDS's."""
    spec = read_yaml("names.yaml")
    sequences = {name: Naming(**entry) for name, entry in spec["sequences"].items()}
    for name, naming in sequences.items():
        if naming.bids:
            allowed_entities(naming.datatype, naming.suffix)
        elif not any(f"_{naming.suffix}." in line or f"/{naming.datatype}/" in line for line in spec["bidsignore"]):
            raise ValueError(f"names.yaml: {name}: neither a name of BIDS nor in bidsignore")
    return NameRules(
        sequences=MappingProxyType(sequences),
        metadata_missing=frozenset(spec["metadata_missing"]),
        pulse_sequences=MappingProxyType(spec["pulse_sequences"]),
        required=MappingProxyType({suffix: tuple(keys) for suffix, keys in spec["required"].items()}),
        bidsignore=tuple(spec["bidsignore"]),
        annotations_bidsignore=tuple(spec["annotations_bidsignore"]),
    )


@cache
def _schema_entities() -> tuple[tuple[str, str], ...]:
    """(long name, short name) of every entity, in the order of the standard."""
    schema = load_schema()
    return tuple((name, schema.objects.entities[name].name) for name in schema.rules.entities)


@cache
def allowed_entities(datatype: str, suffix: str) -> frozenset[str]:
    """The short names of the entities that the schema allows for an image of this suffix.

    >>> sorted(allowed_entities("dwi", "ADC"))
    ['acq', 'chunk', 'dir', 'rec', 'run', 'ses', 'sub']

    Raises ``ValueError`` where the schema has no such image.
    """
    short = dict(_schema_entities())
    groups = load_schema().rules.files.raw.get(datatype, {})
    for rule in groups.values():
        if suffix in rule.suffixes and ".nii.gz" in rule.extensions:
            return frozenset(short[name] for name in rule.entities)
    raise ValueError(f"the BIDS schema has no {datatype}/*_{suffix}.nii.gz")


@cache
def derived_entities(datatype: str, suffix: str) -> frozenset[str]:
    """The short names of the entities that the schema allows for a derivative of this suffix; none where it has none.

    >>> sorted(derived_entities("dwi", "mask"))
    ['acq', 'chunk', 'desc', 'dir', 'label', 'part', 'rec', 'res', 'run', 'ses', 'space', 'sub']
    >>> derived_entities("ct", "mask")
    frozenset()
    """
    short = dict(_schema_entities())
    for rule in load_schema().rules.files.deriv.imaging.values():
        takes = suffix in rule.suffixes and ".nii.gz" in rule.extensions and datatype in rule.datatypes
        if takes and "template" not in rule.entities:
            return frozenset(short[name] for name in rule.entities)
    return frozenset()


def stem(entities: Mapping[str, str], suffix: str) -> str:
    """A file name without extension: entities in the schema's order, then the suffix.

    >>> stem({"ses": "01", "sub": "A1", "run": "02"}, "T1w")
    'sub-A1_ses-01_run-02_T1w'

    Raises ``ValueError`` where a label holds anything but letters and digits, or an entity is unknown.
    """
    order = [short for _, short in _schema_entities()]
    unknown = set(entities) - set(order)
    if unknown:
        raise ValueError(f"no such entity: {', '.join(sorted(unknown))}")
    for name, label in entities.items():
        if not LABEL.fullmatch(label):
            raise ValueError(f"{name}-{label}: a label holds letters and digits only")
    return "_".join([f"{name}-{entities[name]}" for name in order if name in entities] + [suffix])


def naming_of(record: Record) -> Naming | None:
    """How an image of this record is named, or None where neither BIDS nor we have a name for it."""
    return name_rules().sequences.get(record.sequence)


def entities_of(record: Record, *, scan: int = 1) -> dict[str, str]:
    """The entities that say what the image is: all but subject, session and run.

    ``scan`` counts the dynamic acquisitions of one kind in a session: the second DCE is ``acq-dce2Ax``. What the
    schema does not take for the suffix is left out; what would then collide is told apart by ``run``.

    >>> entities_of(Record(sequence="T1w", technique="vibe", plane="ax", dim="3d", fatsat="fs", phase_name="arterial"))
    {'acq': 'vibeAx3DFsArterial'}
    """
    naming = naming_of(record)
    if naming is None:
        raise ValueError(f"{record.sequence}: has no name in BIDS")
    entities = {"acq": acquisition_label(record, naming, scan), "rec": reconstruction_label(record)}
    if naming.agent and (record.agent == "with" or record.sequence == "DCE"):
        entities["ce"] = "IODINE" if record.agent_name == "iodine" else "GADOLINIUM"
    if naming.suffix == "bold":
        entities["task"] = "unknown"
    if record.echo_index is not None:
        entities["echo"] = str(record.echo_index)
    if record.flip_index is not None:
        entities["flip"] = str(record.flip_index)
    if record.part != "mag":
        entities["part"] = record.part
    allowed = allowed_entities(naming.datatype, naming.suffix) if naming.bids else frozenset(entities)
    return {name: label for name, label in entities.items() if label and name in allowed}


def acquisition_label(record: Record, naming: Naming, scan: int = 1) -> str:
    """``<stem><Plane>[3D][Fs|Stir][Phase]`` with the unknown parts left out."""
    stem_word = (
        "dixon" if record.dixon not in ("none", "unknown") and not naming.stem else naming.stem or record.technique
    )
    words = [
        "" if stem_word in ("none", "other", "unknown") else stem_word,
        str(scan) if scan > 1 else "",
        "" if record.plane in ("unknown", "multi") else record.plane.capitalize(),
        "3D" if record.dim == "3d" else "",
        "" if record.fatsat in ("none", "unknown") else record.fatsat.capitalize(),
        "" if record.phase_name in ("none", "unknown", "dynamic") else record.phase_name.capitalize(),
    ]
    label = "".join(words)
    return label[:1].lower() + label[1:]


def reconstruction_label(record: Record) -> str:
    """Dixon product, then what was derived: ``water``, ``sub``, ``waterSub``, ``calcb1400``."""
    words = [] if record.dixon in ("none", "unknown") else [record.dixon]
    for word in record.derived:
        words.append(f"calcb{record.bvalues[0]:.0f}" if word == "calc" and record.bvalues else word)
    return words[0] + "".join(w.capitalize() for w in words[1:]) if words else ""


def run_label(number: int) -> str:
    """Runs are two digits, so that they sort; more where a scan has over 99."""
    return f"{number:02d}"
