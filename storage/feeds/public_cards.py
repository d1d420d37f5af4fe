"""Public photos as JSON, from their cards and counters in Redis; what is missing there comes from PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from storage.cache.cards import Cards
from storage.cache.counters import CounterCache
from storage.render.photo import PRIVATE, assemble


class PublicCards:
    """Renders photos that everyone may see; raises `UnavailableError` if an engine does not answer."""

    def __init__(self, cards: Cards, counter_cache: CounterCache) -> None:
        self._cards = cards
        self._counter_cache = counter_cache

    async def render(self, photo_ids: Sequence[int], viewer_id: int | None) -> list[bytes]:
        """Return the JSON of the photos in this order, with the viewer's likes.

        Those that are hidden, deleted or not public by now are left out: the cards are newer than what a replica of
        PostgreSQL may have said about them.
        """
        found = await self._cards.get(photo_ids)
        cards = {photo_id: card for photo_id, card in found.items() if card[0] != PRIVATE}
        counters = await self._counter_cache.read(list(cards), viewer_id)
        rendered = []
        for photo_id, card in cards.items():
            likes, comments, liked = counters[photo_id]
            rendered.append(assemble(card, likes=likes, comments=comments, liked=liked, sign=None))
        return rendered
