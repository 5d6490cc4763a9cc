"""The demo organisation's people (fictional)."""

DEMO_FACILITATOR = "claire.morel@altura.example"
