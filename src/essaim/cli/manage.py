"""`essaim manage …`: Django's own management commands (migrations, shell, password of a user)."""

from __future__ import annotations

import argparse
from typing import Any

from essaim.cli.setup import prepare


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("manage", help="Django's management commands", add_help=False)
    parser.add_argument("words", nargs=argparse.REMAINDER)
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    prepare(migrate=False)
    from django.core.management import execute_from_command_line

    execute_from_command_line(["essaim manage", *options.words])
    return 0
