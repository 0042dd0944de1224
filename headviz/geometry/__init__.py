"""Meshes, fields, cameras, tracing, contours, octrees, metrics, files: arrays in, arrays and records out."""

from headviz.geometry.calculus import curvature, gradient, normals
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.contour import Contour, marching_squares
from headviz.geometry.cubes import CubeContour, marching_cubes
from headviz.geometry.expression import parse_shape
from headviz.geometry.extract import ContourExtraction, Extraction, extract_contour, extract_surface
from headviz.geometry.field import Field, evaluate
from headviz.geometry.fixed_steps import bracket_rays, fixed_steps
from headviz.geometry.grid_field import GridField
from headviz.geometry.icosphere import icosphere
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_batch import MeshBatch
from headviz.geometry.mesh_field import MeshField
from headviz.geometry.metrics import Similarity, similarity_align, vertex_error
from headviz.geometry.neural_field import NeuralField
from headviz.geometry.octree import Subdivision, subdivide
from headviz.geometry.presets import preset
from headviz.geometry.rbf import rbf
from headviz.geometry.regularizers import (
    Topology,
    cotangent_laplacian,
    cotangent_weights,
    dirichlet_energy,
    edge_length,
    flatness,
    laplacian_smoothing,
    normal_consistency_loss,
    uniform_laplacian,
)
from headviz.geometry.shape import Shape
from headviz.geometry.surface_metrics import SurfaceComparison, compare_surfaces
from headviz.geometry.trace import sphere_trace
from headviz.geometry.trace_history import SphereTrace, Status, TraceHistory
from headviz.geometry.warp import warp
from headviz.geometry.warp_solver import WarpSolver

__all__ = [
    "Camera",
    "Cameras",
    "Contour",
    "ContourExtraction",
    "CubeContour",
    "Extraction",
    "Field",
    "GridField",
    "Mesh",
    "MeshBatch",
    "MeshField",
    "NeuralField",
    "Shape",
    "Similarity",
    "SphereTrace",
    "Status",
    "Subdivision",
    "SurfaceComparison",
    "Topology",
    "TraceHistory",
    "WarpSolver",
    "bracket_rays",
    "compare_surfaces",
    "cotangent_laplacian",
    "cotangent_weights",
    "curvature",
    "dirichlet_energy",
    "edge_length",
    "evaluate",
    "extract_contour",
    "extract_surface",
    "fixed_steps",
    "flatness",
    "gradient",
    "icosphere",
    "laplacian_smoothing",
    "marching_cubes",
    "marching_squares",
    "normal_consistency_loss",
    "normals",
    "parse_shape",
    "preset",
    "rbf",
    "similarity_align",
    "sphere_trace",
    "subdivide",
    "uniform_laplacian",
    "vertex_error",
    "warp",
]
