"""The reference subscriber: what a platform must do with a station's messages, and no more."""
