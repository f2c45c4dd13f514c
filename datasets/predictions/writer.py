"""The writer of predictions: from a tensor in the network's grid to files of the tree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from numpy.typing import NDArray

from trialbids.mappings.predictions import DSEG_COLUMNS, label_of

from ..errors import PredictionError, QueryError
from .described import Model, Parameter, check_same_model, describe
from .grid import GridError, PutBack, put_back
from .kinds import Kind, Labels, Unfit, kind_of
from .place import Original, check_no_link, empty_labels, label_code, nifti_bytes, original_of
from .source import Source
from .store import json_bytes, write_new, write_over

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..database import Database

Empty = Literal["raise", "write"]


class PredictionWriter:
    """Writes what a model says of an image on the image's own grid, as BIDS derivatives.

    ::

        bids/derivatives/unet-v1/
        ├── dataset_description.json        the model: name, version, description, parameters
        └── sub-01/ses-01/anat/sub-01_ses-01_acq-tseSag_label-lesion_desc-unetv1_mask.nii.gz  (+ .json)

        >>> writer = PredictionWriter("bids/", "unet-v1", labels="lesion", image="t2")      # doctest: +SKIP
        >>> for sample in CohortDataset(test, transform=pipeline):                          # doctest: +SKIP
        ...     writer.write(network(sample["t2"][None])[0] > 0, sample)

    ``model``        the name of the folder; a model with other weights gets another name
    ``kind``         ``mask`` (0 and 1, one file a label), ``dseg`` (a label map), ``probseg`` (0 to 1, one file a
                     label) or ``map`` (any numbers, one file a label)
    ``labels``       a name, names by channel, or a mapping from channel to name; of a ``dseg`` from value to name.
                     Channel 0, the background, may be left out: ``{1: "lesion"}``. A ``map`` may have none
    ``image``        the key of the samples whose image the prediction is of
    ``version``, ``description``, ``parameters``   of the model; they are published with the tree
    ``cohort``       where it is given, the sidecars say of which cohort (fingerprint) and of which part of its split
                     the sample was, and name all files of an acquisition; a sample of another cohort is refused
    ``part``         ``train``, ``val`` or ``test``, where no part of a split is given that knows it itself
    ``empty``        what becomes of a label without a voxel: ``raise``, or ``write`` where finding nothing is an answer
    ``overwrite``    whether a prediction that is there is replaced; else it is an error

    The grid comes back by the affine that the tensor carries, so that the transforms themselves are not needed: any
    order of orientation, spacing, crop, pad, flip, resize and rotation; a deformation is beyond an affine and must be
    inverted first. Labels are taken from the nearest voxel, ``probseg`` and ``map`` are interpolated. What the network
    did not see is 0, and ``FieldOfView`` in the sidecar is the share that it saw.

    The folder is made by the first prediction that is written. Raises :class:`QueryError` for what cannot be meant,
    :class:`PredictionError` where the folder is another model's or a link, or ``root`` is no tree that can be written
    to.
    """

    def __init__(
        self,
        root: str | Path | Database,
        model: str,
        *,
        kind: str = "mask",
        labels: Labels = "",
        image: str = "image",
        version: str = "",
        description: str = "",
        parameters: Mapping[str, Parameter] | None = None,
        cohort: Cohort | None = None,
        part: str = "",
        empty: Empty = "raise",
        overwrite: bool = False,
    ) -> None:
        place = str(root if isinstance(root, str | Path) else root.root)
        self.root = Path(place).absolute()
        if "://" in place or not any(self.root.glob("sub-*")):
            raise PredictionError(f"{place}: predictions are written into a BIDS tree in a folder of this machine.")
        if empty not in ("raise", "write"):
            raise QueryError(f"PredictionWriter: empty={empty!r} is not known; legal: raise write")
        self.kind: Kind = kind_of(kind, labels)
        self.model = Model(model, version, description, dict(parameters or {}))
        self.image, self.empty, self.overwrite = image, empty, overwrite
        self.source = Source.of(cohort, image, part)
        check_same_model(self.root, self.model)

    def write(self, prediction: torch.Tensor | NDArray[Any], sample: Mapping[str, Any]) -> tuple[Path, ...]:
        """Write the prediction for one sample; the paths of the NIfTI files, in the order of the labels.

        ``prediction`` is ``[C, X, Y, Z]`` in the grid that the network saw. As a ``MetaTensor`` it carries its affine
        (also one that was put back already); a plain tensor or array must have the shape of the image in ``sample``,
        whose affine it has. Raises :class:`PredictionError` naming participant and file.
        """
        seen = self._seen(sample)
        who = _who(sample)
        original = original_of(self.root, str(seen.meta.get("filename_or_obj") or ""), who)
        original.check_belongs(str(sample.get("participant_id") or ""), str(sample.get("session_id") or ""), who)
        self.source.check_holds(sample, self.root / original.path, who)
        try:
            tensor = _tensor(prediction)
            affine = _affine(tensor, seen)
            voxels = self.kind.checked(_numbers(tensor))
            made = put_back(voxels, affine, original.size, original.header.affine, linear=self.kind.linear)
            self._check_empty(voxels, made)
        except (Unfit, GridError) as error:
            raise PredictionError(f"{who}: {original.path}: the prediction cannot be written: {error}.") from error
        return tuple(self._write(file, original, who) for file in self._made(original, made, sample))

    def _seen(self, sample: Mapping[str, Any]) -> MetaTensor:
        image = sample.get(self.image)
        if not isinstance(image, MetaTensor) or image.ndim != 4:
            found = " ".join(key for key, value in sample.items() if isinstance(value, MetaTensor))
            raise QueryError(
                f"PredictionWriter: {_who(sample)}: the sample has no image [C, X, Y, Z] with metadata under "
                f"{self.image!r}; it has {found or 'none'}; say image=…, and take batches apart (decollate_batch)"
            )
        return image

    def _check_empty(self, voxels: NDArray[Any], made: PutBack) -> None:
        if self.kind.suffix == "map":
            return
        by_value = self.kind.suffix == "dseg"
        before = set(empty_labels(self.kind.labels, voxels, by_value=by_value))
        lost = [one for one in empty_labels(self.kind.labels, made.voxels, by_value=by_value) if one not in before]
        if lost:
            raise Unfit(f"{', '.join(lost)} is so small that nothing of it is left on the grid of the image")
        if before and self.empty == "raise" and (not by_value or len(before) == len(self.kind.labels)):
            raise Unfit(f"{', '.join(before)} is empty; where finding nothing is an answer, say empty='write'")

    def _made(self, original: Original, made: PutBack, sample: Mapping[str, Any]) -> list[_File]:
        """The files of one prediction: one a label, or one for all of a label map."""
        known = self._known(original, made, sample)
        desc = {"desc": label_of(self.model.name)}
        if self.kind.suffix == "dseg":
            rows = "".join(f"{value}\t{name}\n" for value, name in self.kind.labels.items())
            table = "\t".join(DSEG_COLUMNS) + "\n" + rows
            return [_File(original.derivative("dseg", desc), made.voxels[0], known, table)]
        files = []
        for voxels, label in zip(made.voxels, self.kind.labels.values(), strict=True):
            entities = {"label": label, **desc} if label else desc
            said = {"Type": "ROI", "Label": label, **label_code(label)} if label else {}
            files.append(_File(original.derivative(self.kind.suffix, entities), voxels, {**said, **known}))
        return files

    def _known(self, original: Original, made: PutBack, sample: Mapping[str, Any]) -> dict[str, Any]:
        """What the sidecars of one prediction have in common."""
        files = self.source.files.get(str(sample.get("sample_id")), ())
        paths = dict.fromkeys((original.path, *(Path(file).relative_to(self.root).as_posix() for file in files)))
        return {
            "Method": "automatic",
            "Model": self.model.name,
            **({"ModelVersion": self.model.version} if self.model.version else {}),
            "Sources": [f"bids:raw:{path}" for path in paths],
            **original.reference(),
            "FieldOfView": round(made.seen, 4),
            **self.source.words(),
        }

    def _write(self, file: _File, original: Original, who: str) -> Path:
        """What describes the image first, so that an image that is there is whole, whenever the process ends.

        The sidecar is written first: without its image it is what an interruption left, and no prediction.
        """
        dataset = self.root / self.model.folder
        stem = dataset / file.stem
        image = stem.with_name(f"{stem.name}.nii.gz")
        data = nifti_bytes(self.root, original, file.voxels)
        check_no_link(self.root, stem.parent)
        self._check_name(stem, original, who)
        sidecar = stem.with_name(f"{stem.name}.json")
        try:
            describe(self.root, self.model)
            if image.exists() and not self.overwrite:
                raise FileExistsError(image)
            write_over(sidecar, json_bytes(file.sidecar), dataset)
            if file.table:
                write_over(stem.with_name(f"{stem.name}.tsv"), file.table.encode(), dataset)
            (write_over if self.overwrite else write_new)(image, data, dataset)
        except FileExistsError as error:
            raise PredictionError(
                f"{who}: {image} is there already; say overwrite=True to replace it, or give the model another name."
            ) from error
        except OSError as error:
            raise PredictionError(f"{who}: {image} cannot be written ({error.strerror}).") from error
        return image

    def _check_name(self, stem: Path, original: Original, who: str) -> None:
        """Two images of a session may differ in what BIDS leaves out of a derivative's name alone: suffix, echo …"""
        beside = stem.with_name(f"{stem.name}.json")
        try:
            sources = json.loads(beside.read_bytes())["Sources"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PredictionError(f"{who}: {beside} cannot be read ({error}); take the prediction away.") from error
        if original.source not in sources[:1]:
            raise PredictionError(
                f"{who}: {original.path}: its prediction would be named {stem.name}, which is that of {sources[0]}, as "
                "BIDS leaves out what tells the images apart; write those of one of them under another model's name."
            )


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    """One file of a prediction with its sidecar, and its table of regions."""

    stem: str
    voxels: NDArray[Any]
    sidecar: Mapping[str, Any]
    table: str = ""


def _tensor(prediction: torch.Tensor | NDArray[Any]) -> torch.Tensor:
    """A prediction as a dense tensor. Raises :class:`Unfit` for what is none."""
    if isinstance(prediction, np.ndarray) and prediction.dtype.kind in "biufc":
        return torch.from_numpy(np.ascontiguousarray(prediction))
    if not isinstance(prediction, torch.Tensor):
        kind = f"an array of {prediction.dtype}" if isinstance(prediction, np.ndarray) else type(prediction).__name__
        raise Unfit(f"it is {kind}, and a tensor or an array of numbers is needed")
    if prediction.layout != torch.strided:
        raise Unfit("it is a sparse tensor; make it dense first (to_dense)")
    return prediction


def _numbers(prediction: torch.Tensor) -> NDArray[Any]:
    """The values as NumPy has them; the short floats of autocast (bfloat16 …) that it does not know as float32."""
    values = prediction.detach().cpu()
    if values.is_floating_point() and values.dtype not in (torch.float16, torch.float32, torch.float64):
        values = values.float()
    return values.numpy()


def _affine(prediction: torch.Tensor, seen: MetaTensor) -> NDArray[np.float64]:
    """The affine of a prediction: its own, or that of the image that the network saw."""
    if isinstance(prediction, MetaTensor) and prediction.pending_operations:
        raise Unfit("it has lazy transforms that were not applied; apply them (monai.transforms.lazy) first")
    if prediction.ndim != 4:
        raise Unfit(f"it has the shape {list(prediction.shape)}, and one of [C, X, Y, Z] is needed")
    own = prediction.affine if isinstance(prediction, MetaTensor) else seen.affine
    affine = np.asarray(own.detach().cpu(), dtype=np.float64)
    is_theirs = np.allclose(affine, np.asarray(seen.affine.detach().cpu(), dtype=np.float64))
    if is_theirs and prediction.shape[1:] != seen.shape[1:]:
        shapes = f"{list(prediction.shape[1:])} voxels, and the image that the network saw {list(seen.shape[1:])}"
        raise Unfit(f"it has {shapes}; resize it to that grid")
    return affine


def _who(sample: Mapping[str, Any]) -> str:
    words = [str(sample[key]) for key in ("participant_id", "session_id") if sample.get(key)]
    return " ".join(words) or str(sample.get("sample_id", "sample"))
