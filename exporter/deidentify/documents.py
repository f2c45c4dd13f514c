"""The form of every JSON file but those of the images: its keys, and for each a number, a closed word, a short text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from trialbids.mappings.fields import allow_list
from trialbids.mappings.protocolfile import protocol_names
from trialbids.mappings.scores import SCORES

from ..qc.metricnames import METRIC_NAMES
from ..qc.names import ASPECTS, CONFIDENCE
from ..qc.names import INSPECTION_SCHEMA as INSPECTION
from ..select.flow import LEVELS, SCHEMA, UNITS
from ..select.parsimony import CATEGORIES
from . import prose, shapes
from .flowlooks import AFTER, ASKS, KINDS, is_sentence, is_step
from .kept import RECORD
from .options import NOT_CLAIMED
from .qualitylooks import is_quality_sentence, is_quality_value
from .shapes import Rules

HARMONISED = f"{RECORD}: "
LONGEST_CELL = 81
LONGEST_LEVEL = 64

_TRIAL = re.compile(r"[0-9A-Za-z][0-9A-Za-z _-]{0,63}")
_WORD = re.compile(r"[0-9A-Za-z_-]{1,64}")
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_COLUMN = re.compile(r"[A-Za-z][0-9A-Za-z_ ()-]{0,63}")
_HEX = re.compile(r"[0-9a-f]{16}")
_REASON = re.compile(r"(keep|quarantine|exclude|set aside): [0-9A-Za-z-]{1,64}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d|none")
_EDITION = re.compile(r"20\d\d[a-e]")
_RANGE = re.compile(r"|[-+.e\d]{1,16}( to [-+.e\d]{1,16} \(\d{1,6}( or more)? values\))?")
_SIZE = re.compile(r"\d{1,6}( to \d{1,6}| or more)?")
_SOURCE = re.compile(rf"{_HEX.pattern}|the raw dataset that this lies in")
LARGEST_COUNT = 10**15

READER = re.compile(r"R\d{1,4}|consensus")
_METHOD = re.compile(r"manual|semiautomatic|automatic|unknown|several|(majority|STAPLE) of \d{1,3} readers")
_RAW = re.compile(r"bids:raw:sub-[0-9A-Za-z]+/ses-[0-9A-Za-z]+/[a-z]+/[0-9A-Za-z_-]+\.nii\.gz")
_CHECK = re.compile(r"[A-Z]\d\d")
_CODE = re.compile(r"[0-9A-Za-z.-]{1,16}")
_MEANING = re.compile(r"[A-Za-z][A-Za-z ,()/'-]{0,63}")
_LABEL_NAME = re.compile(r"[0-9A-Za-z]{1,32}")
_VOXELS = ("i1", "j1", "k1", "i2", "j2", "k2")
DRAWN_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "dseg": ("index", "name", "abbreviation", "scheme", "code", "meaning"),
    "boxes": ("label", "lesion", "method", "scheme", "code", *_VOXELS),
    "points": ("label", "lesion", "method", "scheme", "code", "i", "j", "k"),
}
"""The columns of the tables of what was drawn, by suffix."""

_PLACE = re.compile(r"\d{1,5}(\.\d\d)?")
_DRAWN_CELLS = {
    **dict.fromkeys(("label", "name", "abbreviation"), _LABEL_NAME),
    "method": _METHOD,
    "scheme": _WORD,
    "code": _CODE,
    "meaning": _MEANING,
    **dict.fromkeys(("index", "lesion"), re.compile(r"\d{1,5}")),
}
"""Every other column holds a place in voxels."""
CATEGORY_IDS = frozenset(category.id for category in CATEGORIES)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value with a test; ``kind`` is the leak that one is which fails it."""

    is_right: Callable[[Any], bool]
    kind: str = "odd-value"


@dataclass(frozen=True, slots=True)
class Each:
    """An object with any keys of one form, and values of one form."""

    is_key: Callable[[str], bool]
    value: Spec


Spec = Leaf | Each | Mapping[str, "Spec"] | list["Spec"]
"""A mapping lists the keys that an object may have, a list holds the one form of all its entries."""

Fault = tuple[str, str, object]
"""Place, kind and value."""


