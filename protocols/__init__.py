"""The vocabulary, codecs and state machines. No I/O, no clock, no threads, no logging; imports nothing of ours."""
