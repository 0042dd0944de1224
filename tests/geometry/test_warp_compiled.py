"""Compiled warps where no cache can be written, in forked processes, from several threads; when they are loaded."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from headviz.geometry.warp import warp

SCENE = """
import torch
from headviz.geometry.warp import warp
torch.manual_seed(0)
points, keypoints, vectors = torch.randn(3000, 3), torch.randn(40, 3), torch.randn(40, 3)
wanted = warp(points.double(), keypoints.double(), vectors.double())
"""


def run(code: str) -> str:
    """Output of a Python process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_folder_for_the_cache() -> None:
    """Where nothing can be written, code is compiled for this process alone."""
    forbid = """
import tempfile
def refuse(*_, **__): raise PermissionError
tempfile.TemporaryFile = refuse
"""
    check = """
print(float((warp(points, keypoints, vectors) - wanted).abs().max()) < 1e-5)
from headviz.geometry import warp_compiled
print(type(warp_compiled.displace._cache).__name__)
"""
    assert run(forbid + SCENE + check).split() == ["True", "NullCache"]


@pytest.mark.skipif(sys.platform != "linux", reason="forking is for Linux")
def test_loaded_when_needed_and_forked() -> None:
    """Few points do not load the compiler; a forked process warps too, as the workers of a data loader do."""
    check = """
import os, sys, warnings
warnings.simplefilter("ignore")  # Python's about forking
torch.set_num_threads(2)
warp(points[:10], keypoints, vectors)
assert "numba" not in sys.modules
warp(points, keypoints, vectors)
assert "numba" in sys.modules
child = os.fork()
if child == 0:
    os._exit(0 if float((warp(points, keypoints, vectors) - wanted).abs().max()) < 1e-5 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert run(SCENE + check) == "0"


def test_several_threads_at_once() -> None:
    generator = torch.Generator().manual_seed(1)
    points, keypoints, vectors = (torch.randn(n, 3, generator=generator) for n in (20_000, 16, 16))
    wanted = warp(points, keypoints, vectors, mirror="x")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: warp(points, keypoints, vectors, mirror="x"), range(12)))
    assert all(torch.equal(each, wanted) for each in found)
