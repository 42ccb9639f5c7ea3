"""Child program: complains at such length, says what it is asked to say, then ends as it is asked to end, or never."""

import json
import os
import signal
import sys

request = json.load(sys.stdin)
sys.stderr.write("x" * request.get("complains", 0))
sys.stderr.flush()
sys.stdout.write(request["says"])
sys.stdout.flush()
if request["ends"] is None:
    os.close(sys.stdout.fileno())
    signal.pause()
if request["ends"] < 0:
    os.kill(os.getpid(), -request["ends"])
sys.exit(request["ends"])
