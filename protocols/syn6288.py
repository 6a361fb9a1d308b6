"""The SYN6288 speech chip (Yuyin Tianxia): 9600 baud, 200 bytes of text in a frame, every frame with an XOR at its end.

Working programs and the data sheet agree on this; some articles in circulation have a sum or a trailer instead.
"""

from protocols.speech_chip import Chip

BAUD = 9600
CHIP = Chip("SYN6288", most=200, loudest=16, checksum=True)
