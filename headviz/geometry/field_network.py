"""A network for signed distances that begins as a sphere; its file; a bound of a network's steepness."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from headviz.errors import FieldError, InputError, OutputError
from headviz.geometry.neural_field import NeuralField, check_box

FORMAT = "headviz field network 1"
#: A larger file, or a larger network, is not read.
MOST_BYTES = 1 << 30
MOST_DEPTH, MOST_WIDTH = 64, 1 << 13
Activation = Literal["softplus", "relu"]


class FieldMLP(nn.Module):
    """A multi-layer perceptron for a signed distance; before training it is roughly the distance to a sphere.

    Initialisation: Atzmon and Lipman, "SAL: Sign Agnostic Learning of Shapes from Raw Data", CVPR 2020, section 5.
    The layer in the middle is also given the point itself, scaled by 1/√2 together (Gropp et al., "Implicit Geometric
    Regularization", ICML 2020). Points are measured in radii from the sphere's centre, values are in metres again.
    With 8 × 512 units the values begin within a tenth of the radius on average, with 4 × 64 within a third.

    Args:
        depth: number of hidden layers, at least 1.
        width: units per hidden layer, at least 4.
        radius: the sphere's, metres.
        center: its middle, metres.
        activation: ``"softplus"`` (β = 100, smooth) or ``"relu"``.
        color: whether three channels of colour follow the value; before training they are grey.
        seed: seed of the weights.

    Raises:
        ValueError: a number is out of range, or the activation has no such name.
    """

    center: Tensor

    def __init__(
        self,
        depth: int = 8,
        width: int = 512,
        *,
        radius: float = 0.1,
        center: Sequence[float] = (0.0, 0.0, 0.0),
        activation: Activation = "softplus",
        color: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.architecture = check_architecture(
            {
                "depth": depth,
                "width": width,
                "radius": float(radius),
                "center": [float(x) for x in center],
                "activation": activation,
                "color": color,
            }
        )
        self.depth, self.skip, self.radius = depth, depth // 2, float(radius)
        self.register_buffer("center", torch.tensor(self.architecture["center"]), persistent=False)
        self.activation = nn.Softplus(beta=100) if activation == "softplus" else nn.ReLU()
        shapes = layer_shapes(self.architecture)
        # The default initialisation would be thrown away, and take numbers from the global generator.
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, inputs, outputs) for outputs, inputs in shapes)
        self._begin_as_sphere(torch.Generator().manual_seed(seed))

    @property
    def linear(self) -> list[nn.Linear]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    @torch.no_grad()
    def _begin_as_sphere(self, generator: torch.Generator) -> None:
        *layers, last = self.linear
        for layer in layers:
            layer.weight.normal_(0.0, math.sqrt(2 / layer.out_features), generator=generator)
            layer.bias.zero_()
        last.weight.normal_(0.0, 1e-4, generator=generator)
        last.weight[0] += math.sqrt(math.pi / last.in_features)
        last.bias.fill_(0.5)
        last.bias[0] = -1.0

    def forward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n c"]:
        """Values in metres, shape (n, 1), or with colour (n, 4)."""
        start = (points - self.center) / self.radius
        hidden = start
        *layers, last = self.linear
        for k, layer in enumerate(layers):
            if 0 < k == self.skip:
                hidden = torch.cat([hidden, start], 1) / math.sqrt(2)
            hidden = self.activation(layer(hidden))
        out: Tensor = last(hidden)
        return torch.cat([out[:, :1] * self.radius, out[:, 1:]], 1)


def layer_shapes(architecture: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Shape (outputs, inputs) of each layer's weights."""
    depth, width = architecture["depth"], architecture["width"]
    # The layer before the skip leaves room for the point.
    outputs = [width - 3 if 0 < k + 1 == depth // 2 else width for k in range(depth)]
    inputs = [3, *(width if 0 < k == depth // 2 else outputs[k - 1] for k in range(1, depth))]
    return [*zip(outputs, inputs, strict=True), (4 if architecture["color"] else 1, outputs[-1])]


def check_architecture(given: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture, once it is known to be one.

    Raises:
        ValueError: a key is missing or unknown, or a value is out of range.
    """
    keys = {"depth", "width", "radius", "center", "activation", "color"}
    if set(given) != keys:
        raise ValueError(f"an architecture should have the keys {sorted(keys)}; it has {sorted(given)}")
    for name, low, high in (("depth", 1, MOST_DEPTH), ("width", 4, MOST_WIDTH)):
        value = given[name]
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} should be a whole number from {low} to {high}; it is {value!r}")
    if not _is_number(given["radius"]) or given["radius"] <= 0:
        raise ValueError(f"radius should be a positive number; it is {given['radius']!r}")
    center = given["center"]
    if not isinstance(center, list) or len(center) != 3 or not all(map(_is_number, center)):
        raise ValueError(f"center should be three numbers; it is {center!r}")
    if given["activation"] not in ("softplus", "relu"):
        raise ValueError(f"activation should be 'softplus' or 'relu'; it is {given['activation']!r}")
    if type(given["color"]) is not bool:
        raise ValueError(f"color should be true or false; it is {given['color']!r}")
    return dict(given)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def lipschitz_upper_bound(module: nn.Module) -> float:
    """A proven upper bound of the slope of a plain network's value: the product of its layers' spectral norms.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks", ICLR 2018, equation 7. It is loose,
    because the directions that layers stretch most do not line up: :class:`FieldMLP` of 8 × 512 units begins with a
    measured slope of 1.1 and a bound of 2,600, of 4 × 64 with 1.2 and 43.

    Args:
        module: a :class:`FieldMLP` (its value, without colour), or an ``nn.Sequential`` of linear layers and
            activations that are ReLU, LeakyReLU, Softplus, Tanh, Sigmoid, ELU, Dropout or Identity.

    Raises:
        FieldError: the network has a part whose slope is not known.
    """
    if isinstance(module, FieldMLP):
        slope = 1.0  # by points in radii; the values are in radii too
        *layers, last = module.linear
        for k, layer in enumerate(layers):
            if 0 < k == module.skip:
                slope = math.sqrt((slope**2 + 1) / 2)
            slope *= _spectral_norm(layer.weight)
        return slope * _spectral_norm(last.weight[:1])
    if isinstance(module, nn.Sequential):
        return math.prod(lipschitz_upper_bound(part) for part in module)
    if isinstance(module, nn.Linear):
        return _spectral_norm(module.weight)
    return _activation_slope(module)


def _activation_slope(module: nn.Module) -> float:
    if isinstance(module, nn.LeakyReLU):
        return max(1.0, abs(module.negative_slope))
    if isinstance(module, nn.ELU):
        return max(1.0, abs(module.alpha))
    for kinds, slope in (((nn.ReLU, nn.Softplus, nn.Tanh, nn.Dropout, nn.Identity), 1.0), ((nn.Sigmoid,), 0.25)):
        if isinstance(module, kinds):
            return slope
    raise FieldError(f"the slope of a {type(module).__name__} is not known; measure it with measure_lipschitz")


def _spectral_norm(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach().double(), ord=2))


def save_field_network(
    path: Path | str, network: FieldMLP, bounds: Float[Tensor, "2 3"], *, lipschitz: float | None = None
) -> None:
    """Write a network as safetensors, with its architecture, box and Lipschitz bound in the metadata.

    Args:
        path: the file; replaced if it is there.
        network: what to write.
        bounds: box that contains the surface, metres, shape (2, 3).
        lipschitz: an upper bound of the gradient's length; measured by default.

    Raises:
        BoundsError: the box is not finite or has no extent.
        OutputError: the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    field = NeuralField(network, check_box(bounds), lipschitz, color=network.architecture["color"])
    about = {
        "format": FORMAT,
        "architecture": network.architecture,
        "bounds": field.bounds.tolist(),
        "lipschitz": field.lipschitz,
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    try:
        save_file(tensors, str(path), metadata={"headviz": json.dumps(about)})
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{path} cannot be written: {error}") from error


def load_field_network(path: Path | str) -> NeuralField:
    """Read a network that :func:`save_field_network` wrote, as a field with its box and bound.

    Everything is checked before it is used: the metadata, then names and shapes of the weights, then their values.

    Raises:
        InputError: the file is missing, too large, not a safetensors file, or not what it should be; names what.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} should have at most {MOST_BYTES} bytes; it has {path.stat().st_size}")
    try:
        with safe_open(str(path), framework="pt") as file:
            about = _read_about((file.metadata() or {}).get("headviz"))
            tensors = _read_weights(file, about["architecture"])
        kind = tensors["layers.0.weight"].dtype
        network = FieldMLP(**about["architecture"]).to(kind)
        network.load_state_dict(tensors)
        bounds = torch.tensor(about["bounds"], dtype=kind)
        return NeuralField(network.eval(), bounds, about["lipschitz"], color=about["architecture"]["color"])
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path} is not a field network: {error}") from error


def _read_about(text: str | None) -> dict[str, Any]:
    """What the metadata say, checked; ``ValueError`` where it is not as it should be."""
    if text is None:
        raise ValueError("its metadata should have the key 'headviz'")
    try:
        about = json.loads(text)
    except RecursionError:
        raise ValueError("its metadata are nested too deeply") from None
    keys = {"format", "architecture", "bounds", "lipschitz"}
    if not isinstance(about, dict) or set(about) != keys:
        raise ValueError(f"its metadata should be an object with the keys {sorted(keys)}")
    if about["format"] != FORMAT:
        raise ValueError(f"its format should be {FORMAT!r}; it is {about['format']!r}")
    check_architecture(about["architecture"] if isinstance(about["architecture"], dict) else {})
    rows = about["bounds"]
    if not isinstance(rows, list) or [isinstance(row, list) and len(row) for row in rows] != [3, 3]:
        raise ValueError("its bounds should be two rows of three numbers")
    if not all(_is_number(x) for row in rows for x in row):
        raise ValueError("its bounds should be two rows of three numbers")
    if not _is_number(about["lipschitz"]):
        raise ValueError(f"its lipschitz should be a positive number; it is {about['lipschitz']!r}")
    return about


def _read_weights(file: Any, architecture: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of an architecture, once names and shapes are known to be its; ``ValueError`` where they are not."""
    expected: dict[str, list[int]] = {}
    for k, (outputs, inputs) in enumerate(layer_shapes(architecture)):
        expected |= {f"layers.{k}.weight": [outputs, inputs], f"layers.{k}.bias": [outputs]}
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    missing, unknown = sorted(expected.keys() - slices.keys()), sorted(slices.keys() - expected.keys())
    if missing or unknown:
        raise ValueError(f"it should have the weights of its architecture; missing: {missing}, unknown: {unknown}")
    kinds = {part.get_dtype() for part in slices.values()}
    if kinds not in ({"F32"}, {"F64"}):
        raise ValueError(f"its weights should all be F32, or all F64; they are {sorted(kinds)}")
    for name, part in slices.items():
        if part.get_shape() != expected[name]:
            raise ValueError(f"{name} should have shape {expected[name]}; shape is {part.get_shape()}")
    tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in slices}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} should be finite; some weights are NaN or infinite")
    return tensors
