"""Static files get a hash in their name once collected; before that (tests, a fresh clone) they are served as they are."""

from __future__ import annotations

from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    manifest_strict = False

    def stored_name(self, name: str) -> Any:
        return super().stored_name(name) if self.hashed_files else name
