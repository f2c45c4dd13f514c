"""Whether a slice of an image holds the pixels of its DICOM."""

from __future__ import annotations

import numpy as np

from trialbids.exporter.convert.proof import same_values
from trialbids.exporter.inventory.instance import Instance

PIXELS = np.array([[1.5, np.nan], [3.0, -4.0]], np.float32)


def test_what_is_no_number_is_the_same_where_both_have_it() -> None:
    row = Instance(path="", transfer_syntax="1.2.840.10008.1.2.1")
    assert same_values(PIXELS, PIXELS.copy(), 1.0, 0.0, row)
    assert same_values(PIXELS, PIXELS * 2, 2.0, 0.0, row), "as rescaled"
    assert not same_values(PIXELS, np.nan_to_num(PIXELS), 1.0, 0.0, row)
    assert not same_values(PIXELS, PIXELS + 1, 1.0, 0.0, row)
