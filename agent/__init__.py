"""Decisions and composition: everything below is wired together here, and only here."""
