"""The borders between the parts hold, and each contract catches what it is there for: every rule is broken on purpose."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

BREACHES = {
    "The loop goes one way": ("live/text.py", "import essaim.base.actor"),
    "Inside an area": ("listen/sessions/queries/links.py", "import essaim.listen.sessions.views"),
    "The engines and the live path know nothing of Django": ("live/plan.py", "import django"),
    "No cycle anywhere": ("live/text.py", "import essaim.live.room"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    script = "from importlinter.cli import lint_imports; import sys; sys.exit(lint_imports(cache_dir=None))"
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'src'); {script}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    shutil.copytree(
        ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.mo", "static", "__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_every_contract_is_kept(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_caught(copy: Path, contract: str) -> None:
    name, line = BREACHES[contract]
    path = copy / "src/essaim" / name
    before = path.read_text()
    path.write_text(
        before.replace(
            "from __future__ import annotations\n", f"from __future__ import annotations\n\n{line}\n", 1
        )
    )
    assert path.read_text() != before
    try:
        result = lint(copy)
    finally:
        path.write_text(before)
    assert result.returncode != 0
    broken = [row for row in result.stdout.splitlines() if row.strip().endswith("BROKEN")]
    assert any(contract in row for row in broken), result.stdout
