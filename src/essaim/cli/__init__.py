"""The command line: `essaim demo | serve | live | import | replay | export | analyse | crowd | journal | manage`.

One file a command; each has `add_parser(subparsers)`, and imports what is heavy only when it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

import essaim

COMMANDS = (
    "demo",
    "serve",
    "founding",
    "importing",
    "replay",
    "exporting",
    "analyse",
    "crowd",
    "journal",
    "manage",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (0 done, 1 refused, 2 wrong arguments or input)."""
    parser = argparse.ArgumentParser(prog="essaim", description=essaim.__doc__)
    parser.add_argument("--version", action="version", version=f"essaim {essaim.__version__}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        import_module(f"essaim.cli.{command}").add_parser(subparsers)
    options = parser.parse_args(arguments)
    try:
        return int(options.func(options) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
