"""Decisions and composition: everything below is wired together here, and only here."""

__version__ = "0.1.0"
