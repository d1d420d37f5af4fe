"""The form of usernames and e-mail addresses by which tries are counted."""

from __future__ import annotations

import unicodedata

from storage import texts


def login_key(login: str) -> str:
    """Return one form for all spellings of a login by which a database may find the same account.

    A database compares them in lower case, which depends on its locale: to most, "İ" is an "i", to a Turkish one "I" is
    an "ı". So accents and the dots of "i" do not count. Some different logins have one form, and share their tries.
    """
    decomposed = unicodedata.normalize("NFKD", texts.fold(login)).replace("ı", "i")
    return "".join(symbol for symbol in decomposed if unicodedata.category(symbol) != "Mn")
