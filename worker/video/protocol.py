"""What the decoder's two processes say to each other. Nothing is pickled.

Parent to child: one request per line, as JSON. Child to parent: messages of a kind, a length and
as many bytes. A request is answered by frames and window ends in turn, then `done` or `failure`.
"""

import struct

HEADER = struct.Struct(">cI")  # kind, length of the payload
FRAME = b"F"  # PTS, then the picture's bytes
WINDOW = b"W"  # the window ends: milliseconds of decoding
DONE = b"D"  # the request is answered
FAILURE = b"E"  # JSON: kind and text of an AppError; the request ends

PTS = struct.Struct(">q")
MILLISECONDS = struct.Struct(">d")
LONGEST_FAILURE = 1 << 16  # bytes
