"""Randomness that is a function of seed, epoch, sample and repeat, wherever the sample is made."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from monai.transforms.compose import Compose
from monai.transforms.traits import RandomizableTrait
from monai.transforms.transform import Randomizable

OURS = ("monai", "trialbids")
"""Packages whose transforms are random only where they say so, as Randomizable or RandomizableTrait."""
_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
_LEAVES = (str, bytes, int, float, complex, type(None), torch.Tensor, np.ndarray, type, ModuleType)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, partial)


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from any values, the same in every process.

    >>> derived_seed(0, 1, "sub-01") == derived_seed(0, 1, "sub-01")
    True
    """
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def randomizables(thing: object) -> list[Randomizable]:
    """Everything with a random state of its own inside a transform, in an order that every process agrees on.

    Found are MONAI's Randomizables, and random generators of torch, numpy and Python that were handed over as objects
    (each in a shell that seeds it like a Randomizable); in attributes and slots, in containers, in what a function
    has closed over, is bound to, has as defaults, or names among its module's globals, in the methods of a transform of
    your own, and in the functions of your own modules that it names (``helper()``, ``tools.helper()``,
    ``tools.RNG``). Your own is what is neither installed nor of the standard library. Not found is a generator that
    can be reached in another way only: by a computed name, from installed code, or made by the code as it runs. The
    members of a set have no order and are not looked at.
    """
    parts = (
        part for part in _inside(thing) if isinstance(part, (Randomizable, *_GENERATORS)) and not _draws_nothing(part)
    )
    return [part if isinstance(part, Randomizable) else _Seeded(part) for part in parts]


def may_be_random(thing: object) -> bool:
    """Whether a transform can draw random numbers at all; where it cannot, nothing needs to be seeded.

    False only where all of it is known: transforms of MONAI and of this package that do not call themselves random,
    with plain values in them. A function, or a callable of anybody else, may draw from the global generators.
    """
    return any(_suspect(current) for current in _inside(thing))


@contextmanager
def seeded(seed: int, transforms: Sequence[Randomizable] = ()) -> Iterator[None]:
    """Seed Python, numpy, torch and what :func:`randomizables` found; the global states come back afterwards.

    The generator of the current CUDA device is seeded where CUDA is in use in this process. What asks the operating
    system for entropy at every call (``numpy.random.default_rng()`` inside a transform) cannot be reached.
    """
    python, numpy = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        for position, transform in enumerate(transforms):
            _reseed(transform, derived_seed(seed, position) & 0x7FFFFFFF)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def _reseed(transform: Randomizable, seed: int) -> None:
    """The same stream as ``set_random_state(seed)``, which makes a new RandomState: a hundred times dearer.

    A state that still belongs to the class, and is shared by all its transforms, is replaced; a method of somebody
    else, who may seed more than ``R``, is called.
    """
    state = vars(transform).get("R")
    if isinstance(state, np.random.RandomState) and _is_ours(type(transform).set_random_state):
        state.seed(seed)
    else:
        transform.set_random_state(seed=seed)


class _Seeded(Randomizable):
    """A generator of torch, numpy or Python that is seeded as if it were MONAI's."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> _Seeded:
        assert seed is not None
        if isinstance(self.generator, torch.Generator):
            self.generator.manual_seed(seed)
        elif isinstance(self.generator, np.random.Generator):
            bits = self.generator.bit_generator
            bits.state = type(bits)(seed).state
        else:
            self.generator.seed(seed)
        return self


def _inside(thing: object) -> Iterator[Any]:
    """An object and all that hangs on it, each once, parents first."""
    seen: set[int] = set()
    waiting: list[Any] = [thing]
    while waiting:
        current = waiting.pop()
        if id(current) in seen or isinstance(current, _LEAVES):
            continue
        seen.add(id(current))
        yield current
        waiting.extend(reversed(_parts(current)))


def _parts(thing: Any) -> list[Any]:
    """What hangs on one object directly."""
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple):
        return list(thing)
    if isinstance(thing, _GENERATORS):
        return []
    if isinstance(thing, FunctionType):
        return _parts_of_function(thing)
    if isinstance(thing, MethodType):
        return [thing.__self__, thing.__func__]
    if isinstance(thing, partial):
        return [thing.func, *thing.args, *thing.keywords.values()]
    slots = [name for kind in type(thing).__mro__ for name in _names(vars(kind).get("__slots__", ()))]
    parts = [getattr(thing, name) for name in slots if hasattr(thing, name)]
    parts += _parts_of_class(type(thing))
    if not hasattr(thing, "__dict__"):
        return parts
    shown = {**vars(thing)}
    if isinstance(thing, Randomizable):
        shown.pop("R", None)  # seeded with the transform itself
    return [*parts, *shown.values()]


def _parts_of_class(kind: type) -> list[Any]:
    """The methods of a class of the user's own, and the generators that all its objects share."""
    own = [parent for parent in kind.__mro__ if _is_users(parent.__module__)]
    values = [getattr(value, "__func__", value) for parent in own for value in vars(parent).values()]
    return [value for value in values if isinstance(value, (FunctionType, Randomizable, *_GENERATORS))]


def _parts_of_function(function: FunctionType) -> list[Any]:
    """What a function carries, and of what it names only what is random itself, or a function of the user's own.

    Other names are functions and classes of whole libraries.
    """
    cells = [cell.cell_contents for cell in function.__closure__ or () if _filled(cell)]
    defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    names = list(_names_in(function.__code__))
    named = [function.__globals__.get(name) for name in names]
    modules = [value for value in named if isinstance(value, ModuleType) and _is_users(value.__name__)]
    named += [vars(module).get(name) for module in modules for name in names]
    return [*cells, *defaults, *(value for value in named if _worth_following(value))]


def _names_in(code: CodeType) -> Iterator[str]:
    """The names that a function uses, and those inside it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names_in(part)


def _worth_following(value: Any) -> bool:
    if isinstance(value, (Randomizable, *_GENERATORS)):
        return True
    kind = value if isinstance(value, FunctionType) else type(value)
    return callable(value) and not isinstance(value, type) and _is_users(kind.__module__)


@cache
def _is_users(module: str) -> bool:
    """Whether a module is neither installed nor of the standard library."""
    if module.partition(".")[0] in (*OURS, *sys.stdlib_module_names) and module != "__main__":
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    return module == "__main__" or (file is not None and not {"site-packages", "dist-packages"} & set(Path(file).parts))


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that the enclosing function has not given a value yet
        return False


def _names(slots: str | Sequence[str]) -> Sequence[str]:
    return (slots,) if isinstance(slots, str) else slots


def _draws_nothing(thing: Any) -> bool:
    """A plain Compose has a random state for the sake of OneOf and SomeOf only; flattened it must change nothing."""
    return type(thing) is Compose


def _suspect(thing: Any) -> bool:
    if isinstance(thing, (Randomizable, RandomizableTrait, *_GENERATORS)):
        return not _draws_nothing(thing)
    return (isinstance(thing, _FUNCTIONS) or callable(thing)) and not _is_ours(thing)


def _is_ours(thing: Any) -> bool:
    module = getattr(thing, "__module__", None) or type(thing).__module__
    return module.partition(".")[0] in OURS
