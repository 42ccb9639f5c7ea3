"""Sends what webhooks are to be told. Runs beside the sweep, in threads of its own: a receiver that is slow
or away holds up nobody but itself.
"""

import asyncio
import logging
import ssl
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from models import webhooks
from models.errors import StoreBusy
from models.outbound import Address, Hosts, NotAllowed, UnknownHost
from models.store import Store
from models.webhooks import Attempt, Message

LOOK_S = 1.0
PATIENCE_S = 15.0  # for all of a call, up to the answer's last header
MOST_AT_ONCE = 8  # webhooks

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Courier:
    """Serves each webhook one message after another, several webhooks at once."""

    store: Store
    hosts: Hosts
    trust: ssl.SSLContext = field(default_factory=httpx.create_ssl_context)
    _busy: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Send from now on, until the process ends: what is under way then is sent again."""
        threading.Thread(target=self._run, name="courier", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                for webhook_id in self._due():
                    # No pool: the interpreter would wait for its threads, and so for a slow receiver.
                    threading.Thread(
                        target=self.serve, args=(webhook_id,), name="courier", daemon=True
                    ).start()
            except StoreBusy as error:
                log.warning("webhooks wait, store is away reason=%s", error)
            except Exception:  # the thread goes on: nobody would start it again
                log.exception("webhooks were not looked at")
            time.sleep(LOOK_S)

    def _due(self) -> list[str]:
        """Return the webhooks to serve that nobody serves; they count as served from now on."""
        with self.store.read() as session:
            due = webhooks.webhooks_due(session)
        with self._lock:
            fresh = [webhook_id for webhook_id in due if webhook_id not in self._busy]
            fresh = fresh[: MOST_AT_ONCE - len(self._busy)]
            self._busy.update(fresh)
        return fresh

    def serve(self, webhook_id: str) -> None:
        """Send what is due for a webhook."""
        try:
            while (message := self._claim(webhook_id)) is not None:
                attempt = send(message, self.hosts, self.trust)
                log.info(
                    "webhook told webhook_id=%s message_id=%s status=%s error=%s",
                    *(webhook_id, message.id, attempt.status, attempt.error),
                )
                with self.store.write() as session:
                    webhooks.report(session, message, attempt)
        except StoreBusy as error:  # whatever wasn't reported is sent again
            log.warning("webhook waits, store is away webhook_id=%s reason=%s", webhook_id, error)
        except Exception:  # the next look serves it again
            log.exception("webhook was not told webhook_id=%s", webhook_id)
        finally:
            with self._lock:
                self._busy.discard(webhook_id)

    def _claim(self, webhook_id: str) -> Message | None:
        with self.store.write() as session:
            return webhooks.claim_due(session, webhook_id)


def send(message: Message, hosts: Hosts, trust: ssl.SSLContext) -> Attempt:
    """Post a message, signed, to the address that was checked; of the answer only the status is read."""
    begun = time.monotonic()
    status, error = None, None
    try:
        parts = urlsplit(message.url)
        address = hosts.addresses_of(parts.hostname or "", parts.port or 0)[0]
        status = asyncio.run(_post(message, address, trust))
    except (NotAllowed, UnknownHost) as refusal:
        error = str(refusal)
    except (TimeoutError, httpx.TimeoutException):
        error = f"No answer came within {PATIENCE_S:.0f} s."
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        error = f"The receiver can't be reached: {failure}"[:300]
    return Attempt(status, error, round((time.monotonic() - begun) * 1000))


async def _post(message: Message, address: Address, trust: ssl.SSLContext) -> int:
    """Return the status. Raises TimeoutError, httpx.HTTPError and httpx.InvalidURL.

    Asynchronous for its deadline alone: httpx's own timeouts begin anew with every byte that comes. A
    client for each message: receivers on one address would get each other's cookies.
    """
    parts = urlsplit(message.url)
    now_s = int(time.time())
    # Within the deadline, which would leave a handshake's socket open.
    patience = httpx.Timeout(None, connect=PATIENCE_S / 3)
    async with (
        asyncio.timeout(PATIENCE_S),
        httpx.AsyncClient(verify=trust, timeout=patience, trust_env=False) as http,
        http.stream(
            "POST",
            httpx.URL(message.url).copy_with(host=str(address)),
            content=message.body.encode(),
            headers={
                "Host": parts.netloc,
                "Content-Type": "application/json",
                "User-Agent": "Reelnotes",
                "webhook-id": message.id,
                "webhook-timestamp": str(now_s),
                "webhook-signature": " ".join(
                    webhooks.sign(secret, message.id, now_s, message.body)
                    for secret in message.secrets
                ),
            },
            extensions={"sni_hostname": parts.hostname},  # whom the certificate must name
        ) as answer,
    ):
        return answer.status_code
