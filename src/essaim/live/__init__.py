"""The live path: rooms, ballots, tickets, journal, stream. Raw ASGI, no Django, no clock below the hub."""
