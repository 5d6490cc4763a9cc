"""Pure engines: arrays in, frozen dataclasses out. No input or output, no clock, no Django."""