def faults(spec: Spec, value: Any, place: str = "") -> Iterator[Fault]:
    """Everything in a value that has another form. An object that lacks a key says nothing, and is right."""
    if value is None:
        return
    if isinstance(spec, Leaf):
        if not spec.is_right(value):
            yield place, spec.kind, value
    elif isinstance(spec, list):
        if not isinstance(value, list):
            yield place, "odd-value", value
            return
        for entry in value:
            yield from faults(spec[0], entry, place)
    elif not isinstance(value, dict):
        yield place, "odd-value", value
    else:
        for key, entry in value.items():
            below = _below(spec, key)
            if below is None:
                yield f"{place} (key)", "unknown-key", key
            else:
                yield from faults(below, entry, f"{place}/{key}")


def _below(spec: Each | Mapping[str, Spec], key: str) -> Spec | None:
    if isinstance(spec, Each):
        return spec.value if spec.is_key(key) else None
    return spec.get(key)


def spec_of(relative: str, content: Any, rules: Rules) -> Spec:
    """The form of a JSON file of the tree (path below its root); some parts name others, so it is asked with it."""
    if relative.endswith("_qc.json"):
        return _quality(rules.told)
    if relative in ("participants.json", "sessions.json", "scans.json"):
        return Each(_like(_COLUMN), _column(rules.told))
    if relative.startswith("phenotype/"):
        return _phenotype(content, rules.told)
    if relative == "curation/flow.json":
        return _flow(rules.criteria)
    if relative == "curation/certificate.json":
        return _certificate(content, rules)
    return _FIXED[relative]


def drawn_spec(relative: str) -> Spec:
    """The form of the JSON of a mask, a label map, or a table of boxes or points (path below the tree's root)."""
    suffix = relative.removesuffix(".json").rpartition("_")[2]
    shared: Spec = {
        "Reader": Leaf(_like(READER)),
        "Method": Leaf(_like(_METHOD)),
        "Sources": [Leaf(_like(_RAW))],
        "SpatialReference": Leaf(_like(_RAW)),
        "Checks": [Leaf(_like(_CHECK))],
    }
    if suffix in ("mask", "probseg"):
        meaning = Leaf(_like(_MEANING))
        code: Spec = {"CodeValue": Leaf(_like(_CODE)), "CodingSchemeDesignator": WORD, "CodeMeaning": meaning}
        label = Leaf(_like(_LABEL_NAME))
        scores: Spec = {name: Leaf(_whole_up_to(highest)) for name, highest in SCORES.items()}
        own: Spec = {"Type": _one_of("ROI"), "Label": label, "LabelCode": code, "Lesion": COUNT}
        return {**shared, **own, "Characteristics": scores}
    column: Spec = {"Description": _described(prose.DRAWN)}
    return {**shared, **dict.fromkeys(DRAWN_COLUMNS[suffix], column)}


def is_drawn_cell(column: str, cell: str) -> bool:
    """Is a cell of :data:`DRAWN_COLUMNS` in its form?"""
    return _DRAWN_CELLS.get(column, _PLACE).fullmatch(cell) is not None


def _whole_up_to(highest: int) -> Callable[[Any], bool]:
    return lambda value: _count(value) and 1 <= value <= highest


def _described(modules: tuple[str, ...]) -> Leaf:
    """A text of these modules as it stands."""
    return Leaf(lambda value: any(value in prose.texts_of(module) for module in modules), "unknown-text")


def _like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _one_of(*words: str) -> Leaf:
    return Leaf(words.__contains__)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_COUNT


def _said(modules: tuple[str, ...], also: frozenset[str] = frozenset()) -> Leaf:
    return Leaf(lambda value: prose.is_said(value, modules, also), "unknown-text")


COUNT = Leaf(_count)
SHARE = Leaf(lambda value: shapes.is_number(value) and 0 <= value <= 1)
BOOL = Leaf(lambda value: isinstance(value, bool))
TRIAL = Leaf(_like(_TRIAL))
WORD = Leaf(_like(_WORD))
KIND = Leaf(_like(_KIND))
VERSION = Leaf(_like(shapes.VERSION))
HEX = Leaf(_like(_HEX))
CELL = Leaf(lambda value: isinstance(value, str) and len(value) <= LONGEST_CELL and value.isprintable())
PROGRAMS = ("trialbids", "dcm2niix", "pydicom")


