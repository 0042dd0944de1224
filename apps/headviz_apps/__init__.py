"""Runnable applications of headviz; wiring only."""
