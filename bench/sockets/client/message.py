"""The broadcast message: a JSON document of fixed length that contains its number."""

from __future__ import annotations

SIZE = 300  # bytes

_MARK = b'{"number":"'
_DIGITS = 8
_TEXT = b'","text":"'
_END = b'"}'


class WrongMessageError(Exception):
    """Received bytes are not a complete and unchanged message."""


def message(number: int) -> bytes:
    """Return message `number`; messages differ only in the digits of their numbers."""
    head = b"%b%0*d%b" % (_MARK, _DIGITS, number, _TEXT)
    return head + b"." * (SIZE - len(head) - len(_END)) + _END


def number_in(text: bytes) -> int:
    """Return the number of the one message in a text; raise `WrongMessageError` when it is not complete."""
    at = text.find(_MARK)
    digits = text[at + len(_MARK) : at + len(_MARK) + _DIGITS]
    if at < 0 or not digits.isdigit() or text[at : at + SIZE] != message(int(digits)):
        raise WrongMessageError(text[:400].decode(errors="replace"))
    return int(digits)
