"""Which organisation a command works for: the one named, the only one, or a first one made on the spot."""

from __future__ import annotations

import argparse
import sys


def add_organisation_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--organisation", help="its short name (slug); not needed when there is only one")


def chosen_organisation(slug: str | None) -> str | None:
    """Return the id of the organisation to work for, or None after saying on standard error what to do."""
    from django.utils import timezone

    from essaim.base.ids import new_id
    from essaim.people.models import Organisation

    known = list(Organisation.objects.order_by("created_at"))
    if slug:
        found = next((one for one in known if one.slug == slug), None)
        if found is None:
            print(
                f"essaim: no organisation {slug!r}. Known: {', '.join(o.slug for o in known)}.",
                file=sys.stderr,
            )
        return found.id if found else None
    if len(known) > 1:
        print(f"essaim: say which: --organisation {'|'.join(o.slug for o in known)}.", file=sys.stderr)
        return None
    if known:
        return str(known[0].id)
    now = timezone.now()
    first = Organisation.objects.create(id=new_id(now), name="Essaim", slug="essaim", created_at=now)
    print("essaim: there was no organisation yet; “Essaim” (essaim) was made.", file=sys.stderr)
    return str(first.id)
