"""How the product is put together: settings from the environment, addresses, and the one ASGI entry point."""
