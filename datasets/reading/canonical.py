"""What a transform does, written down: the same words for the same behaviour, in every process and on every day.

The words are part of cache keys, so two different behaviours must never share them. What cannot be described in full
is refused; nothing falls back to a name or an address in memory.
"""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import Enum
from functools import cache, partial
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodDescriptorType, MethodType, ModuleType, WrapperDescriptorType
from typing import Any

import numpy as np
import torch
from monai.transforms.transform import MapTransform, Randomizable

from ..errors import QueryError
from .cache import Cache, code_version
from .codec import plain_array

Spec = Any
"""Lists of words, numbers and further lists, as JSON can hold them."""

_PLAIN = (str, int, float, bool, type(None))
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodDescriptorType, WrapperDescriptorType, np.ufunc)


class Versioned:
    """A transform with a name that stands for what it does; made by :func:`versioned`."""

    def __init__(self, transform: Callable[[Any], Any], name: str) -> None:
        self.transform = transform
        self.name = name

    def __repr__(self) -> str:
        kind = getattr(self.transform, "__name__", type(self.transform).__name__)
        return f"versioned({kind}, {self.name!r})"

    def __call__(self, data: Any) -> Any:
        return self.transform(data)


class VersionedMap(Versioned, MapTransform):
    """The same for a transform of some keys."""

    def __init__(self, transform: MapTransform, name: str) -> None:
        Versioned.__init__(self, transform, name)
        MapTransform.__init__(self, transform.keys, transform.allow_missing_keys)


def versioned(transform: Callable[[Any], Any], name: str) -> Versioned:
    """Declare that ``name`` says what ``transform`` does, so that its results may be cached.

    >>> Lambdad("t2", versioned(lambda image: image.clamp(0, 1000), "clamp-v1"))   # doctest: +SKIP

    Give it another name whenever it does something else. Its keys and those of its attributes that can be written
    down tell it from others of the same name; its code and its functions do not. Raises :class:`QueryError` for an
    empty name.
    """
    if not name.strip():
        raise QueryError("versioned: the name is empty; write what it does and a version, such as 'clamp-v1'.")
    return VersionedMap(transform, name) if isinstance(transform, MapTransform) else Versioned(transform, name)


def describe(thing: Any) -> Spec:
    """The canonical description of a transform or of a value in one. Raises :class:`QueryError`."""
    return _Describer().of(thing, type(thing).__name__)


class _Describer:
    def __init__(self) -> None:
        self.inside: list[int] = []

    def of(self, thing: Any, where: str) -> Spec:
        if id(thing) in self.inside:
            raise _refused(where, "it holds itself")
        self.inside.append(id(thing))
        spec = self._of(thing, where)
        self.inside.pop()
        return spec

    def _of(self, thing: Any, where: str) -> Spec:
        if isinstance(thing, Enum):
            return ["enum", _class(type(thing), where), thing.name]
        if type(thing) in _PLAIN:
            return [type(thing).__name__, repr(thing)]
        if isinstance(thing, torch.Tensor | np.ndarray | np.generic):
            return _content(thing)
        if isinstance(thing, torch.dtype | torch.device | np.dtype | Path | range | slice | complex | bytes):
            return [type(thing).__name__, repr(thing)]
        if isinstance(thing, Versioned):
            return ["versioned", thing.name, self._known(thing.transform)]
        if isinstance(thing, Cache):
            return ["cache"]
        ways: tuple[tuple[tuple[type, ...], Callable[[Any, str], Spec]], ...] = (
            ((Mapping,), self._mapping),
            ((list, tuple, torch.Size), self._sequence),
            ((set, frozenset), self._set),
            ((type,), _class),
            ((partial,), self._partial),
            (_FUNCTIONS, _function),
            ((MethodType,), self._method),
        )
        kind = type(thing)
        chosen = next((way for kinds, way in ways if issubclass(kind, kinds)), self._object)
        return chosen(thing, where)

    def _mapping(self, thing: Mapping[Hashable, Any], where: str) -> Spec:
        items = [[self.of(key, where), self.of(value, f"{where}[{key!r}]")] for key, value in thing.items()]
        return ["mapping", sorted(items, key=repr)]

    def _sequence(self, thing: Sequence[Any], where: str) -> Spec:
        return [type(thing).__name__, *(self.of(part, f"{where}[{n}]") for n, part in enumerate(thing))]

    def _set(self, thing: Any, where: str) -> Spec:
        return [type(thing).__name__, *sorted((self.of(part, where) for part in thing), key=repr)]

    def _partial(self, thing: partial[Any], where: str) -> Spec:
        return ["partial", self.of(thing.func, where), self.of(thing.args, where), self.of(thing.keywords, where)]

    def _method(self, thing: MethodType, where: str) -> Spec:
        return ["method", thing.__func__.__qualname__, self.of(thing.__self__, where)]

    def _object(self, thing: Any, where: str) -> Spec:
        kind = type(thing)
        slots = [name for parent in kind.__mro__ for name in _names(vars(parent).get("__slots__", ()))]
        if not hasattr(thing, "__dict__") and not slots:
            raise _refused(where, f"a {kind.__qualname__} cannot be looked into")
        told = [[name, self.of(value, f"{where}.{name}")] for name, value in _state(thing, slots).items()]
        return ["object", _class(kind, where), sorted(told)]

    def _known(self, thing: Any) -> Spec:
        """Those attributes of a transform with a declared name that can be written down."""
        known: list[Spec] = []
        for name, value in _state(thing).items():
            inside = list(self.inside)
            try:
                known.append([name, self.of(value, name)])
            except QueryError:  # what the declared name stands for
                self.inside = inside
        return sorted(known)


