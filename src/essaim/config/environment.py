"""The operator's settings: read once from the environment, typed, with a clear refusal of what is wrong.

Every setting is a field of `Environment`; its variable is `ESSAIM_` + the field's name in capitals.
An unknown `ESSAIM_…` variable is refused (a typing mistake must not silently leave a default in force).
"""

from __future__ import annotations

import difflib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from essaim.live.addresses import Proxies


class BadSetting(ValueError):
    """A setting that cannot be used; the message says which, why and what to write instead."""


def _setting(default: Any, *, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Environment:
    """What an operator can set. The help texts are printed in docs/reference/settings.md."""

    data_dir: Path = _setting(Path("var"), text="Folder for the database, the journals and the keys.")
    host: str = _setting("127.0.0.1", text="Address to listen on.")
    port: int = _setting(8000, text="Port to listen on.")
    live_store: str = _setting(
        "",
        text="Where live sessions are kept: empty for the data folder, or postgresql://user:password@host/database to "
        "share them between machines.",
    )
    redis_url: str = _setting(
        "",
        text="Redis or Valkey that carries news between machines, e.g. redis://host:6379/0. Without it PostgreSQL does.",
    )
    workers: int = _setting(1, text="Processes that answer; as many as there are processors to give.")
    public_url: str = _setting(
        "",
        text="Address people type, e.g. https://essaim.example.org. Used in QR codes and e-mails; its host is accepted.",
    )
    allowed_hosts: tuple[str, ...] = _setting((), text="Other host names accepted, separated by commas.")
    first_worker: int = _setting(
        0,
        text="Number of the first worker. Where machines share live sessions, each has its own (0, 100, 200…).",
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        text="Addresses or networks of reverse proxies, separated by commas. X-Forwarded-For is believed from them only.",
    )
    metrics_token: str = _setting(
        "",
        text="Opens /metrics to who sends it as a bearer token. When empty, only this machine may read it.",
    )
    secret_key: str = _setting(
        "", text="Signs logins and links. When empty, one is made and kept in the data folder."
    )
    debug: bool = _setting(
        False, text="Developer's pages on errors. Never on a server that others can reach."
    )
    demo: bool = _setting(False, text="Demo organisation: one-click login from this computer, style guide.")
    email_url: str = _setting(
        "console:", text="Where e-mail goes: smtp://user:password@host:587, or console: to print it."
    )
    email_from: str = _setting("essaim@localhost", text="Sender of e-mails.")
    sign_up: bool = _setting(
        False, text="May anybody create an account and an organisation? (Otherwise: by invitation.)"
    )
    oidc_name: str = _setting("", text="Name on the single sign-on button, e.g. Altura.")
    oidc_server: str = _setting("", text="OpenID Connect issuer, e.g. https://login.example.org/realms/main.")
    oidc_client_id: str = _setting("", text="OpenID Connect client id.")
    oidc_client_secret: str = _setting("", text="OpenID Connect client secret.")

    @property
    def store_address(self) -> str:
        """Where the live sessions are kept, as `essaim.live.store.open_store` takes it."""
        address = self.live_store or str(self.data_dir.resolve())
        return f"{address}#{self.redis_url}" if self.redis_url else address

    @property
    def over_https(self) -> bool:
        return self.public_url.startswith("https://")


_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def read_environment(environ: Mapping[str, str] = os.environ) -> Environment:
    """Return the settings found in `environ`.

    Raises:
        BadSetting: an unknown ESSAIM_ variable, a value of the wrong kind, or settings that contradict each other.
    """
    known = {f"ESSAIM_{f.name.upper()}": f for f in fields(Environment)}
    values: dict[str, object] = {}
    for name, raw in environ.items():
        if not name.startswith("ESSAIM_") or name.startswith("ESSAIM_TEST_"):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Known settings: {', '.join(sorted(known))}."
            raise BadSetting(f"{name} is not a setting of Essaim.{hint}")
        values[known[name].name] = _parse(name, raw.strip(), known[name].default)
    settings = Environment(**values)  # type: ignore[arg-type]
    if not 1 <= settings.port <= 65535:
        raise BadSetting(f"ESSAIM_PORT must be between 1 and 65535, not {settings.port}.")
    if settings.live_store and urlsplit(settings.live_store).scheme not in ("postgresql", "postgres"):
        raise BadSetting("ESSAIM_LIVE_STORE must be empty (the data folder) or postgresql://….")
    if settings.redis_url and urlsplit(settings.redis_url).scheme not in ("redis", "rediss", "unix"):
        raise BadSetting("ESSAIM_REDIS_URL must be redis://… or rediss://….")
    if settings.redis_url and not settings.live_store:
        raise BadSetting("ESSAIM_REDIS_URL needs ESSAIM_LIVE_STORE: one machine has no use for Redis.")
    if not 1 <= settings.workers <= 128:
        raise BadSetting(f"ESSAIM_WORKERS must be between 1 and 128, not {settings.workers}.")
    if not 0 <= settings.first_worker <= 9_999:
        raise BadSetting(f"ESSAIM_FIRST_WORKER must be between 0 and 9999, not {settings.first_worker}.")
    try:
        Proxies(settings.trusted_proxies)
    except ValueError as error:
        raise BadSetting(
            f"ESSAIM_TRUSTED_PROXIES takes addresses and networks, e.g. 127.0.0.1, 10.0.0.0/8: {error}."
        ) from None
    if settings.public_url and urlsplit(settings.public_url).scheme not in ("http", "https"):
        raise BadSetting(
            f"ESSAIM_PUBLIC_URL must start with http:// or https://, not {settings.public_url!r}."
        )
    if settings.email_url != "console:" and urlsplit(settings.email_url).scheme not in ("smtp", "smtps"):
        raise BadSetting("ESSAIM_EMAIL_URL must be console:, smtp://… or smtps://….")
    if bool(settings.oidc_server) != bool(settings.oidc_client_id):
        raise BadSetting("Single sign-on needs both ESSAIM_OIDC_SERVER and ESSAIM_OIDC_CLIENT_ID.")
    return settings


def _parse(name: str, raw: str, default: object) -> object:
    if isinstance(default, bool):
        if raw.lower() in _TRUE:
            return True
        if raw.lower() in _FALSE:
            return False
        raise BadSetting(f"{name} must be yes or no, not {raw!r}.")
    if isinstance(default, int):
        try:
            return int(raw)
        except ValueError:
            raise BadSetting(f"{name} must be a whole number, not {raw!r}.") from None
    if isinstance(default, tuple):
        return tuple(part.strip() for part in raw.split(",") if part.strip())
    return Path(raw) if isinstance(default, Path) else raw


def kept_secret(settings: Environment) -> str:
    """Return the signing key: the setting, else the one kept in the data folder (made on first use, readable by its owner only)."""
    if settings.secret_key:
        return settings.secret_key
    path = settings.data_dir / "secret_key"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
    except FileExistsError:
        pass
    return path.read_text().strip()
