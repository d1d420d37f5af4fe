"""The sender of push messages: the adapter of the port to the client for addresses that users supply (RFC 8030)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from yarl import URL

from storage.circuit import CircuitPolicy
from storage.push import PushSubscription
from workers.outbound.circuits import CircuitRegistry
from workers.outbound.client import OutboundClient, OutboundResponse
from workers.outbound.errors import OutboundError
from workers.outbound.retry_after import retry_after_of
from workers.web_push.base64url import encode
from workers.web_push.encryption import MAX_PAYLOAD, encrypt
from workers.web_push.hosts import PushHosts
from workers.web_push.legacy_encryption import encrypt_legacy
from workers.web_push.payload import SHORT_PAYLOAD, payload_of
from workers.web_push.port import AppMessage, PushMessage, PushMetrics, PushOutcome, PushResult, PushUrgency
from workers.web_push.vapid import VapidTokens

TIMEOUT = 6.0  # seconds for one request; a notification is sent within 15
MAX_RESPONSE = 2 * 1024  # bytes
MAX_RETRY_AFTER = 3600.0  # seconds; a push service that asks for more gets another message then
CIRCUIT = CircuitPolicy(failures=10, pause=15.0, max_pause=300.0)
_GONE = {404, 410}  # 404 is FCM's response after a browser was removed
_TOO_LARGE = 413
_LATER = {408, 425, 429}
_KEPT_DETAIL = 200  # characters of a response that a log has


class PushSender:
    """Sends messages by an open client, to the push services that `hosts` allows.

    One circuit belongs to all endpoints of a host that the list names: while it does not answer, no request waits.
    """

    def __init__(
        self,
        client: OutboundClient,
        tokens: VapidTokens,
        *,
        hosts: PushHosts,
        circuits: CircuitRegistry,
        metrics: PushMetrics,
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._hosts = hosts
        self._circuits = circuits
        self._metrics = metrics

    async def send(
        self,
        subscription: PushSubscription,
        message: PushMessage | AppMessage,
        *,
        topic: str,
        ttl: timedelta,
        urgency: PushUrgency,
    ) -> PushResult:
        """Send a message; one that the push service finds too large is sent once more with less text."""
        headers = {
            "TTL": str(int(ttl.total_seconds())),
            "Urgency": urgency.value,
            "Topic": topic,
            "Content-Type": "application/octet-stream",
        }
        result = await self._attempt(subscription, message, headers, limit=MAX_PAYLOAD)
        if result.status == _TOO_LARGE:
            result = await self._attempt(subscription, message, headers, limit=SHORT_PAYLOAD)
        self._metrics.push_sent(result=result.outcome)
        return result

    async def _attempt(
        self,
        subscription: PushSubscription,
        message: PushMessage | AppMessage,
        headers: dict[str, str],
        *,
        limit: int,
    ) -> PushResult:
        # The list may have changed since the browser has subscribed.
        pattern = self._hosts.match(URL(subscription.endpoint).raw_host or "")
        if pattern is None:
            return PushResult(outcome=PushOutcome.REFUSED, detail="push.hosts does not have the push service")
        # None for a pattern: its failures may be those of a host that a user has made up, and must not stop the others.
        circuit = None if "*" in pattern else self._circuits.circuit(f"push:{pattern}", CIRCUIT)
        try:
            body, encoding = self._encrypted(subscription, payload_of(message, limit=limit))
            response = await self._client.send(
                "POST",
                subscription.endpoint,
                body=body,
                headers={**headers, **encoding},
                timeout=TIMEOUT,
                max_response=MAX_RESPONSE,
                circuit=circuit,
            )
        except OutboundError as error:
            if error.reason == "address_refused":
                return PushResult(outcome=PushOutcome.REFUSED, detail=error.detail)
            pause = None if circuit is None else circuit.retry_after or None
            return PushResult(outcome=PushOutcome.RETRY, retry_after=pause, detail=f"{error.reason}: {error.detail}")
        return _result_of(response, datetime.now(UTC))

    def _encrypted(self, subscription: PushSubscription, payload: bytes) -> tuple[bytes, dict[str, str]]:
        """Return a payload in the encoding of a subscription, and the header fields that belong to it."""
        endpoint = subscription.endpoint
        if subscription.app is None or not subscription.app.legacy:
            body = encrypt(payload, p256dh=subscription.p256dh, auth=subscription.auth)
            return body, {"Content-Encoding": "aes128gcm", "Authorization": self._tokens.authorization(endpoint)}
        legacy = encrypt_legacy(payload, p256dh=subscription.p256dh, auth=subscription.auth)
        return legacy.body, {
            "Content-Encoding": "aesgcm",
            "Encryption": f"salt={encode(legacy.salt)}",
            "Crypto-Key": f"dh={encode(legacy.public_key)};p256ecdsa={self._tokens.public_key}",
            "Authorization": f"WebPush {self._tokens.token(endpoint)}",
        }


def _result_of(response: OutboundResponse, now: datetime) -> PushResult:
    status = response.status
    if response.ok:
        return PushResult(outcome=PushOutcome.SENT, status=status)
    detail = response.body[:_KEPT_DETAIL].decode(errors="replace").strip()
    if status in _GONE:
        return PushResult(outcome=PushOutcome.GONE, status=status, detail=detail)
    if status in _LATER or status >= 500:
        wanted = retry_after_of(response.headers.get("Retry-After"), now)
        return PushResult(
            outcome=PushOutcome.RETRY,
            status=status,
            retry_after=None if wanted is None else min(wanted, MAX_RETRY_AFTER),
            detail=detail,
        )
    return PushResult(outcome=PushOutcome.REFUSED, status=status, detail=detail)
