"""The pages: `prepare` a session, `steer` it, the big `screen`, its `results`, and how people `enter` it."""
