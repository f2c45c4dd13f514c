"""Random numbers of a sample: whatever a transform draws from, they are a function of the seed."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.transforms import (
    Compose,
    CropForegroundd,
    Lambdad,
    NormalizeIntensityd,
    OneOf,
    Orientationd,
    RandAffined,
    RandFlipd,
    RandGaussianNoised,
    RandLambdad,
    Randomizable,
    RandShiftIntensityd,
    RandSpatialCropd,
    RandZoomd,
    SomeOf,
    Spacingd,
)

from trialbids.datasets.reading.draws import Draw
from trialbids.datasets.reading.seeding import derived_seed, may_be_random, randomizables, seeded

GLOBAL = np.random.RandomState(3)


def image() -> dict[str, torch.Tensor]:
    return {"t2": torch.arange(120, dtype=torch.float32).reshape(1, 6, 5, 4)}


def drawn(transform: Callable[[Any], Any], seed: int) -> torch.Tensor:
    with seeded(seed, randomizables(transform)):
        return torch.as_tensor(transform(image())["t2"]).clone()


class Slotted:
    """Somebody's transform without a ``__dict__``, holding a generator of numpy."""

    __slots__ = ("random",)

    def __init__(self) -> None:
        self.random = np.random.default_rng()

    def __call__(self, data: Any) -> Any:
        return {"t2": data["t2"] + self.random.random()}


class OwnSeeding(Randomizable):
    """A Randomizable that seeds more than MONAI knows of."""

    def set_random_state(self, seed: int | None = None, state: Any = None) -> OwnSeeding:
        super().set_random_state(seed, state)
        self.number = (seed or 0) % 1009
        return self

    def __call__(self, data: Any) -> Any:
        return {"t2": data["t2"] + self.number + self.R.rand()}


def by_torch(generator: torch.Generator, data: Any) -> Any:
    return {"t2": data["t2"] + torch.rand(1, generator=generator)}


def closed_over() -> Callable[[Any], Any]:
    own = random.Random()
    return lambda data: {"t2": data["t2"] + own.random()}


def of_the_module(data: Any) -> Any:
    return {"t2": data["t2"] + GLOBAL.rand()}


class Bound:
    def __init__(self) -> None:
        self.random = torch.Generator()

    def add(self, image: torch.Tensor) -> torch.Tensor:
        return image + torch.rand(1, generator=self.random)


