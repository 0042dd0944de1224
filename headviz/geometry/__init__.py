"""Meshes, fields, cameras, colours and files: arrays in, arrays and records out."""
