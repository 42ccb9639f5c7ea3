"""The worker: takes chunks of jobs and has their windows commented."""

import os

# ONNX Runtime, which the built-in commentator and faster-whisper bring, would report its use to its
# makers. It looks for this when it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
