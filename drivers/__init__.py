"""Thin I/O around machines. May import protocols; knows nothing of buffer or agent."""
