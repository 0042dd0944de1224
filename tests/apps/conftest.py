"""The demo as a person starts it: a process of its own, whose connections are written down."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("browsing", Path(__file__).parent.parent / "viewers" / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_browsing = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_browsing)
browser, visit = _browsing.browser, _browsing.visit  # fixtures

#: Serves the demo on the port argv[1] and writes every address that a socket connects to into the file argv[2].
SERVE = """
import json, socket, sys
log = open(sys.argv[2], "a", buffering=1)
def watched(name):
    original = getattr(socket.socket, name)
    def connect(self, address, *rest):
        log.write(json.dumps([self.family.name, address if isinstance(address, str) else list(address)]) + "\\n")
        return original(self, address, *rest)
    return connect
def resolve(host, *rest, original=socket.getaddrinfo, **named):
    log.write(json.dumps(["name", [str(host)]]) + "\\n")
    return original(host, *rest, **named)
class Watched(socket.socket):
    connect, connect_ex = watched("connect"), watched("connect_ex")
socket.socket, socket.getaddrinfo = Watched, resolve
from headviz_apps.demo import main
main(port=int(sys.argv[1]), warm=False)
"""


@dataclass
class Demo:
    """A running demo.

    Attributes:
        url: address of the page.
        process: the server.
        temporary: folder in which it may put files.
        connections: file with what it connected to.
    """

    url: str
    process: subprocess.Popen[str]
    temporary: Path
    connections: Path

    def outside(self) -> list[str]:
        """Connections and look-ups that do not stay on this machine."""
        local = {"127.0.0.1", "::1", "localhost", "None", "0.0.0.0", "b'127.0.0.1'"}
        entries = [json.loads(line) for line in self.connections.read_text().splitlines()]
        return [str(e) for e in entries if e[0] != "AF_UNIX" and str(e[1][0]) not in local]

    def stop(self) -> int:
        """Ask it to end, as a terminal that closes does."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def running_demo(folder: Path) -> Iterator[Demo]:
    """Start the demo on a free port and wait until it answers; it is gone afterwards."""
    temporary, connections = folder / "tmp", folder / "connections.txt"
    temporary.mkdir()
    connections.touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GRADIO_")}
    environ |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", SERVE, str(port), str(connections)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("headviz demo: http://127.0.0.1:"), f"the demo should tell its address: {line!r}"
            yield Demo(line.split()[2], process, temporary, connections)
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One running demo for all tests of a module."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def separate_demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo that a test may end."""
    with running_demo(tmp_path) as running:
        yield running
