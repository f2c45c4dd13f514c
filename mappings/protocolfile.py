"""Protocols as YAML: read, checked with the line of whatever is wrong, and written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from .contradictions import Place, contradictions
from .plain import read_mapping
from .protocol import Protocol

FOLDER = Path(__file__).parent / "protocols"
SUFFIXES = (".yaml", ".yml")


class ProtocolError(ValueError):
    """A protocol cannot be used: one sentence with file, line and what was expected."""


FORM = ("the protocol", "such as `protocol: pelvis` and `slots: […]`", ProtocolError)


@cache
def protocol_names() -> tuple[str, ...]:
    """The names of the protocols of this package, with their variants."""
    found: list[str] = []
    for path in sorted(FOLDER.glob("*.yaml")):
        protocol = _read(path)
        found += [protocol.protocol, *(f"{protocol.protocol}-{name}" for name in protocol.variants)]
    return tuple(found)


def is_file(name: str) -> bool:
    """Whether the name of a protocol is that of a file.

    >>> is_file("own/pelvis.yaml"), is_file("pi-rads-2.1")
    (True, False)
    """
    return name.lower().endswith(SUFFIXES)


def load_protocol(name: str | Path) -> Protocol:
    """The protocol of this name, or of a file; what it is based on is filled in.

    Raises :class:`ProtocolError` where there is none, or it contradicts itself.
    """
    if isinstance(name, Path) or is_file(name):
        return _checked(Path(name))
    return _shipped(name)


@cache
def _shipped(name: str) -> Protocol:
    for path in sorted(FOLDER.glob("*.yaml")):
        protocol = _read(path)
        if name == protocol.protocol:
            return protocol
        for variant, change in protocol.variants.items():
            if name == f"{protocol.protocol}-{variant}":
                return protocol.changed(change, name)
    known = ", ".join(protocol_names())
    raise ProtocolError(f"{name!r} is no protocol; expected {known}, or the path of a .yaml file")


def _checked(path: Path) -> Protocol:
    """A protocol of a file, on top of what it is based on, checked as a whole."""
    protocol = _read(path)
    if not protocol.based_on:
        return protocol
    node, _ = read_mapping(path, *FORM)
    try:
        base = _shipped(protocol.based_on)
    except ProtocolError as error:
        raise ProtocolError(f"{path}: line {line_of(node, ('based_on',))}: based_on: {error}") from error
    _refuse_without(path, node, (), protocol.without, base)
    whole = base.changed(protocol, protocol.protocol)
    _raise(path, node, whole)
    return whole


def _read(path: Path) -> Protocol:
    """The content of one file. A file based on another is checked once both are one."""
    node, data = read_mapping(path, *FORM)
    try:
        protocol = Protocol.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise ProtocolError(_explain(path, node, first["loc"], first["msg"], first["type"])) from error
    if protocol.based_on:
        if protocol.variants:
            line = line_of(node, ("variants",))
            raise ProtocolError(f"{path}: line {line}: variants: a file that is based_on another has none")
        return protocol
    _refuse_without(path, node, (), protocol.without, None)
    _raise(path, node, protocol)
    for name, change in protocol.variants.items():
        place = ("variants", name)
        _refuse_without(path, node, place, change.without, protocol)
        for _, sentence in contradictions(protocol.changed(change, f"{protocol.protocol}-{name}")):
            raise ProtocolError(f"{path}: line {line_of(node, place)}: variants.{name}: {sentence}")
    return protocol


def _refuse_without(path: Path, node: yaml.Node, place: Place, names: Sequence[str], base: Protocol | None) -> None:
    """What is left out must be there to be left out."""
    for n, name in enumerate(names):
        if base is None or base.slot(name) is None:
            where = f"{path}: line {line_of(node, (*place, 'without', n))}: {'.'.join(map(str, (*place, 'without')))}"
            if base is None:
                raise ProtocolError(f"{where}: belongs to a file that is based_on another protocol")
            known = ", ".join(slot.slot for slot in base.slots)
            raise ProtocolError(f"{where}: {name[:40]!r} is no slot of {base.protocol}; expected some of {known}")


def _raise(path: Path, node: yaml.Node, protocol: Protocol) -> None:
    """Raise the first contradiction of a protocol with its line."""
    for place, sentence in contradictions(protocol):
        at = _in_file(node, place)
        named = ".".join(str(p) for p in place if not isinstance(p, int))
        raise ProtocolError(f"{path}: line {line_of(node, at)}: {named}: {sentence}")


def _in_file(node: yaml.Node, place: Place) -> Place:
    """Where a place of the protocol stands in the file; what comes from another file stands at ``based_on``."""
    if not isinstance(place[0], int):
        return place
    number, slot, *rest = place
    slots = _child(node, "slots")
    items = slots.value if isinstance(slots, yaml.SequenceNode) else []
    named = [n for n, item in enumerate(items) if getattr(_child(item, "slot"), "value", None) == str(slot)]
    if not named:
        return ("based_on",)
    return ("slots", number if number in named else named[0], *rest)


def _explain(path: Path, node: yaml.Node, loc: Sequence[Any], message: str, kind: str) -> str:
    """One error of the model as a sentence."""
    place = [part for part in loc if not _is_alternative(part)]
    named = ".".join(str(part) for part in place) or "the file"
    sentence = plainly(message, kind)
    if kind == "extra_forbidden":
        sentence = "unknown key; see docs/protocols.md for those there are"
    elif kind in ("float_type", "int_type"):
        sentence = "expected a number, without quotes and without its unit"
    return f"{path}: line {line_of(node, place)}: {named}: {sentence}"


EXPECTED = {
    "missing": "is missing",
    "extra_forbidden": "is no key that is known here",
    **dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "expected keys and values"),
    **dict.fromkeys(("list_type", "tuple_type"), "expected a list"),
    "string_type": "expected a text",
    "finite_number": "expected a number that is not infinite",
    "path_type": "expected the path of a file",
}
"""What a model says of a fault, in words of the file, by the kind of the fault."""


def plainly(message: str, kind: str) -> str:
    """What a model says of a fault, for a person who sees the file alone."""
    message = EXPECTED.get(kind, message.removeprefix("Value error, "))
    return (message[:1].lower() + message[1:]).replace("input should be", "expected")


def _is_alternative(part: Any) -> bool:
    """Whether a part of pydantic's way to an error is none of the file, but the name of one of several types."""
    return isinstance(part, str) and ("[" in part or part == "str")


def _child(node: yaml.Node | None, key: object) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for k, value in node.value if k.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def line_of(node: yaml.Node, place: Sequence[Any]) -> int:
    """The line (from 1) of the deepest node on the way ``place`` that the file holds."""
    line = node.start_mark.line + 1
    here: yaml.Node | None = node
    for part in place:
        if isinstance(here, yaml.MappingNode):
            key = next((k for k, _ in here.value if k.value == str(part)), None)
            line = key.start_mark.line + 1 if key is not None else line
        here = _child(here, part)
        if here is None:
            break
        if isinstance(part, int):
            line = here.start_mark.line + 1
    return line


def protocol_yaml(protocol: Protocol) -> str:
    """The protocol as a file; :func:`load_protocol` gives it back."""
    data = protocol.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)