@cache
def _quality(told: frozenset[str]) -> Spec:
    check: Spec = {
        "check": Leaf(_like(re.compile(r"[A-Z]\d\d"))),
        "severity": _one_of("error", "warning", "info"),
        "state": _one_of("open", "waived"),
        "level": _one_of("instance", "series", "stack", "acquisition", "session", "subject", "release"),
        "message": Leaf(partial(is_quality_sentence, told), "unknown-text"),
        "values": Each(is_quality_value, Leaf(shapes.is_number)),
    }
    return {
        "schema": _one_of("trialbids-qc/2"),
        "verdict": _one_of("pass", "warn", "waived"),
        "checks": [check],
        "metrics": Each(METRIC_NAMES.__contains__, Leaf(shapes.is_number)),
    }


def _column(told: frozenset[str]) -> Spec:
    """What a dictionary says of a column; ``told`` is what the trial itself says of its own."""

    def meaning(value: Any) -> bool:
        return isinstance(value, str) and (len(value) <= LONGEST_LEVEL or value in told)

    return {
        "Description": Leaf(partial(_is_description, told), "unknown-text"),
        "Format": _one_of("number", "integer", "date", "string"),
        "Units": Leaf(lambda value: value in told or _like(_WORD)(value), "unknown-text"),
        "Levels": Each(lambda key: len(key) <= LONGEST_LEVEL, Leaf(meaning)),
        "MissingValues": Leaf(partial(_are_codes, told), "unknown-text"),
        **dict.fromkeys(("Minimum", "Maximum"), Leaf(shapes.is_number)),
    }


def _phenotype(content: Any, told: frozenset[str]) -> Spec:
    """The dictionary of a clinical table: its columns, and what the trial says of the table as a whole."""
    column = _column(told)
    tool: Spec = {"Description": Leaf(told.__contains__, "unknown-text")}
    names = filter(_like(_COLUMN), content if isinstance(content, dict) else ())
    return {**dict.fromkeys(names, column), "MeasurementToolMetadata": tool}


def _are_codes(told: frozenset[str], value: Any) -> bool:
    """Are these codes for missing values that the trial gave?"""
    return isinstance(value, str) and (value in told or all(code in told for code in value.split(", ")))


def _is_description(told: frozenset[str], value: Any) -> bool:
    """A description is a text of ours or the trial's as it stands, or a column's name with one of ours."""
    if not isinstance(value, str):
        return False
    if value in told:
        return True
    ours = {text for module in prose.TABLES for text in prose.texts_of(module)}
    endings = ("", ", from the trial's clinical table", " of the harmonised record")
    return value in ours or any(end and value.endswith(end) and _like(_COLUMN)(value[: -len(end)]) for end in endings)


