"""Pictures of more than 8 bits: thermal cameras, 12 bits in 16, floating point."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Of the pixels; what is darker or brighter is cut off, so that single hot pixels take no contrast.
_PERCENTILES = (0.5, 99.5)


def stretch_to_8_bit(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return a picture of any depth as uint8, its values stretched between two percentiles.

    One of 8 bits is returned as it is.

    Args:
        image: any shape; integers or floats. What is not finite becomes black.
    """
    if image.dtype == np.uint8:
        return image  # type: ignore[return-value]
    values = image.astype(np.float32)
    is_finite = np.isfinite(values)
    if not is_finite.any():
        return np.zeros(image.shape, np.uint8)
    low, high = (float(one) for one in np.percentile(values[is_finite], _PERCENTILES))
    span = max(high - low, float(np.finfo(np.float32).tiny))
    with np.errstate(over="ignore"):  # of what lies far beyond the percentiles
        scaled = (np.where(is_finite, values, low) - low) * (255.0 / span)
    return np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8)
