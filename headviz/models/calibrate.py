"""Calibrate the landmark detector from collected shards: ``python -m headviz.models.calibrate FOLDER``.

The shards come from ``headviz.models.collect``. One shard in ten is held out to choose the ridge strength and
to measure the covariance that the fit uses as its prior.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from headviz import assets
from headviz.heads.model import HeadModel, load_head
from headviz.models.landmark_basis import landmark_model
from headviz.photo.calibration import Alignment, features, pose_terms, rotate_pixels
from headviz.photo.fit import LandmarkModel

ASSET = "models/landmark_fit.safetensors"
RIDGES = (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01)
#: Standard deviations of expressions are widened by this, because people's differ from random combinations.
EXPRESSION_DOUBT = 2.0
Rows = dict[str, Tensor]


def read_shards(folder: Path) -> tuple[Rows, Rows]:
    """Collected rows for learning and held-out ones, double precision.

    Raises:
        FileNotFoundError: the folder has fewer than two shards.
    """
    paths = sorted(folder.glob("shard_*.safetensors"))
    if len(paths) < 2:
        raise FileNotFoundError(f"{folder} should hold at least 2 shards; it holds {len(paths)}")
    shards = [load_file(path) for path in paths]
    held = [s for k, s in enumerate(shards) if k % 10 == 1]
    kept = [s for k, s in enumerate(shards) if k % 10 != 1]
    return _joined(kept), _joined(held)


def _joined(shards: list[Rows]) -> Rows:
    return {name: torch.cat([shard[name] for shard in shards]).double() for name in shards[0]}


def observed(rows: Rows) -> Float[Tensor, "b l 3"]:
    """The detection that the fit sees: the mean of the picture's and its mirror image's."""
    return (rows["landmarks"] + rows["mirrored"]) / 2


def truth(rows: Rows) -> Float[Tensor, "b c"]:
    """True parameters, identity first."""
    return torch.cat([rows["identity"], rows["expression"]], dim=1)


def ridge(x: Tensor, y: Tensor, strength: float) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of x, weights, mean of y of the ridge regression y ≈ mean_y + (x − mean_x) · weights."""
    mean_x, mean_y = x.mean(0), y.mean(0)
    centred = x - mean_x
    gram = centred.T @ centred + strength * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    return mean_x, torch.linalg.solve(gram, centred.T @ (y - mean_y)), mean_y


def picture_residuals(model: LandmarkModel, rows: Rows) -> tuple[Float[Tensor, "b l 2"], Float[Tensor, "b 8"]]:
    """Detected minus true positions, metres along the head's upright axes, and the pose terms with a one."""
    points = model.mean + (truth(rows) @ model.basis.flatten(1)).unflatten(1, (-1, 3))
    q = points @ rows["rotation"].transpose(1, 2) + rows["translation"][:, None]
    focal, size = rows["pose"][:, 3, None], rows["pose"][:, 4, None]
    scale = focal / -q[..., 2]
    true = torch.stack([size / 2 + q[..., 0] * scale, size / 2 - q[..., 1] * scale], dim=-1)
    _, aligned = features(model, observed(rows), rows["scores"])
    upright = rotate_pixels(observed(rows)[..., :2] - true, -aligned.roll) / aligned.scale[:, None, None]
    return upright, with_one(aligned)


def with_one(aligned: Alignment) -> Float[Tensor, "b 8"]:
    """Pose terms behind a column of ones."""
    terms = pose_terms(aligned.yaw, aligned.pitch)
    return torch.cat([torch.ones_like(terms[:, :1]), terms], dim=1)


