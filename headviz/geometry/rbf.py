"""Radial basis functions: how far a keypoint reaches (Jennings 2023; Wendland 1995)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from headviz.errors import OptionError

KERNELS = ("gaussian", "multiquadric", "inverse_multiquadric", "thin_plate", "wendland")


def checked_kernel(kernel: str) -> str:
    """The kernel's name.

    Raises:
        OptionError: no kernel has this name.
    """
    if kernel not in KERNELS:
        raise OptionError(f"kernel should be one of {', '.join(KERNELS)}; it is {kernel!r}")
    return kernel


def rbf(
    squared: Float[Tensor, "*shape"], kernel: str = "gaussian", alpha: float | Float[Tensor, "..."] = 15.0
) -> Float[Tensor, "..."]:
    """Values of a radial basis function at squared distances r², differentiable also where r = 0.

    ``gaussian`` exp(−α r²); ``multiquadric`` √(r² + α²); ``inverse_multiquadric`` 1/√(r² + α²); ``thin_plate``
    r² log r, which ignores α; ``wendland`` (1 − √α r)₊⁴ (4 √α r + 1), twice differentiable and zero beyond 1/√α.

    Args:
        squared: squared distances, any shape.
        kernel: one of ``KERNELS``.
        alpha: shape parameter, positive; a number or a tensor that broadcasts against ``squared``.

    Returns:
        Values of the shape that ``squared`` and ``alpha`` broadcast to.

    Raises:
        OptionError: no kernel has this name.

    Source: Jennings, Deep Generative Sculpting Models for Single Image 3D Reconstruction, 2023, section 3.2.1;
    H. Wendland, Piecewise polynomial, positive definite and compactly supported radial functions of minimal degree,
    1995, φ₃,₁.
    """
    checked_kernel(kernel)
    if kernel == "gaussian":
        return torch.exp(-alpha * squared)
    if kernel == "multiquadric":
        return (squared + alpha**2).sqrt()
    if kernel == "inverse_multiquadric":
        return (squared + alpha**2).rsqrt()
    if kernel == "thin_plate":
        return 0.5 * squared * torch.where(squared > 0, squared, 1).log()
    return _wendland(alpha * squared)


def _wendland(q: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """(1 − ρ)₊⁴ (4ρ + 1) of q = ρ².

    Near 0 it is multiplied out, because the slope of ρ = √q is infinite there and that of the product is not.
    """
    rho = torch.where(q > 0, torch.where(q > 0, q, 1).sqrt(), 0)
    near = 1 - 10 * q + q * rho * (20 - 15 * rho + 4 * q)
    far = (1 - rho).clamp(min=0) ** 4 * (4 * rho + 1)
    return torch.where(q < 0.1, near, far)


def alpha_of_radius(kernel: str, radius: float) -> float:
    """The shape parameter with which a keypoint acts about as far as a brush of that radius, metres.

    Args:
        kernel: one of ``KERNELS``.
        radius: positive, metres.

    Returns:
        4/R² for ``gaussian``, 1/R² for ``wendland``, R for both multiquadrics, 1 (unused) for ``thin_plate``.

    Raises:
        OptionError: no kernel has this name, or the radius is not positive.
    """
    checked_kernel(kernel)
    if not 0 < radius < float("inf"):
        raise OptionError(f"radius should be positive and finite; it is {radius}")
    if kernel == "gaussian":
        return 4 / radius**2
    if kernel == "wendland":
        return 1 / radius**2
    return 1.0 if kernel == "thin_plate" else float(radius)