def _state(thing: Any, slots: Sequence[str] = ()) -> dict[str, Any]:
    """The attributes that say what an object does: not where it stands in a run.

    MONAI's transforms keep what they are just doing in thread-local objects, some of them from the first call on.
    """
    state = {name: getattr(thing, name) for name in slots if hasattr(thing, name)} | getattr(thing, "__dict__", {})
    if isinstance(thing, Randomizable):
        state.pop("R", None)
    return {name: value for name, value in state.items() if not isinstance(value, threading.local)}


def _names(slots: str | Sequence[str]) -> Sequence[str]:
    names = (slots,) if isinstance(slots, str) else slots
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _content(thing: Any) -> Spec:
    array = plain_array(thing) if isinstance(thing, torch.Tensor) else np.asarray(thing)
    if array.dtype == object:
        raise _refused(type(thing).__name__, "an array of objects has no content that can be told")
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return [type(thing).__name__, str(thing.dtype), array.dtype.str, list(array.shape), digest]


def _class(thing: type, where: str) -> Spec:
    if "<locals>" in thing.__qualname__:
        raise _refused(where, f"the class {thing.__qualname__} was made inside a function")
    return [f"{thing.__module__}.{thing.__qualname__}", _version(thing.__module__, where)]


def _function(thing: Any, where: str) -> Spec:
    name = getattr(thing, "__qualname__", thing.__name__)
    owner = getattr(thing, "__objclass__", None) or getattr(thing, "__self__", None)
    home = getattr(thing, "__module__", None) or (owner.__name__ if isinstance(owner, ModuleType) else None)
    home = home or getattr(owner, "__module__", None) or ("numpy" if isinstance(thing, np.ufunc) else None)
    if home is None or "<" in name:
        raise _refused(where, f"{name} is a lambda or a closure, or belongs to no module")
    return ["function", f"{home}.{name}", _version(home, where)]


def _version(module: str, where: str) -> str:
    """The version of the package that a module belongs to."""
    top = module.partition(".")[0]
    if top == __name__.partition(".")[0]:
        return code_version()
    if top in sys.stdlib_module_names and top != "__main__":
        return ".".join(map(str, sys.version_info[:3]))
    found = _installed(top)
    if found is None:
        raise _refused(where, f"{module} is code of your own, which belongs to no installed package with a version")
    if (found.read_text("direct_url.json") or "").find('"editable": true') >= 0:
        raise _refused(where, f"{module} is installed in place (editable), so its code changes while its version stays")
    return found.version


@cache
def _installed(top: str) -> Distribution | None:
    for name in (top, *packages_distributions().get(top, ())):
        try:
            return distribution(name)
        except PackageNotFoundError:
            continue
    return None


def _refused(where: str, why: str) -> QueryError:
    return QueryError(
        f"cache: what {where} does cannot be written down, so its results cannot be kept: {why}. Wrap it as "
        "versioned(transform, 'name-v1'), or put it behind the first random transform."
    )
