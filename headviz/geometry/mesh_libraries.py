"""Other libraries' marching cubes, in headviz's conventions; each is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from headviz.errors import EmptySurfaceError, MissingExtraError

Found = tuple[Float[Tensor, "v 3"], Int[Tensor, "m 3"]]


def march_scikit_image(values: Float[Tensor, "nx ny nz"], level: float) -> Found:
    """Vertices in units of the grid, and faces, by ``skimage.measure.marching_cubes(method="lorensen")``.

    It computes in float32. Triangles without area are kept, so that the mesh stays closed.

    Args:
        values: finite values on a grid, less than the level inside, shape (nx, ny, nz).
        level: the value on the surface.

    Raises:
        EmptySurfaceError: scikit-image finds no surface.
        MissingExtraError: scikit-image is not installed.
    """
    try:
        measure: Any = import_module("skimage.measure")
    except ImportError as error:
        raise MissingExtraError("skimage", "meshers") from error
    try:
        vertices, faces, _, _ = measure.marching_cubes(
            values.cpu().numpy(), level, method="lorensen", allow_degenerate=True, gradient_direction="descent"
        )
    except (ValueError, RuntimeError) as error:  # the level is not between the values, or is only touched
        raise EmptySurfaceError(f"scikit-image finds no surface at level {level:.6g}: {error}") from error
    return _tensors(vertices, faces, values)


def march_vtk(values: Float[Tensor, "nx ny nz"], level: float) -> Found:
    """Vertices in units of the grid, and faces, by ``vtkFlyingEdges3D``.

    It places vertices in float32. W. Schroeder, R. Maynard, B. Geveci, "Flying Edges", LDAV 2015.

    Args:
        values: finite values on a grid, less than the level inside, shape (nx, ny, nz).
        level: the value on the surface.

    Raises:
        EmptySurfaceError: VTK finds no surface.
        MissingExtraError: VTK is not installed.
    """
    try:
        arrays: Any = import_module("vtkmodules.util.numpy_support")
        model: Any = import_module("vtkmodules.vtkCommonDataModel")
        filters: Any = import_module("vtkmodules.vtkFiltersCore")
    except ImportError as error:
        raise MissingExtraError("vtk", "meshers") from error
    samples = values.permute(2, 1, 0).cpu().numpy().ravel()  # VTK's first axis runs fastest
    image = model.vtkImageData()
    image.SetDimensions(*values.shape)
    image.GetPointData().SetScalars(arrays.numpy_to_vtk(samples))
    contour = filters.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, level)
    contour.ComputeNormalsOff()
    contour.ComputeScalarsOff()
    contour.Update()
    surface = contour.GetOutput()
    if not surface.GetNumberOfCells():
        raise EmptySurfaceError(f"VTK finds no surface at level {level:.6g}")
    faces = arrays.vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    # VTK's triangles face the lower values, which are our inside.
    return _tensors(arrays.vtk_to_numpy(surface.GetPoints().GetData()), faces[:, ::-1], values)


def _tensors(vertices: Shaped[np.ndarray, "v 3"], faces: Shaped[np.ndarray, "m 3"], like: Tensor) -> Found:
    """Copies in the precision and on the device of the values."""
    points, triangles = (np.ascontiguousarray(array) for array in (vertices, faces))
    return (
        torch.tensor(points, dtype=like.dtype, device=like.device),
        torch.tensor(triangles, dtype=torch.int64, device=like.device),
    )
