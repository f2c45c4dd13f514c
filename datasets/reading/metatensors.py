"""MetaTensors made in a fraction of the time: without the copies and checks that their constructor does."""

from __future__ import annotations

from typing import Any

import torch
from monai.data.meta_tensor import MetaTensor
from monai.utils.enums import MetaKeys, SpaceKeys


def meta_tensor(
    tensor: torch.Tensor, meta: dict[Any, Any], operations: Any = None, *, batch: bool = False
) -> MetaTensor:
    """``MetaTensor(tensor, meta=meta)`` of three spatial axes, which takes ``tensor`` and ``meta`` as they are.

    ``meta`` has an ``affine``, float64 on the CPU. The constructor would copy all of it, tensor by tensor, which is
    most of the time of reading a mapped patch.
    """
    meta.setdefault(MetaKeys.SPACE.value, SpaceKeys.RAS.value)  # plain words, which a safe load takes
    made = tensor.as_subclass(MetaTensor)
    state: dict[str, Any] = {
        "_meta": meta,
        "_applied_operations": [] if operations is None else operations,
        "_pending_operations": [],
        "_is_batch": batch,
        "_spatial_ndim": 3,
    }
    vars(made).update(state)
    return made
