"""The pages: `prepare` a session, its invitation `codes`, `steer` it, the big `screen`, its `results`, and how people `enter` it."""
