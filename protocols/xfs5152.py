"""The XFS5152CE speech chip (iFLYTEK), and with it the SYN6658: no checksum, up to 4 KiB of text in a frame."""

from protocols.speech_chip import Chip

BAUD = 115_200
CHIP = Chip("XFS5152CE", most=4000, loudest=10, checksum=False)
