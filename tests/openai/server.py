"""An endpoint that speaks chat completions, as a process: it tells of the pictures it is sent.

A network's name says how it behaves; `python -m tests.openai.server` prints its port.
"""

import base64
import json
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from PIL import Image

KEY = "endpoint-key"
NETWORKS = (
    *("painter", "thinker", "whole", "mute-about-tokens", "busy", "broken", "strict", "parrot"),
    *("teller", "speechless", "unfinished", "unterminated", "unframed", "filtered"),
    *(
        "slow",
        "silent",
        "garbage",
        "endless",
        "html",
        "too-long",
        "reset",
        "down",
        "talks-pictures",
        "badly-packed",
        "revoked",
        "gone",
        "polite",
        "chatty",
    ),
)
asked: Counter[str] = Counter()
requests: list[dict[str, Any]] = []


def describe(body: dict[str, Any]) -> str:
    """Say how many pictures there are, and size and colour of the first."""
    parts = body["messages"][1]["content"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    jpeg = base64.b64decode(urls[0].removeprefix("data:image/jpeg;base64,"))
    with Image.open(BytesIO(jpeg)) as picture:
        width, height = picture.size
        red, green, blue = picture.resize((1, 1)).convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    colour = max((red, "red"), (green, "green"), (blue, "blue"))[1]
    return f"{len(urls)} pictures of {width}x{height}, mostly {colour}."


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/requests":
            return self.json(200, requests)
        if self.path == "/odd/v1/models":
            return self.json(200, {"object": "list", "models": list(NETWORKS)})
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.json(401, {"error": {"message": "Incorrect API key provided"}})
        return self.json(200, {"object": "list", "data": [{"id": name} for name in NETWORKS]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        requests.append(body)
        network = body["model"]
        asked[network] += 1
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            return self.json(401, {"error": {"message": "Incorrect API key provided"}})
        getattr(self, network.replace("-", "_"), self.painter)(body)
        return None

    def painter(self, body: dict[str, Any]) -> None:
        self.stream(describe(body))

    def thinker(self, body: dict[str, Any]) -> None:
        self.stream(f"<think>\nA secret thought.\n</think>\n\n{describe(body)}")

    def parrot(self, body: dict[str, Any]) -> None:
        self.stream("the same " * 40, finish_reason="length")

    def teller(self, body: dict[str, Any]) -> None:
        """Tell of comments: their number, and the first of them."""
        system, user = (message["content"] for message in body["messages"])
        assert "title" in system
        quoted = [json.loads(line) for line in user.split("\n\n")[0].splitlines()]
        self.stream(f"**Title: About a dog.**\n\n{len(quoted)} comments. The first: {quoted[0]}")

    def speechless(self, body: dict[str, Any]) -> None:
        self.stream("" if asked["speechless"] == 1 else "On the second try.")

    def whole(self, body: dict[str, Any]) -> None:
        choice = {"message": {"content": describe(body)}, "finish_reason": "stop"}
        self.json(200, {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})

    def mute_about_tokens(self, body: dict[str, Any]) -> None:
        self.stream(describe(body), usage=False)

    def busy(self, body: dict[str, Any]) -> None:
        if asked["busy"] <= 2:
            return self.json(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.3"})
        return self.painter(body)

    def down(self, body: dict[str, Any]) -> None:
        self.json(503, {"error": {"message": "loading the network"}})

    def broken(self, body: dict[str, Any]) -> None:
        if asked["broken"] > 1:
            return self.painter(body)
        self.begin_stream()
        self.event({"choices": [{"delta": {"content": "half an ans"}}]})
        return self.hang_up()

    def reset(self, body: dict[str, Any]) -> None:
        self.hang_up()

    def strict(self, body: dict[str, Any]) -> None:
        for name in ("top_k", "repetition_penalty", "max_tokens"):
            if name in body:
                return self.json(400, {"error": {"message": f"Unsupported parameter: '{name}'"}})
        return self.painter(body)

    def unfinished(self, body: dict[str, Any]) -> None:
        self.begin_stream()
        self.event({"choices": [{"delta": {"content": describe(body)}}]})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def unterminated(self, body: dict[str, Any]) -> None:
        self.begin_stream()
        self.event({"choices": [{"delta": {"content": describe(body)}}]})
        self.chunk(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}')
        self.chunk(b"")

    def unframed(self, body: dict[str, Any]) -> None:
        """Tell neither a length nor an end."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        event = {"choices": [{"delta": {"content": describe(body)}}]}
        self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")

    def filtered(self, body: dict[str, Any]) -> None:
        self.stream("A man walks. Then he", finish_reason="content_filter")

    def badly_packed(self, body: dict[str, Any]) -> None:
        self.reply(200, "application/json", b"no gzip", {"Content-Encoding": "gzip"})

    def slow(self, body: dict[str, Any]) -> None:
        self.begin_stream()
        for number in range(1000):
            self.event({"choices": [{"delta": {"content": f"Sentence {number}. "}}]})
            time.sleep(0.1)

    def silent(self, body: dict[str, Any]) -> None:
        time.sleep(30)

    def garbage(self, body: dict[str, Any]) -> None:
        self.begin_stream()
        self.chunk(b'data: {"choices": [\n\n')
        self.hang_up()

    def endless(self, body: dict[str, Any]) -> None:
        self.begin_stream()
        while True:
            self.chunk(b"data: " + b"x" * 2**20)

    def talks_pictures(self, body: dict[str, Any]) -> None:
        self.begin_stream()
        self.event({"choices": [{"delta": {"content": [{"type": "image"}]}}]})
        self.hang_up()

    def revoked(self, body: dict[str, Any]) -> None:
        self.json(403, {"error": {"message": "This key was revoked"}})

    def gone(self, body: dict[str, Any]) -> None:
        self.reply(404, "text/html", b"<h1>Not Found</h1>")

    def polite(self, body: dict[str, Any]) -> None:
        """Say who speaks before a word is said."""
        self.begin_stream()
        self.event({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        self.event({"choices": [{"delta": {"content": describe(body)}, "finish_reason": "stop"}]})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def chatty(self, body: dict[str, Any]) -> None:
        self.reply(200, "application/json", b" " * (2**20 + 1))

    def html(self, body: dict[str, Any]) -> None:
        self.reply(200, "text/html", b"<h1>Welcome to nginx</h1>")

    def too_long(self, body: dict[str, Any]) -> None:
        told = "'max_tokens' is too large: 96. This model's maximum context length is 4096 tokens."
        self.json(400, {"message": told})

    def stream(self, text: str, finish_reason: str = "stop", usage: bool = True) -> None:
        self.begin_stream()
        for word in text.split(" "):
            self.event({"choices": [{"delta": {"content": word + " "}}]})
        self.event({"choices": [{"delta": {}, "finish_reason": finish_reason}]})
        if usage:
            counts = {"prompt_tokens": 1000, "completion_tokens": 10}
            self.event({"choices": [], "usage": counts})
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, event: Any) -> None:
        self.chunk(b": alive\n\ndata: " + json.dumps(event).encode() + b"\r\n\r\n")

    def chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)

    def json(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        self.reply(status, "application/json", json.dumps(answer).encode(), headers)

    def reply(
        self, status: int, kind: str, data: bytes, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        pass  # a client that hung up


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
