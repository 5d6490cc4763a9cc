"""`essaim found NAME --email E --name N`: create an organisation and its first owner, from the server's own command line."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from essaim.cli.setup import prepare


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("found", help="create an organisation and its first owner")
    parser.add_argument("organisation", help="its name")
    parser.add_argument("--email", required=True, help="the owner's e-mail address, used to log in")
    parser.add_argument("--name", required=True, help="the owner's name, as others see it")
    parser.add_argument("--language", choices=["fr", "en"], default="fr")
    parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    parser.set_defaults(func=run)


def run(options: argparse.Namespace) -> int:
    prepare()
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError
    from django.db import transaction
    from django.utils import timezone

    from essaim.base.errors import Refused
    from essaim.people.actions import found_organisation, make_account

    password = sys.stdin.readline().rstrip("\n") if options.password_stdin else getpass.getpass("Password: ")
    now = timezone.now()
    try:
        validate_password(password)
        with transaction.atomic():
            user = make_account(email=options.email, name=options.name, password=password, now=now)
            organisation = found_organisation(
                user=user,
                name=options.organisation,
                member_name=options.name,
                language=options.language,
                now=now,
                by_operator=True,
            )
    except ValidationError as error:
        print("essaim: " + " ".join(error.messages), file=sys.stderr)
        return 1
    except Refused as refusal:
        print(f"essaim: {refusal}", file=sys.stderr)
        return 1
    print(organisation.slug)
    return 0
