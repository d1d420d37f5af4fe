"""The message that is broadcast: a JSON document of fixed length that bears its number."""

from __future__ import annotations

SIZE = 300  # bytes

_MARK = b'{"number":"'
_DIGITS = 8
_TEXT = b'","text":"'
_END = b'"}'


class WrongMessageError(Exception):
    """Say that what arrived is not the message it claims to be."""


def message(number: int) -> bytes:
    """Return message `number`, all of it different from the others by its digits alone."""
    head = b"%b%0*d%b" % (_MARK, _DIGITS, number, _TEXT)
    return head + b"." * (SIZE - len(head) - len(_END)) + _END


def number_in(text: bytes) -> int:
    """Return the number of the one message that a text carries; raise `WrongMessageError` when it is not whole."""
    at = text.find(_MARK)
    digits = text[at + len(_MARK) : at + len(_MARK) + _DIGITS]
    if at < 0 or not digits.isdigit() or text[at : at + SIZE] != message(int(digits)):
        raise WrongMessageError(text[:400].decode(errors="replace"))
    return int(digits)
