"""The ways out: which bearer takes what and when (`schedule`, `budget`, `proven`, `lanes`: pure), and the loops that carry it out.

The pure parts know traits, counts and times handed to them, never a device, a clock or a body.
"""
