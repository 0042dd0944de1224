"""The command line: ``headviz <command>``. Each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from headviz import __version__
from headviz.commands import options as read
from headviz.commands.console import BAD_INPUT, CLOSED_PIPE, INTERRUPTED, describe
from headviz.errors import HeadvizError

DEFAULT_MODEL = "landmark-fit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after ``headviz``; those of the process by default.

    Returns:
        The exit code: 0, 2 for bad input (one line on stderr says what and why), 130 when interrupted.
    """
    options = build_parser().parse_args(arguments)
    # PyTorch's threads wait for each other by spinning. Long, they slow each other down several times as soon as
    # another program, such as the browser that shows the demo, wants the processor too; not at all, every short
    # operation waits for a thread to wake. A short spin serves both.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files need not be text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("headviz: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as in `headviz models | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except (HeadvizError, OSError) as error:
        print(f"headviz: {describe(error)}", file=sys.stderr)
        return BAD_INPUT
    return code


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(BAD_INPUT, f"headviz: {message}; see: {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = Parser(prog="headviz", description="See how one picture becomes a 3-D head.")
    parser.add_argument("--version", action="version", version=f"headviz {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_reconstruct(commands.add_parser("reconstruct", help="make a 3-D head from a photograph, or from many"))
    _add_extract(commands.add_parser("extract", help="turn a shape, a mesh or a network into a mesh, by an octree"))
    _add_trace(
        commands.add_parser("trace", help="send rays through a shape, a mesh or a network, and record their steps")
    )
    _add_view(commands.add_parser("view", help="look at a record, a mesh, a photograph's head, or a field"))
    _add_sculpt(commands.add_parser("sculpt", help="shape a head by hand, both sides at once, in a window"))
    models = commands.add_parser("models", help="list the models with their licences and measured quality")
    models.add_argument("--json", action="store_true", help="print the list as JSON")
    models.set_defaults(run=run_models)
    demo = commands.add_parser("demo", help="serve the page that turns a photograph into a head")
    demo.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s: this computer only)")
    demo.add_argument("--port", type=read.port, help="port to listen on (7860, or the next one that is free)")
    demo.add_argument("--open", action="store_true", help="open the page in the browser")
    demo.add_argument("--share", action="store_true", help="publish the page through Gradio's tunnel (off by default)")
    demo.set_defaults(run=run_demo)
    return parser


def _add_reconstruct(parser: argparse.ArgumentParser) -> None:
    parser.description = "Make a textured, animatable 3-D head from every photograph. A batch goes on after a failure."
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO", help="a picture, or a folder: all pictures in it")
    add("-o", "--output", type=Path, metavar="DIR", help="folder for the result (default: NAME_head in this folder)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--face",
        type=read.face,
        default="largest",
        metavar="largest|all|N",
        help="which face; 1 is the largest (%(default)s)",
    )
    which.add_argument("--crop", type=read.crop, metavar="L,T,R,B", help="look only inside this box, in pixels")
    add("--model", default=DEFAULT_MODEL, metavar="NAME", help="one of `headviz models` (%(default)s)")
    add("--html", type=read.html, metavar="FILE", help="also write a page on which the way to the head can be watched")
    add(
        "--texture-size",
        type=read.texture_size,
        default=1024,
        metavar="PIXELS",
        help="side of the texture (%(default)s)",
    )
    add("--json", action="store_true", help="print what was made as JSON")
    parser.set_defaults(run=run_reconstruct)


SOURCE = (
    "a preset shape (head, sphere, torus, …), an expression such as 'sphere(0.1) | box(0.2, 0.1, 0.1)', "
    "a mesh file, a network (.safetensors), or a photograph"
)


def _add_extract(parser: argparse.ArgumentParser) -> None:
    parser.description = "Find the surface of a field and write it as a mesh. Lengths are in metres."
    add = parser.add_argument
    add("source", metavar="SHAPE|MESH|NETWORK|PHOTO", help=SOURCE)
    add("-o", "--output", type=Path, metavar="FILE", help="a .glb, .obj or .ply file (default: NAME_surface.glb)")
    add(
        "--resolution",
        type=read.whole(1, 16384),
        default=128,
        metavar="N",
        help="cells along the longest side (%(default)s)",
    )
    add("--method", choices=("octree", "dense"), default="octree", help="where to evaluate the field (%(default)s)")
    add("--prune", choices=("lipschitz", "sign"), default="lipschitz", help="how the octree drops cells (%(default)s)")
    add("--bounds", type=read.bounds, metavar="X,Y,Z,X,Y,Z", help="the box to look in (default: the field's own)")
    add("--html", type=read.html, metavar="FILE", help="also write a page that shows the octree and every cell")
    add("--json", action="store_true", help="print what was made as JSON")
    parser.set_defaults(run=run_extract)


def _add_trace(parser: argparse.ArgumentParser) -> None:
    parser.description = "Trace a picture of a field; write every step of every ray (.npz) and a picture (.png)."
    add = parser.add_argument
    add("source", metavar="SHAPE|MESH|NETWORK|PHOTO", help=SOURCE)
    add(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="an .npz file; the picture lies beside it (default: NAME_trace.npz)",
    )
    add("--size", type=read.whole(8, 4096), default=512, metavar="PIXELS", help="side of the picture (%(default)s)")
    add("--yaw", type=read.angle, default=25.0, metavar="DEGREES", help="seen from its left if positive (%(default)s)")
    add("--pitch", type=read.angle, default=5.0, metavar="DEGREES", help="seen from above if positive (%(default)s)")
    add("--max-steps", type=read.whole(1, 100_000), default=128, metavar="N", help="moves of a ray (%(default)s)")
    add(
        "--tolerance",
        type=read.tolerance,
        metavar="METRES",
        help="a ray this near has hit (0.0003 of the shape's size)",
    )
    add(
        "--relaxation",
        type=read.relaxation,
        default="adaptive",
        metavar="W",
        help="1 to below 2, or adaptive (%(default)s)",
    )
    add("--html", type=read.html, metavar="FILE", help="also write a page on which every ray can be watched")
    add("--json", action="store_true", help="print what was made as JSON")
    parser.set_defaults(run=run_trace)


def _add_view(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Show a record (.npz), a mesh, the head of a photograph, or rays through a network or a shape: as a page in "
        "the browser, in a window, or as files."
    )
    add = parser.add_argument
    add("source", metavar="FILE|SHAPE", help=f"a record (.npz), or {SOURCE}")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--html", type=read.html, metavar="FILE", help="write the page to this file; open no browser")
    how.add_argument("--png", type=read.picture, metavar="FILE", help="write a picture (.png, .svg or .pdf)")
    how.add_argument("--window", action="store_true", help="open a window (needs the extra: headviz[desktop])")
    add("--step", type=read.whole(0, 10**9), metavar="N", help="begin at this step (default: where it was left)")
    parser.set_defaults(run=run_view)


def _add_sculpt(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Shape a head with brushes and keypoints; the other side follows exactly. Opens a window (needs the extra: "
        "headviz[desktop]), or writes a page for the browser."
    )
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        default="",
        metavar="MESH|RECONSTRUCTION|PHOTO",
        help="a mesh, the folder that `headviz reconstruct` wrote, a photograph, or a saved session (.headviz.json); "
        "headviz's own head by default",
    )
    add("--html", type=read.html, metavar="FILE", help="write a page to sculpt on in a browser; open no window")
    parser.set_defaults(run=run_sculpt)


def run_reconstruct(options: argparse.Namespace) -> int:
    """Make a head from every picture."""
    from headviz.commands import reconstruct

    return reconstruct.run(options)


def run_extract(options: argparse.Namespace) -> int:
    """Write the surface of a field as a mesh."""
    from headviz.commands import extract

    return extract.run(options)


def run_trace(options: argparse.Namespace) -> int:
    """Write a traced picture of a field and the record of its rays."""
    from headviz.commands import trace

    return trace.run(options)


def run_view(options: argparse.Namespace) -> int:
    """Show a file."""
    from headviz.commands import view

    return view.run(options)


def run_sculpt(options: argparse.Namespace) -> int:
    """Open the sculpt window until it is closed, or write its page."""
    from headviz.commands import sculpt
    from headviz_apps.sculpt import start

    return sculpt.run(options, start.main)


def run_demo(options: argparse.Namespace) -> int:
    """Serve the demo page until interrupted."""
    from headviz_apps import demo

    demo.main(options.host, options.port, share=options.share, browser=options.open)
    return 0


def run_models(options: argparse.Namespace) -> int:
    """List the models."""
    from headviz.commands import models

    return models.run(options)
