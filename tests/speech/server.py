"""An endpoint that writes down sound, as a process: it names the tones that it hears, and when.

The model's name says how it behaves; `python -m tests.speech.server` prints its port.
"""

import io
import json
import time
import wave
from collections import Counter
from contextlib import suppress
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

KEY = "speech-key"
asked: Counter[str] = Counter()
fields_seen: list[dict[str, Any]] = []


def tones(wav: bytes) -> list[dict[str, Any]]:
    """Tell each stretch of a tone: start and end in seconds, and its pitch in hertz."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    pitches = [_pitch(samples[at : at + 1600]) for at in range(0, len(samples), 1600)]
    found: list[dict[str, Any]] = []
    for number, pitch in enumerate(pitches):
        if not pitch:
            continue
        if found and found[-1]["pitch"] == pitch and found[-1]["end"] == number / 10:
            found[-1]["end"] = (number + 1) / 10
        else:
            found.append({"start": number / 10, "end": (number + 1) / 10, "pitch": pitch})
    return [{**one, "text": f" A tone of {one['pitch']} Hz."} for one in found]


def _pitch(samples: Any) -> int:
    if np.abs(samples).mean() < 1000:
        return 0
    peak = int(np.argmax(np.abs(np.fft.rfft(samples, 16_000))))
    return round(peak / 20) * 20


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.answer(200, fields_seen)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = message_from_bytes(head + body).get_payload()
        fields = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)  # type: ignore[union-attr]
            for part in parts
        }
        model = fields["model"].decode()  # type: ignore[union-attr]
        asked[model] += 1
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.answer(401, {"error": {"message": "Incorrect API key provided"}})
        fields_seen.append({"model": model, "path": self.path, "bytes": len(fields["file"])})
        match model:
            case "garbage":
                return self.answer(200, {"segments": [{"start": None}]})
            case "dripping":
                return self.drip()
            case "endless":
                return self.answer(200, {"text": "a" * 5 * 2**20})
            case "mute":
                return self.reply(404, b"<h1>Not Found</h1>")
            case "picky":
                return self.answer(400, {"error": {"message": "unknown model"}})
        heard = tones(fields["file"])  # type: ignore[arg-type]
        match model:
            case "busy" if asked[model] <= 2:
                return self.answer(503, {"error": {"message": "loading"}})
            case "plain":
                return self.answer(200, {"text": " ".join(one["text"] for one in heard)})
            case "liar":
                nasty = "</script> --> <b>x</b>\x00"
                lies = [
                    (-5, 2, nasty),
                    (1e6, 2e6, "beyond"),
                    (3, 1, "backwards"),
                    (4, 5, "so " * 90),
                ]
                return self.answer(200, {"language": "x" * 99, "segments": [
                    {"start": a, "end": b, "text": text} for a, b, text in lies]})  # fmt: skip
        return self.answer(200, {"language": "en", "segments": heard})

    def answer(self, status: int, answer: Any) -> None:
        self.reply(status, json.dumps(answer).encode())

    def reply(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def drip(self) -> None:
        """Say a letter a second, for ever."""
        self.send_response(200)
        self.end_headers()
        with suppress(ConnectionError):
            while True:
                self.wfile.write(b" ")
                time.sleep(1)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
