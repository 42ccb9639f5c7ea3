"""Asks a server as people and programs do, from a host that reaches it, as a program of its own.

python -m tests.journey.visit URL PASSWORD call METHOD ARGUMENT…      prints what the client's method answers
python -m tests.journey.visit URL PASSWORD read '[[PATH, RANGE or ""], …]'    prints an answer for each
"""

import json
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import httpx

from client import Client, Unreachable


def call(url: str, password: str, method: str, *arguments: str) -> Any:
    with Client(url, password) as client:
        for _ in range(3000):
            try:
                return getattr(client, method)(*arguments)
            except Unreachable:  # the page is still starting
                time.sleep(0.1)
    raise SystemExit("the server doesn't answer")


def read(url: str, password: str, wishes: str) -> Iterator[tuple[int, str, str]]:
    """Yield status, media type and the content's SHA-256."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {password}"}) as http:
        for path, part in json.loads(wishes):
            answer = http.get(path, headers={"Range": part} if part else {})
            kind = answer.headers["Content-Type"].partition(";")[0]
            yield answer.status_code, kind, sha256(answer.content).hexdigest()


def main() -> None:
    url, password, verb, *arguments = sys.argv[1:]
    told = call(url, password, *arguments) if verb == "call" else [*read(url, password, *arguments)]
    print(json.dumps(told))


if __name__ == "__main__":
    main()
