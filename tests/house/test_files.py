"""Files stay readable, areas look alike, the domain has no clock, nothing names a registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src/essaim"
PYTHON = sorted(p for folder in ("src", "tests", "tools", "bench") for p in (ROOT / folder).rglob("*.py"))
NOUNS = {
    "models",
    "queries",
    "actions",
    "views",
    "api",
    "jobs",
    "forms",
    "urls",
    "apps",
    "migrations",
    "templates",
}
NOUNS |= {"templatetags", "static", "management"}
#: Domain files that an area has besides the usual ones, each with the noun it holds.
OWN = {
    "listen/sessions": {"frames", "presets", "words"},
    "people": {"access", "accounts", "letters", "paste", "previews", "words"},
}


@pytest.mark.parametrize("path", PYTHON, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_file_is_readable_at_one_sitting(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= 450, f"{lines} lines: split it by noun"


@pytest.mark.parametrize("area", OWN)
def test_an_area_has_the_same_files_as_every_other(area: str) -> None:
    found = {p.stem for p in (PACKAGE / area).iterdir() if not p.name.startswith("__")}
    assert found <= NOUNS | OWN[area]


@pytest.mark.parametrize(
    "path", [p for p in PYTHON if PACKAGE in p.parents], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_the_domain_has_no_clock(path: Path) -> None:
    parts = path.relative_to(PACKAGE).parts
    if not ({"engines", "actions", "queries"} & {*parts, path.stem}):
        return
    assert not re.search(
        r"datetime\.now|timezone\.now\(\)|time\.time\(", path.read_text().replace("now=timezone.now()", "")
    )


def test_no_file_names_a_registry() -> None:
    registry = re.compile(r"https?://[a-z0-9.-]*(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com|net)")
    for path in (
        *(ROOT / "requirements").iterdir(),
        ROOT / "pyproject.toml",
        ROOT / "Makefile",
        ROOT / ".ci/run",
    ):
        assert not registry.search(path.read_text()), path


def test_every_dependency_is_locked_with_a_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for requirement in re.split(r"\n(?=[a-z])", path.read_text())[1:]:
            assert "==" in requirement and "--hash=sha256:" in requirement, f"{path.name}: {requirement[:60]}"
