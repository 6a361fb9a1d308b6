"""Frames for bearers that carry tens or hundreds of bytes at a time. Specified in docs/platform/narrowband.md.

Pure: time, randomness, keys and whatever must be kept on disk are arguments.
"""
