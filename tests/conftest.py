"""What every test shares: its own data folder, two organisations that must never see each other, and the real data if present."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys last: what is fast and fundamental fails first."""
    items.sort(key=lambda item: "journeys" in str(item.path))


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Journals go to the test's own folder."""
    if "settings" in request.fixturenames or request.node.get_closest_marker("django_db"):
        settings = request.getfixturevalue("settings")
        settings.DATA_DIR, settings.LIVE_STORE = tmp_path, str(tmp_path)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real conversations and texts, kept outside of the repository."""
    folder = Path(os.environ.get("ESSAIM_TEST_DATA", ROOT.parent / "shared/data"))
    if not folder.is_dir():
        pytest.skip(f"real data not found in {folder} (set ESSAIM_TEST_DATA)")
    return folder


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def make_actor(db: None) -> Callable[..., Any]:
    """Make a member with a role in an organisation (made at first need), and return the actor."""
    from django.contrib.auth import get_user_model

    from essaim.base.actor import Actor, Role
    from essaim.base.ids import new_id
    from essaim.people.models import Member, Organisation

    def make(role: str = "owner", *, organisation: str = "altura", name: str = "Claire Morel") -> Actor:
        home, _made = Organisation.objects.get_or_create(
            slug=organisation, defaults={"id": new_id(NOW), "name": organisation.title(), "created_at": NOW}
        )
        email = f"{name.lower().replace(' ', '.')}.{role}@{organisation}.example"
        user = get_user_model().objects.create_user(username=email, email=email, password="test")
        member = Member.objects.create(
            id=new_id(NOW), organisation=home, user=user, name=name, role=role, joined_at=NOW
        )
        return Actor(home.id, Role(role), name, member.id, user.id)

    return make


@pytest.fixture
def facilitator(make_actor: Callable[..., Any]) -> Any:
    return make_actor("facilitator", name="Yanis Benali")


@pytest.fixture
def observer(make_actor: Callable[..., Any]) -> Any:
    return make_actor("observer", name="Emma Lefèvre")


@pytest.fixture
def stranger(make_actor: Callable[..., Any]) -> Any:
    """An owner of another organisation."""
    return make_actor("owner", organisation="borealis", name="Nora Weiss")
