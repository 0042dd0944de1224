"""Interpolating warps: the vectors with which keypoints arrive exactly where they are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headviz.errors import OptionError, ShapeError
from headviz.geometry.rbf import checked_kernel, rbf
from headviz.geometry.warp import PAIRS, squared_distances

#: Keypoints nearer to x = 0 than this, in parts of their extent, lie on it.
ON_PLANE = 1e-5
#: Singular values below this, in parts of the largest, count as zero.
RANK = 1e-13


class WarpSolver:
    """A warp that moves keypoints exactly to targets: its system is set up and inverted once, then used often.

    The displacement is Σⱼ φ(|x − wⱼ|) vⱼ plus a polynomial where the kernel needs one: an affine map for
    ``thin_plate``, a constant for ``multiquadric``. With ``mirror="x"`` it is symmetric: its x component is made of
    φ(|x − wⱼ|) − φ(|x − Mwⱼ|) and x, the others of φ(|x − wⱼ|) + φ(|x − Mwⱼ|), 1, y and z. Keypoints on the plane
    (within 10⁻⁵ of the keypoints' extent) are held in it: the x component of their displacement is left out.

    Where several solutions exist (fewer than four keypoints for the affine map) the shortest is taken. Where none
    exists (two keypoints at one place, or at mirrored ones, with different displacements) it is the least-squares one,
    which moves both by the mean; :attr:`exact` says so beforehand, and :meth:`miss` by how much for displacements.

    Everything is computed in double precision. Keypoints and alpha get no gradients.

    Args:
        keypoints: shape (k, 3) with k ≥ 1, metres.
        kernel: one of ``headviz.geometry.rbf.KERNELS``.
        alpha: the kernel's shape parameter, positive: a number or shape (k,).
        mirror: ``"x"`` for a symmetric warp, or ``None``.

    Attributes:
        keypoints: shape (k, 3) float64, metres.
        exact: whether every displacement of the keypoints can be reached, but for x of those on the plane.
        held: which keypoints are held in the plane, shape (k,).

    Raises:
        ShapeError: keypoints or alpha have another shape.
        OptionError: no such kernel or mirror, or an alpha that is not positive, or keypoints that are not finite.

    Source: M. D. Buhmann, Radial basis functions, 2003, chapter 5; scipy's RBFInterpolator solves the same systems.
    """

    def __init__(
        self,
        keypoints: Float[Tensor, "..."],
        *,
        kernel: str = "gaussian",
        alpha: float | Float[Tensor, "..."] = 15.0,
        mirror: str | None = None,
    ) -> None:
        self.kernel, self.mirror = checked_kernel(kernel), mirror
        if mirror not in (None, "x"):
            raise OptionError(f"mirror should be 'x' or None; it is {mirror!r}")
        if keypoints.ndim != 2 or keypoints.shape[1] != 3 or not len(keypoints):
            raise ShapeError(f"keypoints should have shape (k, 3) with k ≥ 1; shape is {tuple(keypoints.shape)}")
        self.keypoints = keypoints.detach().double()
        widths = torch.as_tensor(alpha, dtype=torch.float64, device=keypoints.device).detach()
        if widths.shape not in ((), (len(keypoints),)):
            raise ShapeError(
                f"alpha should be a number or have shape ({len(keypoints)},); its is {tuple(widths.shape)}"
            )
        if not bool(self.keypoints.isfinite().all()):
            raise OptionError(f"keypoints should be finite; they are {self.keypoints.tolist()}")
        if not bool(((widths > 0) & widths.isfinite()).all()):
            raise OptionError(f"alpha should be positive and finite; it is {widths.tolist()}")
        self.alpha = widths.expand(len(keypoints))
        self._center = self.keypoints.mean(0)
        if mirror:
            self._center[0] = 0.0
        reach = float((self.keypoints - self._center).norm(dim=1).max())
        self._scale = reach or 1.0
        self.held = self.keypoints[:, 0].abs() <= ON_PLANE * reach if mirror else torch.zeros_like(self.alpha).bool()
        across, along = self._basis(self.keypoints)
        self._along = _System(along, self._tail(self.keypoints)[1], torch.zeros_like(self.held))
        self._across = _System(across, self._tail(self.keypoints)[0], self.held) if mirror else self._along
        self.exact = self._along.exact and self._across.exact

    def vectors(self, displacements: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Vectors whose warp moves each keypoint by its displacement, differentiable.

        Args:
            displacements: shape (..., k, 3), metres.

        Returns:
            Shape (..., k + t, 3) float64: k vectors and t coefficients of the polynomial (4, or with a mirror 3, for
            ``thin_plate``, 1 for ``multiquadric``, else 0). Without a polynomial and a mirror they are those of
            :func:`headviz.geometry.warp.warp`.

        Raises:
            ShapeError: there is not one displacement per keypoint.
        """
        count = len(self.keypoints)
        if displacements.ndim < 2 or displacements.shape[-2:] != (count, 3):
            raise ShapeError(
                f"displacements should have shape (..., {count}, 3); shape is {tuple(displacements.shape)}"
            )
        wanted = displacements.to(self.keypoints)
        x, yz = self._across.solve(wanted[..., :1]), self._along.solve(wanted[..., 1:])
        more = yz.shape[-2] - x.shape[-2]  # the polynomial in x has fewer terms
        return torch.cat([torch.nn.functional.pad(x, (0, 0, 0, more)), yz], -1)

    def warp(self, points: Float[Tensor, "..."], vectors: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Points moved by the vectors of :meth:`vectors`, shape (..., n, 3) and of the points' type."""
        if points.ndim < 2 or points.shape[-1] != 3:
            raise ShapeError(f"points should have shape (..., n, 3); shape is {tuple(points.shape)}")
        terms = self._along.matrix.shape[1]
        if vectors.ndim < 2 or vectors.shape[-2:] != (terms, 3):
            raise ShapeError(f"vectors should have shape (..., {terms}, 3); shape is {tuple(vectors.shape)}")
        exact = points.double()
        weights = vectors.to(self.keypoints)

        def move(part: Tensor) -> Tensor:
            across, along = self._rows(part)
            x = across @ weights[..., : across.shape[-1], :1]
            return part + torch.cat([x, along @ weights[..., 1:]], -1)

        return _in_parts(move, exact, len(self.keypoints)).to(points.dtype)

    def cardinal(self, points: Float[Tensor, "n 3"], index: int) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """How far points move per unit by which one keypoint does while all others stay.

        Args:
            points: shape (n, 3), metres.
            index: of the keypoint.

        Returns:
            Displacement along x per unit along x, and along y or z per unit along y or z; both shape (n,), in the
            points' type. Displacements are sums of these over keypoints.

        Raises:
            OptionError: there is no such keypoint.
        """
        count = len(self.keypoints)
        if not -count <= index < count:
            raise OptionError(f"index should be below {count}; it is {index}")
        unit = torch.zeros_like(self.keypoints[:, :1])
        unit[index] = 1
        weights = self._across.solve(unit), self._along.solve(unit)

        def influence(part: Tensor) -> Tensor:
            return torch.cat([basis @ each for basis, each in zip(self._rows(part), weights, strict=True)], -1)

        both = _in_parts(influence, points.double(), count).to(points.dtype)
        return both[:, 0], both[:, 1]

    def miss(self, displacements: Float[Tensor, "..."]) -> float:
        """The longest way by which a keypoint fails to arrive, metres; x of keypoints on the plane does not count."""
        wanted = displacements.detach().to(self.keypoints)
        reached = self.warp(self.keypoints, self.vectors(wanted)) - self.keypoints
        gap = reached - wanted
        gap[..., 0] = gap[..., 0].masked_fill(self.held, 0.0)
        return float(gap.norm(dim=-1).max())

    def _rows(self, points: Float[Tensor, "*b n 3"]) -> tuple[Float[Tensor, "*b n c"], Float[Tensor, "*b n d"]]:
        """The kernels and polynomials at points, for x and for the other coordinates."""
        pairs = zip(self._basis(points), self._tail(points), strict=True)
        across, along = (torch.cat(pair, -1) for pair in pairs)
        return across, along

    def _basis(self, points: Float[Tensor, "*b n 3"]) -> tuple[Float[Tensor, "*b n k"], Float[Tensor, "*b n k"]]:
        """Kernels at points for x and for the other coordinates, shape (..., n, k)."""
        flat = points.reshape(1, -1, 3)
        own = rbf(squared_distances(flat, self.keypoints[None]), self.kernel, self.alpha)
        own = own.reshape(*points.shape[:-1], -1)
        if self.mirror is None:
            return own, own
        twins = self.keypoints * self.keypoints.new_tensor([-1.0, 1.0, 1.0])
        twin = rbf(squared_distances(flat, twins[None]), self.kernel, self.alpha).reshape(own.shape)
        return own - twin, own + twin

    def _tail(self, points: Float[Tensor, "*b n 3"]) -> tuple[Float[Tensor, "*b n c"], Float[Tensor, "*b n d"]]:
        """Polynomials at points for x and for the other coordinates, about the keypoints' centre."""
        place = (points - self._center) / self._scale
        one = torch.ones_like(place[..., :1])
        if self.kernel == "thin_plate":
            whole = torch.cat([one, place], -1)
            return (place[..., :1], torch.cat([one, place[..., 1:]], -1)) if self.mirror else (whole, whole)
        if self.kernel == "multiquadric":
            return (one[..., :0], one) if self.mirror else (one, one)
        return one[..., :0], one[..., :0]


class _System:
    """Kernels and polynomials at the keypoints, and the pseudo-inverse; ``held`` keypoints take no part."""

    def __init__(
        self, kernels: Float[Tensor, "k k"], polynomials: Float[Tensor, "k t"], held: Bool[Tensor, " k"]
    ) -> None:
        self.matrix = torch.cat([kernels, polynomials], 1)
        count, terms = self.matrix.shape
        free = torch.cat([~held, torch.ones(terms - count, dtype=torch.bool, device=held.device)])
        whole = self.matrix.new_zeros(terms, terms)
        whole[:count] = self.matrix
        whole[count:, :count] = polynomials.T
        whole = whole * free * free[:, None]
        # Kernels that differ little from their twin's, near the plane, make small rows and columns, but not a low rank.
        down, over = (torch.ones(terms, dtype=whole.dtype, device=held.device) for _ in range(2))
        down[:count] = _reciprocal_root(whole[:count].abs().amax(1))
        over[:count] = _reciprocal_root(whole[:, :count].abs().amax(0))
        u, sizes, v = torch.linalg.svd(whole * down[:, None] * over)
        kept = sizes > RANK * sizes[0]
        inverse = (v.mH[:, kept] / sizes[kept]) @ u.mH[kept]
        self.inverse = inverse * over[:, None] * down
        self.whole, self.count = whole, count
        # What cannot be reached shows in the keypoints' rows alone: more polynomials than it takes are no harm.
        lost = (u[:count, ~kept] * free[:count, None]).abs()
        self.exact = not bool((lost > math.sqrt(RANK)).any())

    def solve(self, wanted: Float[Tensor, "*b k c"]) -> Float[Tensor, "*b t c"]:
        """Weights for values at the keypoints, refined once against what the inverse has lost in rounding."""
        values = torch.nn.functional.pad(wanted, (0, 0, 0, len(self.whole) - self.count))
        weights: Tensor = self.inverse @ values
        missing: Tensor = self.inverse @ (values - self.whole @ weights)
        return weights + missing


def _reciprocal_root(values: Tensor) -> Tensor:
    """1/√v, and 1 where v is 0."""
    roots: Tensor = torch.where(values > 0, values, 1).rsqrt()
    return roots


def _in_parts(function: Callable[[Tensor], Tensor], points: Tensor, count: int) -> Tensor:
    """A function of points (..., n, 3), evaluated for some of them at a time."""
    rows = max(PAIRS // (count * max(math.prod(points.shape[:-2]), 1)), 1)
    return torch.cat([function(part) for part in points.split(rows, -2)], -2)
