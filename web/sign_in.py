"""Who may come in. Without PASSWORD everybody who reaches the server; with it, people sign in at a
page, and programs send it as a bearer token."""

import hashlib
import hmac
import os
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from settings import Settings
from web.errors import STATUSES, SignInNeeded, TooMany, wants_page
from web.site import site

bp = Blueprint("sign_in", __name__)

STAY_DAYS = 30
MOST_FAILURES = 10  # from one address
FAILURES_S = 60.0
_MOST_ADDRESSES = 10_000

_OPEN = {"api.health", "static", "sign_in.show", "sign_in.enter"}


def install(app: Flask, settings: Settings) -> None:
    """Sign cookies with a key that a new PASSWORD changes, so that it ends every session."""
    app.secret_key = hashlib.sha256(
        _secret(settings.data_dir / "secret-key") + settings.password.encode()
    ).digest()
    app.config.update(
        SESSION_COOKIE_NAME="reelnotes",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=STAY_DAYS),
    )
    app.extensions["reelnotes-failures"] = Failures()
    app.before_request(_check)
    app.register_blueprint(bp)


def _secret(path: Path) -> bytes:
    """Return the key in the file; the first process to ask makes it, whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{secrets.token_hex(8)}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(part, path)
        part.unlink()
    return path.read_bytes()


class Failures:
    """Wrong passwords of the last minute, by address."""

    def __init__(self) -> None:
        self._times: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Raise TooMany for an address that has guessed too often."""
        with self._lock:
            if len(self._recent(address)) >= MOST_FAILURES:
                raise TooMany("Too many wrong passwords: wait a minute, then try again.")

    def add(self, address: str) -> None:
        with self._lock:
            if len(self._times) >= _MOST_ADDRESSES:
                self._times.clear()
            self._times.setdefault(address, deque(maxlen=MOST_FAILURES)).append(time.monotonic())

    def _recent(self, address: str) -> deque[float]:
        times = self._times.get(address, deque())
        while times and time.monotonic() - times[0] > FAILURES_S:
            times.popleft()
        return times


def _check() -> Response | None:
    """Let in who is signed in or brings the password; lead people to the sign-in page."""
    if not site().settings.password or request.endpoint in _OPEN or session.get("signed_in"):
        return None
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        _check_password(token.strip())
        return None
    if wants_page() and request.method == "GET":
        return make_response(redirect(url_for("sign_in.show", next=request.full_path.rstrip("?"))))
    raise SignInNeeded("Sign in first; programs send the header `Authorization: Bearer PASSWORD`.")


def _check_password(given: str) -> None:
    """Raise SignInNeeded for a wrong password and TooMany for guessing."""
    failures: Failures = current_app.extensions["reelnotes-failures"]
    address = request.remote_addr or ""
    failures.check(address)
    if not hmac.compare_digest(given.encode(), site().settings.password.encode()):
        failures.add(address)
        raise SignInNeeded("This is not the password.")


@bp.get("/sign-in")
def show() -> str:
    return render_template("sign_in.html", target=_local(request.args.get("next", "")), wrong="")


@bp.post("/sign-in")
def enter() -> Response:
    target = _local(request.form.get("next", ""))
    try:
        _check_password(request.form.get("password", ""))
    except (SignInNeeded, TooMany) as error:
        page = render_template("sign_in.html", target=target, wrong=str(error))
        return make_response(page, STATUSES[type(error)])
    session.permanent = True
    session["signed_in"] = True
    return make_response(redirect(target, 303))


@bp.post("/sign-out")
def leave() -> Response:
    session.clear()
    return make_response(redirect(url_for(".show"), 303))


def _local(target: str) -> str:
    """Return an address of this server, whatever a link to the sign-in page said."""
    address = urlsplit(target)
    is_ours = target.startswith("/") and not address.netloc and "\\" not in target
    return target if is_ours else "/"
