"""A service that scans files over HTTP: it gets the bytes in a POST, and answers by the status alone.

200 is a pass and 451 a match. Any other status is no answer: a file that was not scanned is never taken for harmless.
"""

from __future__ import annotations

from pathlib import Path

from storage.circuit import Circuit, CircuitPolicy
from workers.outbound.client import OutboundClient
from workers.outbound.errors import OutboundError
from workers.scanning.port import ScanSettings, ScanUnavailableError

CIRCUIT = CircuitPolicy(failures=3, pause=5.0, max_pause=60.0)
_PASS, _MATCH = 200, 451


class HttpScanner:
    """The service of the settings; all requests of a process share the circuit."""

    def __init__(self, settings: ScanSettings, client: OutboundClient, circuit: Circuit) -> None:
        self._settings = settings
        self._client = client
        self._circuit = circuit

    async def matches(self, path: Path, *, sha256: str, content_type: str) -> bool:
        """Return whether the service answers with 451; the file is sent from the disk, part by part."""
        headers = {"Content-Type": content_type, "X-Picshare-Sha256": sha256}
        try:
            with path.open("rb") as file:
                response = await self._client.send(
                    "POST",
                    self._settings.url,
                    body=file,
                    headers=headers,
                    timeout=self._settings.timeout,
                    circuit=self._circuit,
                )
        except OutboundError as error:
            raise ScanUnavailableError(str(error), retry_after=self._circuit.retry_after) from error
        if response.status not in {_PASS, _MATCH}:
            raise ScanUnavailableError(
                f"it answered with status {response.status}, neither {_PASS} nor {_MATCH}",
                retry_after=self._circuit.retry_after,
            )
        return response.status == _MATCH
