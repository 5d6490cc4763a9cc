"""Stage 1, listen: hear everybody."""
