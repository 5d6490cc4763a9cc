"""French and English are complete."""

from __future__ import annotations

from tools import messages


def test_every_text_has_its_french() -> None:
    wrong = messages.faults(messages.collect(), messages.known())
    assert not wrong, "\n".join(wrong[:40])
