"""Finding out what hangs on a serial port, by listening and by read requests. Nothing here writes to a device."""
