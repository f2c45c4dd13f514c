"""From the images that match a query to what one key of a sample reads: files, volumes, times, b-values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trialbids.mappings.imageterms import FAMILIES

from ..files.names import natural
from ..index.image import Image, same_grid
from .query import Q, Times
from .timing import TIMING, Metadata, volume_times
from .uptake import NoUptake

QC_ORDER = ("pass", "waived", "warn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What is read for one key: all volumes of every file, or of each file the one in ``volumes``.

    ``times`` (s since the first phase) or ``bvalues`` (s/mm²) has one value a channel, NaN where it is not known;
    both are empty for a plain image. ``factor`` turns rescaled values into ``unit``. Several masks are one
    (``union``); of a label map the regions with the values in ``indices`` are the mask; of a table the rows with one of
    ``rows`` are read.
    """

    images: tuple[Image, ...]
    volumes: tuple[int, ...] | None = None
    times: tuple[float, ...] = ()
    bvalues: tuple[float, ...] = ()
    factor: float = 1.0
    unit: str = ""
    union: bool = False
    indices: tuple[int, ...] = ()
    rows: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Length of the first axis of the tensor."""
        if self.volumes is not None:
            return len(self.volumes)
        if self.union:
            return max(image.volumes for image in self.images)
        return sum(image.volumes for image in self.images)

    @property
    def suffix(self) -> str:
        """The BIDS suffix of what is read."""
        return self.images[0].suffix

    @property
    def name(self) -> str:
        """The path of the first file, for messages."""
        return self.images[0].path


class Unusable(Exception):
    """An acquisition that is there but cannot answer the query; the message says why."""


def acquisitions(images: Iterable[Image]) -> list[tuple[Image, ...]]:
    """Group images that answer as one: the phases of a DCE, the b-values of a diffusion scan, the lesions of one label
    that one reader drew on one image. Others stand alone.

    In the order of session, acquisition and path.
    """
    images = tuple(images)
    if len(images) == 1:
        return [images]
    groups: dict[tuple[str, ...], list[Image]] = {}
    for image in images:
        if image.scope != "raw":
            groups.setdefault((image.participant_id, image.session_id, *drawing(image)), []).append(image)
            continue
        sequence = image.record.sequence
        grouped = image.acquisition_id and (sequence == "DCE" or sequence in FAMILIES["diffusion"])
        kind = (sequence, *image.record.derived, image.record.part, image.record.dixon, str(image.record.echo_index))
        key = (image.acquisition_id, *kind) if grouped else (image.path,)
        groups.setdefault((image.participant_id, image.session_id, *key), []).append(image)
    ordered = sorted(groups.values(), key=lambda g: (natural(g[0].session_id), natural(g[0].acquisition_id), g[0].path))
    return [tuple(sorted(group, key=lambda image: natural(image.path))) for group in ordered]


def drawing(image: Image) -> tuple[str, ...]:
    """What the masks of several lesions have in common: their label, and all but the one in their names, which counts
    them."""
    if image.is_table or not image.label or image.suffix == "dseg":
        return (image.path,)
    others = tuple("-".join(pair) for pair in image.entities if pair[0] != "label")
    return (image.label, image.reader, image.datatype, image.suffix, *others, *image.sources)


def resolve(query: Q, images: Sequence[Image], suv: Callable[[Image], float], metadata: Metadata) -> Source:
    """What to read of one acquisition; ``suv`` gives the factor of a PET image, ``metadata`` what the sidecars say.

    Raises :class:`Unusable`.
    """
    if images[0].is_table:
        return Source(images=tuple(images), rows=query.label, unit="voxel")
    for image in images:
        if not image.shape:
            raise Unusable(f"{image.path}: its header cannot be read")
        if not same_grid(image, images[0]):
            raise Unusable(f"{image.path}: its grid differs from that of {images[0].path}, of the same acquisition")
    if images[0].scope != "raw":
        if images[0].suffix == "mask" and images[0].scope == "annotations":
            _check_masks(images)
        indices = query.indices(images[0]) if images[0].suffix == "dseg" else ()
        return Source(images=tuple(images), union=len(images) > 1, indices=indices, unit="label")
    sequence = images[0].record.sequence
    if sequence == "DCE":
        return _dynamic(query, images, metadata)
    if query.phases is not None:
        raise Unusable(f"{images[0].path}: phases= was asked of {sequence}, which is not a dynamic series")
    if sequence in FAMILIES["diffusion"]:
        return _diffusion(query, images)
    if query.bvalues:
        raise Unusable(f"{images[0].path}: bvalues= was asked of {sequence}, which is not diffusion-weighted")
    factor, unit = _scale(query, images[0], suv)
    return Source(images=tuple(images), factor=factor, unit=unit)


def _check_masks(images: Sequence[Image]) -> None:
    """A mask is one volume: of several nobody can say which belongs to which channel of an image."""
    for image in images:
        if image.volumes != 1:
            raise Unusable(
                f"{image.path}: a mask is one volume, and this file holds {image.volumes}; write one file a label, or "
                "a label map (dseg)"
            )


def qc_rank(images: Sequence[Image]) -> int:
    """The worst verdict of an acquisition, as its place in the order pass, waived, warn, none."""
    return max(QC_ORDER.index(image.qc) if image.qc in QC_ORDER else len(QC_ORDER) for image in images)


def _scale(query: Q, image: Image, suv: Callable[[Image], float]) -> tuple[float, str]:
    """Factor and unit; ADC becomes 10⁻⁶ mm²/s by the sidecar's ``ADCScale`` (rescaled values to mm²/s), PET SUV if
    asked for."""
    if query.units == "SUV":
        if image.record.sequence != "PET":
            raise Unusable(f"{image.path}: units='SUV' was asked of {image.record.sequence}, which is not PET")
        try:
            return suv(image), "SUV"
        except NoUptake as error:
            raise Unusable(f"{image.path}: its SUV cannot be computed: {error}") from error
    if image.record.sequence != "ADC" or query.units == "stored":
        return 1.0, image.units or {"CT": "HU"}.get(image.record.sequence, "arbitrary")
    if image.adc_scale is None:
        raise Unusable(f"{image.path}: an ADC whose sidecar has no ADCScale; Q(…, units='stored') takes it as it is")
    factor = image.adc_scale * 1e6
    return (1.0 if abs(factor - 1.0) < 1e-9 else factor), "1e-6 mm2/s"


def _dynamic(query: Q, images: Sequence[Image], metadata: Metadata) -> Source:
    if query.bvalues:
        raise Unusable(f"{images[0].path}: bvalues= was asked of DCE, which is not diffusion-weighted")
    images = sorted(images, key=lambda image: (image.record.phase_index or 0, natural(image.path)))
    phases = [_Phase(image, n, t) for image in images for n, t in enumerate(volume_times(image, metadata))]
    placed = len(images) == 1 or all(image.record.phase_time_s is not None for image in images)
    if placed and all(phase.time == phase.time for phase in phases):
        phases.sort(key=lambda phase: phase.time)
    elif query.phases is not None:
        raise Unusable(_untimed(images))
    else:
        phases = [phase._replace(time=float("nan")) for phase in phases]
    if query.phases is not None:
        phases = _nearest_phases(query.phases, phases)
    return Source(
        images=tuple(phase.image for phase in phases),
        volumes=tuple(phase.volume for phase in phases) if any(image.volumes > 1 for image in images) else None,
        times=tuple(phase.time for phase in phases),
        unit=images[0].units or "arbitrary",
    )


class _Phase(NamedTuple):
    """One volume of a dynamic series, and its time in s, NaN where it is not known."""

    image: Image
    volume: int
    time: float


def _untimed(images: Sequence[Image]) -> str:
    several = next((image for image in images if image.volumes > 1), None)
    if several is None:
        return f"{images[0].path}: the times of its phases are not known"
    return (
        f"{several.path}: the times of its {several.volumes} volumes are not known; its sidecar needs {TIMING[0]}, one "
        "rising value (s) a volume"
    )


def _nearest_phases(wanted: Times, phases: Sequence[_Phase]) -> list[_Phase]:
    chosen: list[_Phase] = []
    for time in wanted.times:
        nearest = min(phases, key=lambda phase: abs(phase.time - time))
        if abs(nearest.time - time) > wanted.tolerance:
            raise Unusable(
                f"{phases[0].image.path}: no phase within {wanted.tolerance:g} s of {time:g} s, nearest at "
                f"{nearest.time:g} s"
            )
        if nearest in chosen:
            raise Unusable(
                f"{nearest.image.path}: the phase at {nearest.time:g} s is the nearest to two of the times asked"
            )
        chosen.append(nearest)
    return chosen


def _diffusion(query: Q, images: Sequence[Image]) -> Source:
    channels = [(image, n, b) for image in images for n, b in enumerate(_stored_bvalues(image))]
    if len(images) > 1:
        channels.sort(key=lambda channel: channel[2])
    if query.bvalues:
        channels = [channel for b in query.bvalues for channel in _nearest_b(b, channels, images[0].path)]
    bvalues = tuple(b for _, _, b in channels)
    return Source(
        images=tuple(image for image, _, _ in channels),
        volumes=tuple(n for _, n, _ in channels),
        bvalues=bvalues,
        unit="arbitrary",
    )


def _stored_bvalues(image: Image) -> list[float]:
    known = image.record.bvalues
    return list(known) if len(known) == image.volumes else [float("nan")] * image.volumes


def _nearest_b(b: float, channels: Sequence[tuple[Image, int, float]], path: str) -> list[tuple[Image, int, float]]:
    """All volumes at the stored b-value nearest to ``b``."""
    known = [stored for _, _, stored in channels if stored == stored]
    if not known:
        raise Unusable(f"{path}: its b-values are not known")
    nearest = min(known, key=lambda stored: abs(stored - b))
    if abs(nearest - b) > max(10.0, 0.05 * b):
        raise Unusable(f"{path}: no volume at b={b:g} s/mm², nearest at {nearest:g}")
    return [channel for channel in channels if channel[2] == nearest]
