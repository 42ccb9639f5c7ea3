"""Who may come in. Without PASSWORD everybody who reaches the server; with it, people sign in at a
page, and programs send a token of their own, or the password, as a bearer token."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from models import tokens
from models.tables import Token
from models.tokens import Scope
from settings import Settings
from telemetry.exposing import is_metrics_token
from web.contract import operation
from web.errors import STATUSES, Forbidden, SignInNeeded, TooMany, wants_page
from web.limits import Failures, network_of
from web.site import site

bp = Blueprint("sign_in", __name__)

OPEN = {"health.health", "health.ready", "static", "sign_in.show", "sign_in.enter"}
"""The only endpoints for strangers."""


def install(app: Flask, settings: Settings) -> None:
    """Sign cookies with a key that a new PASSWORD changes, so that it ends every session."""
    app.secret_key = hashlib.sha256(
        _secret(settings.data_dir / "secret-key") + settings.password.encode()
    ).digest()
    behind_tls = settings.proxies > 0
    app.config.update(
        SESSION_COOKIE_NAME="__Host-reelnotes" if behind_tls else "reelnotes",
        SESSION_COOKIE_SECURE=behind_tls,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(milliseconds=tokens.STAY_MS),
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


def _check() -> Response | None:
    """Let in who has a token, a session or the password; lead people to the sign-in page.

    `g.visitor` is then who it is, for limits and the log; without PASSWORD it stays None.
    """
    g.visitor = g.secret = None
    if not site().settings.password or request.endpoint in OPEN:
        return None
    secret = _bearer()
    if secret is not None:
        if _may_read_metrics(secret):
            return None
        token = _admit(secret)
        if token is None:
            _check_password(secret)
            g.visitor = f"password {network_of(request.remote_addr)}"
        else:
            _check_scope(token)
        return None
    if _admit(session.get("token", "")):
        return None
    if wants_page() and request.method == "GET":
        return make_response(redirect(url_for("sign_in.show", next=request.full_path.rstrip("?"))))
    raise SignInNeeded("Sign in first; programs send the header `Authorization: Bearer TOKEN`.")


def _may_read_metrics(secret: str) -> bool:
    """Tell whether this is METRICS_TOKEN where it is worth something."""
    is_asked_for = request.endpoint == "metrics.show"
    return is_asked_for and is_metrics_token(secret, site().settings.metrics_token)


def _bearer() -> str | None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return given.strip().encode("latin-1", "replace").decode(errors="replace")


def _admit(secret: str) -> Token | None:
    """Return the token or session that lets its bearer in, and note that it did; None for a stranger."""
    token = _find(secret)
    if token is None:
        return None
    if tokens.wants_note(token):
        with site().store.write() as session:
            tokens.note_use(session, token.digest)
    g.secret = secret
    g.visitor = f"token {token.name}" if token.name else f"session {token.digest[:8]}"
    return token


def _check_scope(token: Token) -> None:
    """Raise Forbidden where the token may not do what is asked."""
    about = operation(request.endpoint, request.method)
    if about is not None:
        needed = about.scope
    else:  # a page, or an address that nobody has described
        needed = Scope.READ if request.method in ("GET", "HEAD") else Scope.ADMIN
    if needed is not None and needed not in tokens.scopes_of(token):
        raise Forbidden(
            f"The token {token.name} lacks the scope {needed.value!r}, which this takes. Make one that has "
            f"it: reelnotes token add NAME --scope {needed.value}"
        )


def still_welcome() -> bool:
    """Tell whether who made this request, which may last, would still be let in."""
    return g.secret is None or _find(g.secret) is not None


def _find(secret: str) -> Token | None:
    with site().store.read() as session:
        return tokens.find_token(session, secret) if secret else None


def _check_password(given: str) -> None:
    """Raise SignInNeeded for a wrong password and TooMany for guessing."""
    failures: Failures = current_app.extensions["reelnotes-failures"]
    failures.check(request.remote_addr)
    words = (word.encode(errors="replace") for word in (given, site().settings.password))
    if not hmac.compare_digest(*(hashlib.sha256(word).digest() for word in words)):
        failures.add(request.remote_addr)
        raise SignInNeeded("This is not the password, nor a token that is valid.")


@bp.get("/sign-in")
def show() -> str:
    return render_template("sign_in.html", target=_local(request.args.get("next", "")), wrong="")


@bp.post("/sign-in")
def enter() -> Response:
    """Begin a session, under a new secret whatever the browser sent."""
    target = _local(request.form.get("next", ""))
    try:
        _check_password(request.form.get("password", ""))
    except (SignInNeeded, TooMany) as error:
        wrong = "This is not the password." if isinstance(error, SignInNeeded) else str(error)
        page = render_template("sign_in.html", target=target, wrong=wrong)
        return make_response(page, STATUSES[type(error)])
    session.clear()
    session.permanent = True
    with site().store.write() as store:
        session["token"] = tokens.begin_session(store)
    return make_response(redirect(target, 303))


@bp.post("/sign-out")
def leave() -> Response:
    """End the session, on this side too: a copy of the cookie is worth nothing afterwards."""
    with site().store.write() as store:
        tokens.end_session(store, session.get("token", ""))
    session.clear()
    return make_response(redirect(url_for(".show"), 303))


def _local(target: str) -> str:
    """Return an address of this server, whatever a link to the sign-in page said."""
    try:
        address = urlsplit(target)
    except ValueError:
        return "/"
    is_ours = target.startswith("/") and not address.netloc and "\\" not in target
    return target if is_ours and target.isprintable() else "/"
