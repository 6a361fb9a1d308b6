"""One platform at a time: connections, what goes up in which order, what comes down, what is answered."""
