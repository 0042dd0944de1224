"""From meshes, cameras and light to pictures."""