RANDOM: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "MONAI, nested": lambda: Compose(
        [
            OneOf([RandFlipd("t2", prob=0.5, spatial_axis=0), RandGaussianNoised("t2", prob=0.9)]),
            SomeOf([RandShiftIntensityd("t2", 9.0, prob=1.0), Compose([RandZoomd("t2", prob=0.9)])], num_transforms=1),
            RandSpatialCropd("t2", (3, 3, 2), random_size=False),
        ]
    ),
    "MONAI, lazy": lambda: Compose(
        [RandAffined("t2", prob=1.0, rotate_range=0.3, translate_range=2.0), RandFlipd("t2", prob=0.5)], lazy=True
    ),
    "numpy, global": lambda: RandLambdad("t2", func=lambda x: x + float(np.random.rand()), prob=0.9),
    "python, global": lambda: Lambdad("t2", func=lambda x: x + random.random()),
    "torch, global": lambda: Lambdad("t2", func=lambda x: x + torch.rand(1)),
    "numpy, in a slot": Slotted,
    "torch, in a partial": lambda: partial(by_torch, torch.Generator()),
    "torch, in a bound method": lambda: Lambdad("t2", func=Bound().add),
    "python, closed over": closed_over,
    "numpy, a global of the module": lambda: of_the_module,
    "a seeding of its own": OwnSeeding,
}


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_seed_gives_the_same_numbers_whatever_was_drawn_before(name: str) -> None:
    transform, other = RANDOM[name](), RANDOM[name]()
    first = [drawn(transform, seed) for seed in range(8)]
    again = [drawn(other, seed) for seed in reversed(range(8))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({tuple(tensor.flatten().tolist()) for tensor in first}) > 3
    assert may_be_random(transform)


HELPERS = """
import random
import numpy as np
RNG = np.random.default_rng(7)
def noise(): return RNG.random()
def deeper(): return noise()
class Adder:
    random = random.Random(5)
    def add(self, data): return {"t2": data["t2"] + self.random.random()}
    def __call__(self, data): return {"t2": data["t2"] + deeper()}
"""
TRANSFORMS = """
import {0}
from {0} import Adder, deeper
def own(): return deeper()
def by_helper(data): return {{"t2": data["t2"] + own()}}
def by_module(data): return {{"t2": data["t2"] + {0}.RNG.random()}}
def by_function_of_module(data): return (lambda: {{"t2": data["t2"] + {0}.noise()}})()
by_method = Adder()
by_class = Adder().add
"""


@pytest.mark.parametrize("name", ["by_helper", "by_module", "by_function_of_module", "by_method", "by_class"])
def test_generators_of_own_modules_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / f"helpers_{name}.py").write_text(HELPERS)
    (tmp_path / f"transforms_{name}.py").write_text(TRANSFORMS.format(f"helpers_{name}"))
    monkeypatch.syspath_prepend(tmp_path)
    transform = getattr(importlib.import_module(f"transforms_{name}"), name)
    first = [drawn(transform, seed) for seed in range(3)]
    again = [drawn(transform, seed) for seed in reversed(range(3))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])


def test_seeding_in_place_is_what_monai_does_itself() -> None:
    ours, theirs = (RandGaussianNoised("t2", prob=1.0) for _ in range(2))
    for seed in (0, 5, 2**31 - 1):
        with seeded(seed, randomizables(ours)):
            noisy = ours(image())["t2"]
        for position, part in enumerate(randomizables(theirs)):
            part.set_random_state(seed=derived_seed(seed, position) & 0x7FFFFFFF)
        assert torch.equal(noisy, theirs(image())["t2"])


def test_transforms_do_not_share_their_numbers() -> None:
    transform = Compose([RandGaussianNoised("t2", prob=1.0), RandGaussianNoised("t2", prob=1.0)])
    with seeded(0, randomizables(transform)):
        first = transform.transforms[0](image())["t2"] - image()["t2"]
        second = transform.transforms[1](image())["t2"] - image()["t2"]
    assert not torch.equal(first, second)


def test_the_states_outside_come_back_also_after_an_error() -> None:
    def states() -> list[Any]:
        return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]

    np.random.randn()  # leaves half of a pair behind, which is a part of the state
    before, half = states(), np.random.get_state()[3:]
    with pytest.raises(ZeroDivisionError), seeded(1):
        assert (random.random(), np.random.rand(), float(torch.rand(1))) == pytest.approx(
            (random.Random(1).random(), np.random.RandomState(1).rand(), float(torch.rand(1, generator=_torch(1))))
        )
        raise ZeroDivisionError
    assert states() == before and np.random.get_state()[3:] == half


def _torch(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_what_is_known_to_be_the_same_each_time_needs_no_seed() -> None:
    known = [Orientationd("t2", axcodes="LPS"), Spacingd("t2", (1, 1, 1)), NormalizeIntensityd("t2")]
    assert not may_be_random(Compose(known)) and not may_be_random(None)
    assert not may_be_random(CropForegroundd("t2", source_key="t2"))  # its choice of voxels is a function of MONAI's
    assert may_be_random([*known, torch.nn.Dropout(0.5)])
    assert may_be_random(Lambdad("t2", func=lambda image: image))  # who knows what a function does


def test_a_draw_is_an_index_with_epoch_and_repeat() -> None:
    assert Draw(3) == (3, 0, 0) and Draw(3, epoch=1, repeat=2).repeat == 2
