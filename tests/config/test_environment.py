"""The operator's settings: what is wrong is refused with what to write instead."""

from __future__ import annotations

import os
import stat
from dataclasses import fields
from pathlib import Path

import pytest

from essaim.config.environment import BadSetting, Environment, kept_secret, read_environment


def test_nothing_set_gives_the_defaults() -> None:
    assert read_environment({"PATH": "/bin", "HOME": "/"}) == Environment()


def test_values_are_typed() -> None:
    found = read_environment(
        {
            "ESSAIM_PORT": " 8080 ",
            "ESSAIM_DEBUG": "Yes",
            "ESSAIM_DEMO": "off",
            "ESSAIM_DATA_DIR": "/srv/essaim",
            "ESSAIM_ALLOWED_HOSTS": "a.example, b.example,",
            "ESSAIM_PUBLIC_URL": "https://essaim.example.org",
            "ESSAIM_EMAIL_URL": "smtp://user:p%40ss@mail.example:587",
        }
    )
    assert (found.port, found.debug, found.demo) == (8080, True, False)
    assert found.data_dir == Path("/srv/essaim")
    assert found.allowed_hosts == ("a.example", "b.example")
    assert found.over_https


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ESSAIM_PROT", "80", "Did you mean ESSAIM_PORT?"),
        ("ESSAIM_ZZZZZZ", "1", "Known settings: "),
        ("ESSAIM_PORT", "eighty", "whole number"),
        ("ESSAIM_PORT", "0", "between 1 and 65535"),
        ("ESSAIM_PORT", "70000", "between 1 and 65535"),
        ("ESSAIM_WORKERS", "0", "between 1 and 128"),
        ("ESSAIM_LIVE_STORE", "mysql://localhost/essaim", "postgresql://"),
        ("ESSAIM_REDIS_URL", "http://localhost", "redis://"),
        ("ESSAIM_REDIS_URL", "redis://localhost", "ESSAIM_LIVE_STORE"),
        ("ESSAIM_FIRST_WORKER", "-1", "between 0 and 9999"),
        ("ESSAIM_TRUSTED_PROXIES", "127.0.0.1, proxy.example", "addresses and networks"),
        ("ESSAIM_TRUSTED_PROXIES", "10.0.0.0/33", "addresses and networks"),
        ("ESSAIM_DEBUG", "perhaps", "yes or no"),
        ("ESSAIM_PUBLIC_URL", "essaim.example.org", "http:// or https://"),
        ("ESSAIM_EMAIL_URL", "mail.example", "smtp://"),
        ("ESSAIM_OIDC_SERVER", "https://login.example", "ESSAIM_OIDC_CLIENT_ID"),
        ("ESSAIM_OIDC_CLIENT_ID", "essaim", "ESSAIM_OIDC_SERVER"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(BadSetting) as refusal:
        read_environment({name: value})
    assert words in str(refusal.value)


def test_where_live_sessions_are_kept() -> None:
    database, bus = "postgresql://essaim@db/essaim", "redis://bus:6379/0"
    assert read_environment({"ESSAIM_DATA_DIR": "/srv/essaim"}).store_address == "/srv/essaim"
    assert read_environment({"ESSAIM_LIVE_STORE": database}).store_address == database
    both = read_environment({"ESSAIM_LIVE_STORE": database, "ESSAIM_REDIS_URL": bus})
    assert both.store_address == f"{database}#{bus}"


def test_the_test_suite_s_own_variables_are_left_alone() -> None:
    assert read_environment({"ESSAIM_TEST_DATA": "/data"}) == Environment()


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.metadata["help"].endswith((".", ")")) for field in fields(Environment))


def test_the_kept_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = Environment(data_dir=tmp_path / "var")
    key = kept_secret(settings)
    assert len(key) >= 50
    assert kept_secret(settings) == key
    assert kept_secret(Environment(data_dir=tmp_path / "other")) != key
    assert kept_secret(Environment(data_dir=tmp_path / "none", secret_key="given")) == "given"
    assert not (tmp_path / "none").exists()
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "var" / "secret_key").stat().st_mode) == 0o600
