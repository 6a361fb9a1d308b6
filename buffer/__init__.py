"""Store-and-forward on SQLite. Bodies are opaque; imports nothing of ours and is usable alone."""
