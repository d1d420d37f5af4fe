"""Node ids: the id of an object with the letter of its type, as `P-01K3S9C0XG4Q7` of a photo.

Ids are unique within a type alone, so the type is a part of the id that names an object of any type.
"""

from __future__ import annotations

from enum import Enum

from server.edge.problem import bad_field
from server.graphql.fields import BatchFunction, Prefixed
from storage import ids


class NodeKind(Enum):
    """Kinds of objects that have a node id: the letter of the id, the object type, and the word for it."""

    PHOTO = "P", "Photo", "a photo"
    USER = "U", "User", "a user"
    COMMENT = "C", "Comment", "a comment"
    NOTIFICATION = "N", "Notification", "a notification"
    COLLECTION = "K", "Collection", "a collection"
    LIST = "L", "AccountList", "a list of accounts"
    DECISION = "D", "Decision", "a decision"
    REPORT = "R", "Report", "a report"

    def __init__(self, letter: str, type_name: str, word: str) -> None:
        self.letter = letter
        self.type_name = type_name
        self.word = word

    def encode(self, identifier: int) -> str:
        """Return the node id of an object."""
        return f"{self.letter}-{ids.encode(identifier)}"

    def decode(self, text: str, argument: str) -> int:
        """Return the id of an object of this kind; raise a 400 that names the argument."""
        kind, identifier = parse(text, argument)
        if kind is not self:
            raise bad_field(
                argument,
                f"This is the id of {kind.word}. Use the id of {self.word}, which begins with {self.letter}-.",
            )
        return identifier

    def raw(self, text: str, argument: str) -> str:
        """Return the id as the REST API has it, without the letter; raise as `decode`."""
        return ids.encode(self.decode(text, argument))


_BY_LETTER = {kind.letter: kind for kind in NodeKind}


def parse(text: str, argument: str) -> tuple[NodeKind, int]:
    """Return the kind and the id of a node id; raise a 400 that names the argument."""
    letter, dash, rest = text.partition("-")
    kind = _BY_LETTER.get(letter.upper())
    if kind is None or not dash:
        letters = ", ".join(f"{each.letter}- for {each.word}" for each in NodeKind)
        raise bad_field(argument, f"An id begins with the letter of its type: {letters}.")
    try:
        return kind, ids.decode(rest)
    except ids.BadIdError as error:
        raise bad_field(argument, str(error)) from error


def node_ids(kind: NodeKind, key: str = "id") -> BatchFunction:
    """Return the resolver of a node id: the letter and the entry `key` of the parent, null where that is."""
    return Prefixed(f"{kind.letter}-", key)
