"""The pictures that the page shows beside the head."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from headviz.geometry.color import to_uint8
from headviz.models.preview import overlay_picture
from headviz.models.reconstruction import Reconstruction
from headviz.viewers.maps import colored

Picture = UInt8[np.ndarray, "h w 3"]


def pictures(result: Reconstruction) -> dict[str, Picture | None]:
    """Overlay, texture and confidence as 8-bit sRGB; ``None`` for what the model does not give."""
    confidence = result.maps.get("confidence")
    if confidence is not None and confidence.ndim == 3:
        confidence = confidence[..., 0]
    return {
        "overlay": overlay_picture(result),
        "texture": None if result.mesh.texture is None else to_uint8(result.mesh.texture),
        "confidence": None if confidence is None else colored(confidence),
    }
