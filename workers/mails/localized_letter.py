"""Mails in the language of their recipient."""

from __future__ import annotations

from dataclasses import replace

from locales.catalogues import translate
from locales.sentences import Sentence
from workers.mails.letter import Letter


def localized(letter: Letter, language: str) -> Letter:
    """Return a mail with its sentences in a language; other texts, which users have written, stay as they are."""

    def said(text: str) -> str:
        return translate(text, language) if isinstance(text, Sentence) else text

    button = letter.button
    return replace(
        letter,
        subject=said(letter.subject),
        heading=said(letter.heading),
        paragraphs=[said(text) for text in letter.paragraphs],
        items=[replace(item, title=said(item.title)) for item in letter.items],
        button=None if button is None else replace(button, label=said(button.label)),
        notes=[said(text) for text in letter.notes],
    )
