"""Essaim: what many people see becomes changes that are proven, rolled out safely and remembered."""

__version__ = "0.1.0"
