"""A reconstruction needs no network: it runs where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REFUSE = """
import socket
def refuse(self, address):
    if self.family != socket.AF_UNIX:
        raise OSError(f"an outside connection was opened to {address}")
socket.socket.connect = socket.socket.connect_ex = refuse
"""
PROBE = """
import socket, sys
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    sys.exit(0)
sys.exit(1)
"""


def isolation() -> list[str] | None:
    """A command prefix that runs a process in a network namespace without a route, if this system allows it."""
    if shutil.which("unshare") is None:
        return None
    for prefix in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return None


@pytest.fixture
def isolated(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """Prefix and environment of a process that cannot reach the network."""
    prefix, environment = isolation(), dict(os.environ)
    if prefix is None:  # then Python's own connections are refused
        (tmp_path / "sitecustomize.py").write_text(REFUSE)
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment.get("PYTHONPATH", "")])
    return prefix or [], environment


def test_the_isolation_isolates(isolated: tuple[list[str], dict[str, str]]) -> None:
    prefix, environment = isolated
    assert subprocess.run([*prefix, sys.executable, "-c", PROBE], env=environment).returncode == 0


def test_reconstruct_runs_without_a_network(
    isolated: tuple[list[str], dict[str, str]], astronaut: Path, tmp_path: Path
) -> None:
    prefix, environment = isolated
    command = [*prefix, sys.executable, "-m", "headviz", "reconstruct", str(astronaut), "-o", str(tmp_path / "head")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "head" / "head.glb").stat().st_size > 500_000
