"""Why the instances of one series are more than one image: a list of small rules, applied in order.

The form is nibabel's ``FrameFilter``: a rule has a name, says whether it applies to a group of instances, and
gives each instance its key. :data:`SPLITS` shows the order; each rule sees what the rules before it left together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ..inventory.instance import Floats, Instance
from .geometry import orientation_groups, plane, position_bins
from .headers import (
    b_value,
    content_of,
    dixon_of,
    has_direction,
    is_calculated_b,
    is_diffusion_weighted,
    is_echo_planar_series,
    map_kind,
    part,
    product_words,
    upper,
)

Group = Sequence[Instance]
SplitValues = tuple[tuple[str, str], ...]


SAME_ECHO_MS = 0.1
"""Echo times this close are one echo, written with jitter."""
SAME_THICKNESS_MM = 0.1


class Split(Protocol):
    """One reason to keep instances apart."""

    @property
    def name(self) -> str:
        """The word that stands in ``Stack.split``."""
        ...

    def applies(self, instances: Group) -> bool:
        """Whether the question makes sense for this group."""
        ...

    def keys(self, instances: Group) -> list[str]:
        """One key an instance; instances of one key stay together."""
        ...


@dataclass(frozen=True)
class ByHeader:
    """Split by a value that each header holds by itself."""

    name: str
    key: Callable[[Instance], str]

    def applies(self, instances: Group) -> bool:
        return len(instances) > 1

    def keys(self, instances: Group) -> list[str]:
        return [self.key(i) for i in instances]


@dataclass(frozen=True)
class ByOrientation:
    """Split blocks of different orientation: localizers, embedded scouts, blocks through single discs."""

    name: str = "orientation"

    def applies(self, instances: Group) -> bool:
        return len({i.ImageOrientationPatient for i in instances}) > 1

    def keys(self, instances: Group) -> list[str]:
        groups = orientation_groups(instances)
        names: dict[tuple[float, ...], str] = {}
        taken: Counter[str] = Counter()
        for chosen in dict.fromkeys(groups.values()):
            word = plane(chosen)
            taken[word] += 1
            names[chosen] = word if taken[word] == 1 else f"{word}{taken[word]}"
        return [names[groups[i.ImageOrientationPatient]] for i in instances]


@dataclass(frozen=True)
class ByOrigin:
    """Split ORIGINAL from DERIVED, but never the b = 0 from the combined images of one diffusion scan."""

    name: str = "origin"

    def applies(self, instances: Group) -> bool:
        return not all(is_diffusion_weighted(i) or b_value(i) == 0 for i in instances)

    def keys(self, instances: Group) -> list[str]:
        return [i.ImageType[0].strip().lower() if i.ImageType else "" for i in instances]


@dataclass(frozen=True)
class ByDirectionality:
    """Split the isotropic images that a scanner stores beside the directions they were made from."""

    name: str = "directionality"

    def applies(self, instances: Group) -> bool:
        return any(weighting(i) > 0 and has_direction(i) for i in instances)

    def keys(self, instances: Group) -> list[str]:
        return ["isotropic" if weighting(i) > 0 and not has_direction(i) else "directional" for i in instances]


@dataclass(frozen=True)
class ByNumber:
    """Split by a number that is written with jitter: values closer than ``apart`` to the next are one."""

    name: str
    read: Callable[[Instance], float | None]
    apart: float
    makes_sense: Callable[[Group], bool] = bool

    def applies(self, instances: Group) -> bool:
        return len({self.read(i) for i in instances}) > 1 and self.makes_sense(instances)

    def keys(self, instances: Group) -> list[str]:
        values = [-1.0 if (v := self.read(i)) is None else v for i in instances]
        key: dict[float, str] = {}
        last = -1.0
        for value in sorted(set(values)):
            key[value] = rounded(value, 2) if value - last > self.apart else key.get(last, "")
            last = value
        return [key[v] for v in values]


@dataclass(frozen=True)
class WherePlacesRepeat:
    """Split by a header value only where the same positions are met twice and the value tells them apart."""

    name: str
    key: Callable[[Instance], str]

    def applies(self, instances: Group) -> bool:
        keys = [self.key(i) for i in instances]
        if len(set(keys)) < 2 or any(is_diffusion_weighted(i) for i in instances):
            return False
        bins = position_bins(instances)
        one_of_each = set(zip(bins, keys, strict=True))
        return max(Counter(bins).values()) > 1 and len(one_of_each) > len(set(bins))

    def keys(self, instances: Group) -> list[str]:
        return [self.key(i) for i in instances]


def weighting(instance: Instance) -> float:
    """The b-value, 0 where there is none or it only stands for none (b below 10 s/mm²)."""
    b = b_value(instance)
    return 0.0 if b is None or b < 10 else b


def rounded(value: float | None, digits: int) -> str:
    """A number as a key that does not change with the way it was written."""
    return "" if value is None else f"{value:.{digits}f}"


def shape(instance: Instance) -> str:
    """Rows, columns, pixel spacing; a mosaic is not a slice of the same size."""
    return shape_of(instance.Rows, instance.Columns, instance.PixelSpacing, instance.mosaic_tiles)


@lru_cache(maxsize=4096)
def shape_of(rows: int | None, columns: int | None, spacing: Floats, tiles: int) -> str:
    """The shape as a key."""
    pixel = "x".join(rounded(s, 3) for s in spacing)
    return f"{rows}x{columns} {pixel}" + (f" tiles {tiles}" if tiles else "")


def calculated(instance: Instance) -> str:
    """Whether the image is a computed b-value, or a map, of a diffusion scan."""
    kind = map_kind(instance.ImageType, instance.SeriesDescription)
    return kind or ("calc" if is_calculated_b(instance) else "")


def flip(instance: Instance) -> str:
    """The flip angle; echo-planar series may sweep it without being another scan."""
    return "" if is_echo_planar_series(instance) else rounded(instance.FlipAngle, 1)


def no_diffusion(instances: Group) -> bool:
    """A diffusion scan has one nominal echo."""
    return not any(is_diffusion_weighted(i) for i in instances)


def inversion(instance: Instance) -> str:
    """The inversion time (0 and absent are the same)."""
    return rounded(instance.InversionTime or None, 0)


SPLITS: tuple[Split, ...] = (
    ByHeader("series-number", lambda i: "" if i.SeriesNumber is None else str(i.SeriesNumber)),
    ByHeader("object", lambda i: f"{i.Modality} {i.SOPClassUID}"),
    ByHeader("shape", shape),
    ByOrientation(),
    ByHeader("content", lambda i: content_of(i.ImageType)),
    ByHeader("diffusion-product", calculated),
    ByOrigin(),
    ByHeader("dixon", lambda i: dixon_of(i.ImageType)),
    ByHeader("part", part),
    ByNumber("echo", lambda i: i.EchoTime, SAME_ECHO_MS, no_diffusion),
    ByHeader("flip", flip),
    ByHeader("inversion", inversion),
    ByDirectionality(),
    ByHeader("kernel", lambda i: i.ConvolutionKernel),
    ByHeader("correction", lambda i: "attn" if "ATTN" in upper(i.CorrectedImage) else ""),
    ByNumber("thickness", lambda i: i.SliceThickness, SAME_THICKNESS_MM, lambda rows: rows[0].Modality != "PT"),
    WherePlacesRepeat("image-type", lambda i: "/".join(i.ImageType)),
    WherePlacesRepeat("energy", lambda i: rounded(i.KVP, 0) if i.Modality == "CT" else ""),
    WherePlacesRepeat("product-words", lambda i: product_words(i.SeriesDescription)),
)


def split(instances: Group, splits: Sequence[Split] = SPLITS) -> list[tuple[SplitValues, list[Instance]]]:
    """Part one series into groups of like instances, each with the rules that set it apart and their values."""
    groups: list[tuple[SplitValues, list[Instance]]] = [((), list(instances))]
    for rule in splits:
        groups = [part_ for group in groups for part_ in split_once(group, rule)]
    return groups


def split_once(group: tuple[SplitValues, list[Instance]], rule: Split) -> list[tuple[SplitValues, list[Instance]]]:
    """Apply one rule to one group; a rule that sees one value only leaves no trace."""
    values, instances = group
    if not rule.applies(instances):
        return [group]
    parts: dict[str, list[Instance]] = {}
    for instance, key in zip(instances, rule.keys(instances), strict=True):
        parts.setdefault(key, []).append(instance)
    if len(parts) == 1:
        return [group]
    return [((*values, (rule.name, key)), rows) for key, rows in sorted(parts.items())]
