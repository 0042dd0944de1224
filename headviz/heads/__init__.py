"""The parametric head and the data sets made from it."""

from headviz.heads.model import HeadModel, Slider, load_head

__all__ = ["HeadModel", "Slider", "load_head"]
