"""Viewers: records, meshes and pictures become pages, widgets and figures."""
