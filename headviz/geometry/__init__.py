"""Meshes, fields, cameras, colours and files: arrays in, arrays and records out."""

from headviz.geometry.camera import Camera
from headviz.geometry.field import Field
from headviz.geometry.mesh import Mesh
from headviz.geometry.mesh_field import MeshField
from headviz.geometry.metrics import Similarity, similarity_align, vertex_error

__all__ = ["Camera", "Field", "Mesh", "MeshField", "Similarity", "similarity_align", "vertex_error"]
