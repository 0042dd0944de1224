"""python notebook_runner.py NOTEBOOK OUTPUT: run a notebook as it is shipped, and then its questions again, answered.

A program of its own, so that two can run at a time and nothing of a kernel is left behind. OUTPUT gets JSON: ``cells``,
the code cells with source and outputs, and ``verdicts``, by question what the check said to no answer, to the right
one, and to a wrong one.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from notebook_answers import ANSWERS


def plain(cell: Any) -> str:
    """The text of a cell's last output."""
    return str(cell.outputs[-1]["data"]["text/plain"])


def run(path: Path) -> dict[str, Any]:
    """What a notebook does."""
    book = nbformat.read(path, as_version=4)
    client = NotebookClient(book, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}})
    verdicts = {}
    with client.setup_kernel():
        for index, cell in enumerate(book.cells):
            client.execute_cell(cell, index)
        shipped = [cell for cell in book.cells if cell.cell_type == "code"]
        for cell in shipped:
            asked = re.search(r'hv\.check\("(.+?)"', cell.source)
            if asked is None:
                continue
            verdicts[asked[1]] = [plain(cell)]
            for answer in ANSWERS[asked[1]]:
                again = nbformat.v4.new_code_cell(cell.source.replace("answer = None", f"answer = {answer}"))
                book.cells.append(again)
                client.execute_cell(again, len(book.cells) - 1)
                verdicts[asked[1]].append(plain(again))
    return {"cells": [{"source": cell.source, "outputs": cell.outputs} for cell in shipped], "verdicts": verdicts}


def run_at_last(path: Path) -> dict[str, Any]:
    """What a notebook does; kernels that start at the same time may choose one free port, and then one of them dies."""
    for _ in range(2):
        try:
            return run(path)
        except RuntimeError as error:
            if "died before replying" not in str(error):
                raise
    return run(path)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(run_at_last(Path(sys.argv[1]))), encoding="utf-8")
