"""The reference pages, written from the code, and a check of every link and claim of the documentation.

python -m tools.reference            write docs/reference/*.md, then check
python -m tools.reference --check    write nothing; exit 1 if a page is stale, a link is dead or a test is missing
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from contextlib import redirect_stdout, suppress
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def settings_page() -> str:
    from essaim.config.environment import Environment

    rows = [
        f"| `ESSAIM_{f.name.upper()}` | {f.metadata['help']} | `{_shown(f.default)}` |"
        for f in fields(Environment)
    ]
    return (
        "# Settings\n\nWritten from `src/essaim/config/environment.py`. All are environment variables; a variable that "
        "begins with `ESSAIM_` and is not in this table is refused at the start.\n\n"
        "| variable | what it sets | default |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def commands_page() -> str:
    import os

    from essaim.cli import main

    os.environ["COLUMNS"] = "100"
    words = [
        [], ["demo"], ["serve"], ["live"], ["found"], ["import", "polis"], ["replay"], ["export", "session"],
        ["analyse", "opinion"], ["crowd"], ["journal", "verify"], ["journal", "report"],
    ]  # fmt: skip
    parts = ["# Commands\n\nWritten from what each command says with `--help`.\n"]
    for one in words:
        out = io.StringIO()
        with redirect_stdout(out), suppress(SystemExit):
            main([*one, "--help"])
        parts.append(
            f"## `essaim {' '.join(one)}`\n\n```\n{out.getvalue().rstrip()}\n```\n".replace(
                "`essaim `", "`essaim`"
            )
        )
    return "\n".join(parts)


def actions_page() -> str:
    import os

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "essaim.config.settings")
    import django

    django.setup()
    import essaim.listen.sessions.actions
    import essaim.people.actions  # noqa: F401
    from essaim.base.actions import REGISTRY

    rows = []
    for name, run in sorted(REGISTRY.items()):
        roles = ", ".join(sorted(str(role) for role in run.may)) or "owner only"  # type: ignore[attr-defined]
        said = " ".join((run.__doc__ or "").split("Raises:")[0].split())
        rows.append(f"| `{name}` | {said} | {roles} |")
    return (
        "# Actions\n\nEverything that can be done, written from the code. An owner may do all of it; the last column says "
        "who else may. Each leaves a row in the history.\n\n| action | what it does | who |\n| --- | --- | --- |\n"
        + "\n".join(rows)
        + "\n"
    )


WRITTEN = {"settings.md": settings_page, "commands.md": commands_page, "actions.md": actions_page}


def faults() -> list[str]:
    """Dead links, coverage rows whose file or test does not exist, pages of one language without their twin."""
    found = [
        f"{page.relative_to(ROOT)}: dead link {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text(encoding="utf-8"))
        if not target.startswith(("http", "#", "mailto:"))
        and not (page.parent / target.split("#")[0]).exists()
    ]
    coverage = (DOCS / "coverage.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:src|tests|bench|docs)/[^`\s:]+)`", coverage)
    found += [f"docs/coverage.md: {path} does not exist" for path in named if not (ROOT / path).exists()]
    french, english = ({p.name for p in (DOCS / language).glob("*.md")} for language in ("fr", "en"))
    found += [f"docs: {name} is not in both languages" for name in sorted(french ^ english)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    wrong = []
    for name, write in WRITTEN.items():
        page, text = DOCS / "reference" / name, write()
        if options.check:
            if not page.exists() or page.read_text(encoding="utf-8") != text:
                wrong.append(f"docs/reference/{name} is stale: run make docs")
        else:
            page.write_text(text, encoding="utf-8")
    wrong += faults()
    print("\n".join(wrong) if wrong else "documentation: pages fresh, links alive")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
