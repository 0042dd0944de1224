"""Right answers to the notebooks' questions, derived by hand or another way than the check does, and plausible wrong ones.

Each is a Python expression, evaluated in the notebook's kernel after all of its cells.
"""

from __future__ import annotations

CUBE = "[[int(k) for k in line.split()[1:]] for line in cube.splitlines() if line.startswith('f ')]"

FOUND = "len(hv.extract_surface(hv.preset('thin'), resolution=64, prune='{prune}', record=True).history.cells)"

#: question: (right, wrong)
ANSWERS = {
    # f · X / Z
    "01.1": ("head.camera.focal * 0.01 / -head.camera.translation[2]", "0.01 * head.camera.focal"),
    # u = f · 1.2 X / 1.2 Z does not change
    "01.2": ("0", "1.2"),
    "01.3": ("1000 * hv.np.linalg.norm(head.mesh.morphs['jawOpen'].numpy(), axis=1).max()", "38.7 / 1000"),
    # the back, z = −0.05, whose corners run counter-clockwise seen from the front: line 1 is a comment
    "01.4": ("12", "15"),
    # each of 12 faces has 3 edges, each edge 2 faces
    "01.5": (f"sum(len(face) - 2 for face in {CUBE}) * 3 // 2", "12"),
    # 0.12² + 0.05² = 0.13²
    "02.1": ("0.13 - 0.1", "0.13"),
    # the corner: 0.13 > 0.1 and 0.11 > 0.07
    "02.2": ("(0.20 / 2, 0.14 / 2)", "(0.13, 0.07)"),
    # the circles meet at x = 0, y = √(0.1² − 0.06²) = 0.08
    "02.3": ("-(0.1**2 - 0.06**2) ** 0.5", "-0.04"),
    "02.4": ("1 / 0.6", "1 / 1.2"),
    "03.1": ("-0.1 + (0.1**2 + 0.08**2) ** 0.5 - 0.1", "0.0"),
    # 0.2 / 2ᵏ ≤ 0.0001
    "03.2": ("hv.np.ceil(hv.np.log2(0.2 / 0.0001))", "12"),
    # f + f (1 − ω / 2) = ω f
    "03.3": ("4 / 3", "1.5"),
    # from 0.1 m in front by 2 · 0.1 m, through 0.02 m
    "03.4": ("2 * 0.1 - 0.1 - 0.02", "0.1"),
    "03.5": ("image.steps.numpy().max()", "image.steps.float().mean()"),
    # corners 1 and 2
    "04.1": ("2**1 + 2**2", "3"),
    "04.2": ("1 / (1 + 3)", "0.75"),
    # (−1 · −3 − 2 · 1) / (−1 − 2 − 3 − 1)
    "04.3": ("1 / -7", "0.25"),
    # h² / (8 r)
    "04.4": ("2**2", "2"),
    # 8 corners, inside or outside
    "04.5": ("8 * 2", "8"),
    # two handles: 2 − 2 · 2; from the mesh V − 3F/2 + F
    "04.6": ("len(double.vertices) - len(double.faces) // 2", "0"),
    "05.1": ("257**3", "256**3"),
    # half a diagonal
    "05.2": ("0.08 / 2**0.5", "0.04"),
    "05.3": ("0.02 / 2**0.5", "0.01"),
    "05.4": ("2", "3"),
    # by the safe search: what it finds and the other does not
    "05.5": (f"100 - 100 * {FOUND.format(prune='sign')} / {FOUND.format(prune='lipschitz')}", "0.5"),
    # exp(−α · 0.02²) = 1/2
    "06.1": ("hv.np.log(2) / 0.02**2", "hv.np.log(2) / 0.02"),
    # α r² = 2500 · 0.02² = 1
    "06.2": ("10 * (1 + hv.np.exp(-1))", "20"),
    # 1 = 2 α x φ(x) v at x = 1 / √(2 α)
    "06.3": ("1000 * (hv.np.e / (2 * 1000)) ** 0.5", "1000 / 2000**0.5"),
    "06.4": ("(1 + 0.9) / (1 - 0.9)", "1 / 0.9"),
    # without its x
    "06.5": ("8", "16"),
    "06.6": ("3 * hv.np.exp(-1)", "3"),
    # α r² stays
    "06.7": ("1000 / 1.25**2", "1000"),
    # centres are at x + 1/2, from 2.5 on
    "07.1": ("sum(x + y + 1 < 1.6 + 6.3 for x in range(2, 8) for y in range(2, 8))", "11"),
    # 1 / z runs in a straight line
    "07.2": ("1 / ((1 / 1 + 1 / 3) / 2)", "2"),
    # t − t / (4 − 3 t) is largest at t = 2/3
    "07.3": ("2 / 3 - (2 / 3) / (4 - 3 * 2 / 3)", "0.3"),
    # δ is (128 px)² / 7000
    "07.4": ("hv.np.exp(-7000 * 2**2 / 128**2)", "hv.np.exp(-7000 * 2**2)"),
    "07.5": ("1 - 0.5 * 0.6 * 0.8", "0.5 + 0.4 + 0.2"),
    # d² / ln 10⁴
    "07.6": ("(10 / 64) ** 2 / (4 * hv.np.log(10))", "(10 / 64) ** 2"),
    # out of the picture, but its face is not
    "07.7": ("3", "9"),
}
