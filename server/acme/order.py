"""One order for a certificate, by the library `acme`; it blocks, so it runs in a thread."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from acme import challenges as kinds
from acme import crypto_util, errors, messages
from acme.client import ClientNetwork, ClientV2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC
from requests import RequestException

from server.acme.challenges import Challenges

DEADLINE = timedelta(seconds=90)  # for the authority to check the challenges and to issue
_TIMEOUT = 20  # seconds for one request


class OrderError(Exception):
    """The authority issued no certificate; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate with its chain, and its key, in PEM."""

    chain: bytes
    key: bytes


@dataclass(frozen=True, kw_only=True)
class AcmeAccount:
    """The account at an authority: its directory's URL, the file of the account's key, and an address for notices."""

    directory: str
    key_file: Path
    email: str | None = None


def order_certificate(account: AcmeAccount, domains: Sequence[str], challenges: Challenges) -> Issued:
    """Order a certificate for domains and return it, with a new key; raise `OrderError`.

    The account is created with the first order, which accepts the authority's terms.
    """
    try:
        client, account_key = _signed_in(account)
        key = _new_key()
        order = client.new_order(crypto_util.make_csr(key, list(domains)))
        with _answered(client, account_key, order, challenges):
            issued = client.poll_and_finalize(order, deadline=datetime.now() + DEADLINE)
    except errors.ValidationError as error:
        raise OrderError("; ".join(_refusals(error))) from error
    except (errors.Error, messages.Error, RequestException, OSError, ValueError) as error:
        raise OrderError(f"{type(error).__name__}: {error}") from error
    return Issued(chain=issued.fullchain_pem.encode(), key=key)


@contextmanager
def _answered(client: ClientV2, key: JWK, order: messages.OrderResource, challenges: Challenges) -> Iterator[None]:
    """Answer the challenges of an order until the end of the block."""
    tokens = []
    try:
        for authorization in order.authorizations:
            if authorization.body.status == messages.STATUS_VALID:
                continue  # proved by an earlier order
            challenge = next(item for item in authorization.body.challenges if isinstance(item.chall, kinds.HTTP01))
            response, text = challenge.chall.response_and_validation(key)
            token = challenge.chall.encode("token")
            tokens.append(token)
            challenges.put(token, text)
            client.answer_challenge(challenge, response)
        yield
    except StopIteration as error:
        raise OrderError("the authority offers no challenge of the kind http-01") from error
    finally:
        for token in tokens:
            challenges.remove(token)


def _signed_in(account: AcmeAccount) -> tuple[ClientV2, JWK]:
    key = JWKEC(key=serialization.load_pem_private_key(_account_key(account.key_file), None))
    network = ClientNetwork(key, alg=ES256, user_agent="PicShare", timeout=_TIMEOUT)
    client = ClientV2(ClientV2.get_directory(account.directory, network), network)
    wanted = messages.NewRegistration.from_data(email=account.email, terms_of_service_agreed=True)
    try:
        client.new_account(wanted)
    except errors.ConflictError as error:
        known = messages.RegistrationResource(uri=error.location, body=messages.Registration())
        client.query_registration(known)
    return client, key


def _account_key(file: Path) -> bytes:
    """Return the key of the account, which is created with the first order and readable by its owner alone."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        key = _new_key()
        write_private(file, key)
        return key


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write_private(file: Path, content: bytes) -> None:
    """Replace a file by one with mode 0600, which is complete at every moment; raise `OSError`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # has mode 0600
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _refusals(error: errors.ValidationError) -> Iterator[str]:
    for authorization in error.failed_authzrs:
        for challenge in authorization.body.challenges:
            if challenge.error is not None:
                yield f"{authorization.body.identifier.value}: {challenge.error.detail}"