_SAMPLE: Spec = {
    **dict.fromkeys(("n", "wrong", "unsure"), COUNT),
    **dict.fromkeys(("rate", "at_most", "low", "high"), SHARE),
}
_PROGRAM: Spec = {"Name": _one_of(*PROGRAMS), "Version": VERSION}
_FIXED: Mapping[str, Spec] = {
    "dataset_description.json": {
        "Name": TRIAL,
        "BIDSVersion": VERSION,
        "DatasetType": _one_of("raw"),
        "GeneratedBy": [_PROGRAM],
        "SourceDatasets": [{"Version": Leaf(_like(_SOURCE))}],
    },
    "derivatives/annotations/dataset_description.json": {
        "Name": Leaf(_like(re.compile(_TRIAL.pattern + ": annotations"))),
        "BIDSVersion": VERSION,
        "DatasetType": _one_of("derivative"),
        "GeneratedBy": [_PROGRAM],
        "SourceDatasets": [{"Version": Leaf(_like(_SOURCE))}],
        "DatasetLinks": {"raw": _one_of("../..")},
    },
    ".trialbids": {"made by": _one_of("trialbids"), "key": HEX},
    "code/trialbids.json": {
        "trialbids": VERSION,
        "trial": TRIAL,
        **dict.fromkeys(("subject", "session", "site"), _one_of("table", "path", "tag", "value", "default")),
        "protocol": _one_of("own", *protocol_names()),
        "tolerances": Each(_like(re.compile(r"[A-Z]\d\d(:[a-z]{4,7})?")), Leaf(shapes.is_number)),
        "sites with tolerances": COUNT,
        "site rules": COUNT,
        "keep": [WORD],
        "allow-list": COUNT,
        "de-identification": {
            **dict.fromkeys(("keep_dates", "keep_times", "device", "weight"), BOOL),
            "faces": _one_of("defaced", "quarantine", "allow"),
            "sourcedata": _one_of("none", "dicom"),
            **{key: [WORD] for key in ("fields added", "fields dropped", "suppress")},
            "generalise_age": COUNT,
        },
    },
    "curation/summary.json": {
        **dict.fromkeys(("patients", "studies", "series", "stacks", "kept", "quarantined", "excluded"), COUNT),
        **dict.fromkeys(("instances_set_aside", "files_before", "folders_before", "bytes_before"), COUNT),
        **dict.fromkeys(("objects", "objects_repacked", "objects_dropped", "unreadable", "images"), COUNT),
        **dict.fromkeys(("bytes_repacked", "bytes_dropped", "fields_before", "fields_after", "fields_listed"), COUNT),
        "categories": Each(CATEGORY_IDS.__contains__, dict.fromkeys(("series", "files", "bytes"), COUNT)),
        "images_by_sequence": Each(partial(shapes.is_cell, "sequence"), COUNT),
        "reasons": Each(_like(_REASON), COUNT),
        "qc": {
            **dict.fromkeys(("cycle", "waived", "resolved"), COUNT),
            "verdicts": dict.fromkeys(("pass", "warn", "waived"), COUNT),
            "open": dict.fromkeys(("error", "warning", "info"), COUNT),
            "inspection": {"n": COUNT, "wrong": COUNT, "at_most": SHARE},
        },
    },
    "curation/inspection.json": {
        "schema": _one_of(INSPECTION),
        "confidence": Leaf(lambda value: value == CONFIDENCE),
        **dict.fromkeys(("inspections", "images", "covered", "unread"), COUNT),
        **dict.fromkeys(("rate", "at_most"), SHARE),
        "sample": _SAMPLE,
        "aspects": Each(ASPECTS.__contains__, _SAMPLE),
        "strata": [
            {
                "site": Leaf(_like(re.compile(rf"{shapes.LABEL.pattern}|n/a"))),
                "sequence": Leaf(partial(shapes.is_cell, "sequence")),
                **dict.fromkeys(("images", "known", "known_wrong"), COUNT),
                "share": _SAMPLE,
            }
        ],
        "released": dict.fromkeys(("images", "unchanged"), COUNT),
    },
}


def _flow(criteria: Mapping[str, str]) -> Spec:
    """The flow: steps of ours and criteria of the trial, each with its sentence, and counts."""
    counts: Spec = dict.fromkeys(UNITS, COUNT)
    tally: Mapping[str, Spec] = dict.fromkeys(("remaining", "removed", "untold"), counts)
    sentence = Leaf(lambda value: is_sentence(value, criteria), "unknown-text")
    step: Spec = {
        "id": Leaf(lambda value: is_step(value, criteria)),
        "kind": _one_of(*KINDS),
        "sentence": sentence,
        "level": _one_of("", *LEVELS),
        "asks": _one_of("", *ASKS),
        "after": _one_of(*AFTER),
        **tally,
        "sites": Each(_like(shapes.LABEL), tally),
        "reasons": [{"reason": WORD, "sentence": sentence, "series": COUNT, "stacks": COUNT}],
    }
    return {"schema": _one_of(SCHEMA), "clinical_without_images": COUNT, "steps": [step]}


