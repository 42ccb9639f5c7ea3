"""The hub's protocol: a repository's list, and a file's bytes from any place on."""

from collections.abc import Iterator
from typing import Self

import httpx

from pull.errors import Interrupted, NotThere, PullFailed
from pull.listing import HubFile, Listing, parse_listing

BUSY = (408, 429, 500, 502, 503, 504)


class Hub:
    """One hub, or a mirror that speaks as it does."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url, self._token = url.rstrip("/"), token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # Redirects lead to the hub's storage, on other hosts: httpx doesn't take the token there.
        self._http = httpx.Client(
            headers={**headers, "Accept-Encoding": "identity"},
            follow_redirects=True,
            timeout=httpx.Timeout(30, read=60),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def list_files(self, repository: str) -> Listing:
        """Ask for the newest revision. Raises Interrupted, NotThere, PullFailed."""
        address = f"{self.url}/api/models/{repository}/revision/main"
        try:
            answer = self._http.get(address, params={"blobs": "true"})
        except httpx.UnsupportedProtocol as error:
            raise PullFailed(
                f"HUB_URL must begin with http:// or https://, and is {self.url!r}."
            ) from error
        except httpx.HTTPError as error:
            raise Interrupted(str(error) or type(error).__name__) from error
        if not answer.is_success:
            raise self._refusal(answer, repository)
        try:
            return parse_listing(answer.json(), repository)
        except ValueError as error:
            raise PullFailed(
                f"{self.url} doesn't answer as a hub does: check HUB_URL, and whether a proxy or "
                "a sign-in page of the network stands before it."
            ) from error

    def read(self, listing: Listing, file: HubFile, start: int) -> Iterator[bytes]:
        """Yield the file's bytes from `start` to its end. Raises Interrupted or PullFailed."""
        address = f"{self.url}/{listing.repository}/resolve/{listing.revision}/{file.name}"
        headers = {"Range": f"bytes={start}-"} if start else {}
        try:
            with self._http.stream("GET", address, headers=headers) as answer:
                if not answer.is_success:
                    raise self._refusal(answer, listing.repository)
                yield from _from(start, answer)
        except httpx.HTTPError as error:
            raise Interrupted(str(error) or type(error).__name__) from error

    def _refusal(self, answer: httpx.Response, repository: str) -> Exception:
        status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
        page = f"{self.url}/{repository}"
        if status in BUSY:
            return Interrupted(f"the hub answered {status}")
        if status == 404 or code == "RepoNotFound":
            return NotThere(
                f"{self.url} has no repository {repository}, or shows it only to its members. Check "
                "the spelling; if it is private, set HUB_TOKEN to a token that may read it."
            )
        if status in (401, 403) and self._token:
            return PullFailed(
                f"{repository} can't be read with the token in HUB_TOKEN. Open {page} with that "
                "account, accept the terms if it asks to, and see that the token may read."
            )
        if status in (401, 403):
            return PullFailed(
                f"{repository} is given only to people who are signed in and have accepted its "
                f"terms. Do that at {page}, make a token there that may read, and set HUB_TOKEN to it."
            )
        return PullFailed(f"{answer.url.host} answered {status} for {repository}. Try again later.")


def _from(start: int, answer: httpx.Response) -> Iterator[bytes]:
    """Yield what comes after `start`, also of a server that doesn't know ranges and sends all."""
    ranged = answer.status_code == httpx.codes.PARTIAL_CONTENT
    if ranged and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        raise Interrupted("the server sent another part than it was asked for")
    skip = 0 if ranged else start
    for (
        piece
    ) in answer.iter_bytes():  # as they come: gathered ones would be lost with the connection
        if rest := piece[skip:]:
            yield rest
        skip = max(0, skip - len(piece))
