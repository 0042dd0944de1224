"""Permissions apply to everybody but root; these tests also run as root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """Run as a user to whom permissions apply: root becomes nobody, and owns the folder, for a while."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65534
    for part in [folder, *list(folder.parents)[:4]]:
        if part.stat().st_uid == 0 and part != Path("/tmp"):
            part.chmod(part.stat().st_mode | 0o011)
    os.chown(folder, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)
