"""``headviz sculpt``: what the terminal sees of the sculpt window, which is an application of its own."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from headviz.commands.console import Progress


def run(options: argparse.Namespace, start: Callable[..., str]) -> int:
    """Start the window, or write its page.

    Args:
        options: ``source`` and ``html``.
        start: the application; it takes the source, the page's file or ``None``, and a function for its progress, and
            returns what to print.
    """
    if options.html is not None:
        from headviz.commands.fields import check_targets

        check_targets(options.source, options.html)
    progress = Progress(1)
    progress.name = "sculpt"

    def show(stage: str) -> None:
        if stage:
            progress(stage)
        else:
            progress.clear()

    try:
        said = start(options.source, options.html, show)
    finally:
        progress.clear()
    if said:
        print(said)
    return 0
