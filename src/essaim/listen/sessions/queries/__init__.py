"""Pure reads. `sessions`: what was decided; `specification`: what the live room must know; `console` and `results`: what came of it."""