def _certificate(content: Any, rules: Rules) -> Spec:
    """The certificate: figures, words of the tree and sentences of ours."""
    columns = _names_of_columns(content)
    said, step = _said(prose.CERTIFICATE), _said(prose.CERTIFICATE, columns)
    claim: Spec = {"code": Leaf(_like(re.compile(r"1131\d\d"))), "meaning": Leaf(_is_option), "why": said}
    identifiers = {"kind": KIND, **dict.fromkeys(("known", "searched", "too_short", "too_common"), COUNT)}
    return {
        "schema": _one_of("trialbids-certificate/1"),
        "statement": said,
        "date": Leaf(_like(_DAY)),
        "trial": TRIAL,
        "versions": Each(PROGRAMS.__contains__, VERSION),
        "key": HEX,
        "edition": Leaf(_like(_EDITION)),
        **dict.fromkeys(("allow_list", "participants", "sessions", "images", "accepted", "rejected"), COUNT),
        "claimed": [claim],
        "not_claimed": [claim],
        "fields": [
            {
                "field": WORD,
                "group": Leaf(_groups().__contains__),
                "action": WORD,
                "form": said,
                "images": COUNT,
                "stopped": COUNT,
            }
        ],
        "actions": Each(_like(_KIND), COUNT),
        "removed": Each(lambda key: prose.is_said(key, prose.CERTIFICATE), COUNT),
        "kept": [Leaf(partial(_is_kept, rules))],
        "search": {"kinds": [identifiers], **dict.fromkeys(("files", "hits", "sessions_stopped"), COUNT)},
        "pixels": dict.fromkeys(("looked_at", "read_by_engine", "held_back"), COUNT),
        "faces": dict.fromkeys(("held_back", "allowed", "defaced", "unknown"), COUNT),
        "anonymity": {
            "columns": [{"name": Leaf(_like(_COLUMN)), "values": COUNT, "rarest": COUNT}],
            **dict.fromkeys(("participants", "k", "groups", "n_small", "in_small"), COUNT),
            "small": [{"values": [CELL], "participants": COUNT}],
            "sizes": [Leaf(_is_size)],
            "offers": [{"steps": [step], **dict.fromkeys(("cells", "k", "left_small"), COUNT)}],
        },
        "inspection": {
            **dict.fromkeys(("images", "looked_at", "wrong", "released", "unchanged"), COUNT),
            **dict.fromkeys(("rate", "at_most"), SHARE),
        },
        "risks": [said],
        "not_checked": [said],
    }


def _names_of_columns(content: Any) -> frozenset[str]:
    """The columns that a certificate tells of, with and without what it says behind their names."""
    try:
        names = [str(column["name"]) for column in content["anonymity"]["columns"]]
    except (KeyError, TypeError):
        return frozenset()
    return frozenset(n for n in (*names, *(n.removesuffix(" (visits)") for n in names)) if _like(_COLUMN)(n))


@cache
def _groups() -> frozenset[str]:
    rules = allow_list()
    return frozenset((*(f.group for f in (*rules.fields, *rules.device)), "added by the trial"))


def _is_option(value: Any) -> bool:
    return value in {*shapes.CODES.values(), *(code.meaning for code in NOT_CLAIMED)}


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and _like(_SIZE)(value[0]) and _count(value[1])


def _is_kept(rules: Rules, value: Any) -> bool:
    """A line of the values that leave: each of them one that may stand in a sidecar."""
    if not isinstance(value, dict) or not value.keys() <= {"field", "distinct", "values", "numbers"}:
        return False
    counted = all(
        isinstance(v, dict)
        and v.keys() <= {"value", "images", "subjects"}
        and all(_count(v.get(name, 0)) for name in ("images", "subjects"))
        and _is_sidecar_word(str(value.get("field")), v.get("value"), rules)
        for v in value.get("values", ())
    )
    name = value.get("field")
    return counted and _is_name(name, rules) and _count(value.get("distinct", 0)) and _like(_RANGE)(value["numbers"])


def _is_name(name: Any, rules: Rules) -> bool:
    return isinstance(name, str) and (name.startswith(HARMONISED) or _shape(name, rules) is not None)


def _is_sidecar_word(name: str, word: Any, rules: Rules) -> bool:
    if not isinstance(word, str):
        return False
    if name.startswith(HARMONISED):
        return shapes.is_cell(name.removeprefix(HARMONISED), word)
    if word.endswith("…"):
        return len(word) == LONGEST_CELL  # the rest is not here to be judged; it is searched
    shape = _shape(name, rules)
    return shape is not None and (shape(word) or shape([word]))


def _shape(name: str, rules: Rules) -> shapes.Shape | None:
    """The form of a sidecar's value, by its own key or by the keyword of DICOM."""
    keyed = next((f.bids for f in rules.allowed.fields if f.keyword == name and f.bids), name)
    return shapes.shape_of(keyed, rules)
