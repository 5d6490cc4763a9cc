"""The style, the script and the service worker, read once and made small by plain means."""

from __future__ import annotations

import base64
from hashlib import sha256
from importlib.resources import files
from typing import Final

from essaim.live.phone.minify import small_css, small_js

_HERE: Final = files("essaim.live.phone")


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode() + "'"


STYLE: Final = small_css(_read("phone.css"))
SCRIPT: Final = small_js(_read("phone.js"))
SERVICE_WORKER: Final = small_js(_read("sw.js")).encode()

CSP: Final = (
    f"default-src 'none'; script-src {_hash(SCRIPT)}; style-src {_hash(STYLE)}; img-src data:; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
