"""What a station decides by itself: rules over its own readings, buttons, contacts, drills."""
