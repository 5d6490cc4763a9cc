"""Live sessions: a frame, phases with one clock, what people say and how they vote, results at once."""