def noise_model(model: LandmarkModel, rows: Rows) -> tuple[Float[Tensor, "8 l 2"], Float[Tensor, "8 l"]]:
    """Least-squares bias and log-variance polynomials of the detector in the picture."""
    residuals, terms = picture_residuals(model, rows)
    bias = torch.linalg.lstsq(terms, residuals.flatten(1)).solution.unflatten(1, (-1, 2))
    noise = residuals - torch.einsum("bt,tlc->blc", terms, bias)
    log_square = torch.log(noise.pow(2).mean(2).clamp(min=1e-10))
    log_variance = torch.linalg.lstsq(terms, log_square).solution
    # The mean of log χ² with two degrees of freedom over 2 lies below log of the mean: −γ.
    log_variance[0] += 0.5772
    return bias, log_variance


def face_basis(head: HeadModel) -> Float[Tensor, "k d"]:
    """What identity does to the face's vertices beyond moving, turning and scaling it, metres, to first order."""
    region = head.region("face")
    mean = head.mean[region].double()
    place = mean - mean.mean(0)
    axes = torch.eye(3, dtype=torch.float64)
    moves = [axis.expand_as(place) for axis in axes] + [
        torch.linalg.cross(axis.expand_as(place), place) for axis in axes
    ]
    fields = torch.linalg.qr(torch.stack([*moves, place]).flatten(1).T).Q
    basis = head.identity[:, region].flatten(1).double()
    rest: Tensor = basis - (basis @ fields) @ fields.T
    return rest


def face_error(basis: Float[Tensor, "k d"], difference: Float[Tensor, "b k"]) -> float:
    """Root mean square distance of the face's vertices, mm, for differences of identity coefficients."""
    moved = (difference @ (basis @ basis.T) * difference).sum(1).mean()
    return 1000 * float((moved / (basis.shape[1] / 3)).sqrt())


def learn(head: HeadModel, learning: Rows, held: Rows) -> tuple[Rows, dict[str, float]]:
    """The calibration's tensors, and what was measured on the held-out rows."""
    model, basis = landmark_model(head), face_basis(head)
    x, _ = features(model, observed(learning), learning["scores"])
    x_held, _ = features(model, observed(held), held["scores"])
    y, y_held = truth(learning), truth(held)
    best: tuple[float, float, tuple[Tensor, Tensor, Tensor]] | None = None
    for strength in RIDGES:
        solution = ridge(x, y, strength)
        error = face_error(basis, (solution[2] + (x_held - solution[0]) @ solution[1] - y_held)[:, : model.identities])
        if best is None or error < best[0]:
            best = (error, strength, solution)
    assert best is not None
    mean_x, weights, mean_y = best[2]
    residual = mean_y + (x_held - mean_x) @ weights - y_held
    covariance = residual.T @ residual / len(residual) + 1e-4 * torch.eye(y.shape[1], dtype=y.dtype)
    doubt = torch.ones(y.shape[1], dtype=y.dtype)
    doubt[model.identities :] = EXPRESSION_DOUBT
    covariance = covariance * doubt * doubt[:, None]
    bias, log_variance = noise_model(model, learning)
    scale = weights.abs().amax(0).clamp(min=1e-9)
    tensors = {
        "feature_mean": mean_x.float(), "weights": (weights / scale).half(), "weights_scale": scale.float(),
        "intercept": mean_y.float(), "precision_factor": torch.linalg.cholesky(torch.linalg.inv(covariance)).float(),
        "bias": bias.float(), "log_variance": log_variance.float(),
    }  # fmt: skip
    measured = {
        "pictures": float(len(y)), "pictures_held_out": float(len(y_held)), "ridge": best[1],
        "face_rms_mm": best[0], "mean_head_face_rms_mm": face_error(basis, y_held[:, : model.identities]),
    }  # fmt: skip
    return tensors, measured


def main() -> None:
    """Command line of the calibration."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the shards")
    parser.add_argument("-o", "--output", type=Path, default=assets.folder() / ASSET)
    arguments = parser.parse_args()
    tensors, measured = learn(load_head(), *read_shards(arguments.folder))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.touch()
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, arguments.output, metadata={"headviz": json.dumps(measured)})
    for name, value in measured.items():
        print(f"{name}: {value:.6g}")
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
