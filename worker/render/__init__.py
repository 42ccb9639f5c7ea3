"""Child programs that turn commentary into sound or pictures: a voice, a video with the text in it.

The web server starts them by name and never imports them. One reads a JSON request from standard input, writes
the file whose descriptor stands in it, and tells on standard output, a JSON object to a line, how far
it is: {"progress": 0.4}; at the end {"done": true, "notes": [...]} or {"failure": {"kind": ..., "text": ...}}.
Notes are sentences for a person; a failure's text follows the file's name.
"""
