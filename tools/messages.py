"""Translations: collect every text of the code and templates, bring the French catalogue up to date, say what is missing.

    python -m tools.messages            update src/essaim/locale/fr/LC_MESSAGES/django.po and say what lacks French
    python -m tools.messages --check    change nothing; exit 1 if a text is missing, fuzzy or no longer used

GNU gettext is not needed: Babel reads Python, Django itself turns templates into something that Babel reads.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src/essaim"
FRENCH = PACKAGE / "locale/fr/LC_MESSAGES/django.po"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def collect() -> Catalog:
    """Return every text to translate, with where it stands."""
    import django
    from django.conf import settings
    from django.utils.translation.template import templatize

    if not settings.configured:
        settings.configure(USE_I18N=False)
        django.setup()
    catalog = Catalog(locale="fr", project="Essaim", copyright_holder="The Essaim authors", charset="utf-8")
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("templates/**/*.html")]):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            # What is left is calls of gettext at any indentation: Python's tokeniser wants none.
            text = "\n".join(line.lstrip() for line in templatize(text, origin=str(path)).split("\n"))
        source = io.BytesIO(text.encode())
        for line, message, _comments, context in extract(
            "python", source, keywords=KEYWORDS, options={"encoding": "utf-8"}
        ):
            where = [(path.relative_to(ROOT).as_posix(), line)]
            flags = ["python-format"] if path.suffix == ".html" and "%(" in str(message) else []
            catalog.add(message, None, locations=where, context=context, flags=flags)
    return catalog


def known() -> Catalog:
    """Return the French catalogue as it is kept."""
    with FRENCH.open("rb") as file:
        return read_po(file, locale="fr")


def faults(collected: Catalog, french: Catalog) -> list[str]:
    """Return what is wrong with the French, one line a fault."""
    found = []
    wanted = {(m.id, m.context) for m in collected if m.id}
    for message in collected:
        if not message.id:
            continue
        there = french.get(message.id, message.context)
        name = message.id if isinstance(message.id, str) else message.id[0]
        if there is None or not _translated(there.string):
            found.append(f"{message.locations[0][0]}:{message.locations[0][1]}: no French for {name!r}")
        elif there.fuzzy:
            found.append(f"{name!r} is fuzzy")
        else:
            found += [f"{name!r}: {error}" for error in there.check()]
    for message in french:
        if message.id and (message.id, message.context) not in wanted:
            found.append(f"{message.id!r} is no longer used")
    return found


def _translated(string: str | tuple[str, ...]) -> bool:
    return bool(string) if isinstance(string, str) else all(string)


def merge(collected: Catalog, *others: Catalog) -> Catalog:
    """Return the collected texts with the French of the first catalogue that has it."""
    for message in collected:
        if not message.id:
            continue
        for other in others:
            there = other.get(message.id, message.context)
            if there is not None and _translated(there.string) and not there.fuzzy:
                message.string = there.string
                break
    return collected


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument(
        "--merge", type=Path, nargs="*", default=[], help="other catalogues to take French from"
    )
    options = parser.parse_args()
    collected = collect()
    french = known() if FRENCH.exists() else Catalog(locale="fr")
    if not options.check:
        others = []
        for path in options.merge:
            with path.open("rb") as file:
                others.append(read_po(file, locale="fr"))
        french = merge(collected, french, *others)
        with FRENCH.open("wb") as file:
            write_po(file, french, width=110, sort_output=True, ignore_obsolete=True, no_location=True)
        french = known()
        collected = collect()
    wrong = faults(collected, french)
    print("\n".join(wrong) if wrong else f"{len([m for m in collected if m.id])} texts, all in French")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
