"""Where the person has been last: a ring of places in the open documents."""

from __future__ import annotations

from collections import OrderedDict

MAX_DOCUMENTS = 12
MAX_PLACES = 4
"""So many places of one document are kept, the last ones."""
_SAME_PLACE_LINES = 8


class Recent:
    """The documents in the order in which they were last seen, and the lines last edited there."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, list[int]] = OrderedDict()

    def seen(self, uri: str) -> None:
        """The person looks at a document."""
        self._places.setdefault(uri, [])
        self._places.move_to_end(uri)
        while len(self._places) > MAX_DOCUMENTS:
            self._places.popitem(last=False)

    def edited(self, uri: str, line: int) -> None:
        """The person has changed something on a line, counted from 0."""
        self.seen(uri)
        places = self._places[uri]
        places[:] = [one for one in places if abs(one - line) > _SAME_PLACE_LINES]
        places.append(line)
        del places[:-MAX_PLACES]

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._places.pop(uri, None)

    def documents(self) -> tuple[str, ...]:
        """The last seen first."""
        return tuple(reversed(self._places))

    def places(self, uri: str) -> tuple[int, ...]:
        """The lines edited in a document, the last one first."""
        return tuple(reversed(self._places.get(uri, ())))
