"""Draw the 100 heads of the truth test from anny: ``python tests/benchmarks/make_held_out.py`` (extra ``train``).

Their seed is neither that of the basis nor of the calibration, and they are not projected to the basis.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from headviz.models.collect import true_heads

PATH = Path(__file__).with_name("held_out_heads.safetensors")
COUNT, SEED = 100, 900_001


def main() -> None:
    """Write the heads' neutral vertices in half precision of millimetres (error below 0.1 mm)."""
    millimetres = true_heads(COUNT, SEED) * 1000
    PATH.touch()
    save_file({"vertices_mm": millimetres.half().contiguous()}, PATH)
    print(f"{PATH}: {PATH.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
