"""headviz: see how one picture becomes a 3-D head, and sculpt it."""

__version__ = "0.1.0"
