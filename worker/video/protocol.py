"""What the decoder's two processes say to each other. Nothing is pickled.

Parent to child, over a socket: two lengths, with them the open file, then as many bytes of JSON and
of a packed packet table (mostly none). Child to parent: messages of a kind, a length and as many
bytes. What a request `asks` is answered so:

    sample   frames and window ends in turn, then `done`; or `failure`
    read     `table`; or `failure`
    hear     `sound`; or `failure`
    learn    (nothing: the packed table that follows is remembered)
"""

import struct

REQUEST = struct.Struct(">II")  # lengths: of the JSON, of the packed table

HEADER = struct.Struct(">cI")  # kind, length of the payload
FRAME = b"F"  # PTS, then the picture's bytes
WINDOW = b"W"  # the window ends: milliseconds of decoding
DONE = b"D"  # the request is answered
TABLE = b"T"  # a packed packet table, empty if it is too large to be passed on
SOUND = b"S"  # samples of 16 bits, see hearing.py
FAILURE = b"E"  # JSON: kind and text of an AppError; the request ends

PTS = struct.Struct(">q")
MILLISECONDS = struct.Struct(">d")
LONGEST_FAILURE = 1 << 16  # bytes

READY = b"ready\n"  # the GPU's child, to the process that started it
