"""One person looking at one page: who it is now, what the page listens to, how an order is run and refused."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from controller.console.feed import Feed, Key
from controller.people.model import Actor, Permission
from controller.people.service import People
from controller.views.ports import Operations
from shared.errors import AccessError, BesError
from shared.log import get_logger

T = TypeVar("T")
Ask = Callable[[dict[str, str]], None]
_log = get_logger("console")


class Visit:
    """Made for each client. `say` shows a refusal above the page; `go` opens another page."""

    def __init__(self, operations: Operations, people: People, feed: Feed, session_id: str) -> None:
        self.operations = operations
        self.feed = feed
        self._people = people
        self._session_id = session_id
        self._topics: list[Key] = []
        self._always: list[Key] = []
        self.say: Callable[[BesError], None] = lambda _error: None
        self.go: Callable[[str], None] = lambda _href: None
        self._asked: tuple[str, Ask] | None = None

    def actor(self) -> Actor:
        """Asked again in every handler: a session may have ended since the page was built."""
        return self._people.actor(self._session_id)

    @property
    def signed_in(self) -> bool:
        return self._people.session_by_id(self._session_id) is not None

    def may(self, permission: Permission) -> bool:
        try:
            return self.actor().may(permission)
        except AccessError:
            return False

    async def act(self, permission: Permission, work: Callable[[Actor], Awaitable[T]]) -> T | None:
        """Run what a handler does for a person who may; what is refused is said on the page. None then."""
        try:
            actor = self.actor()
            actor.require(permission)
            return await work(actor)
        except BesError as error:
            if not error.expected:
                _log.error("handler failed", code=error.code, detail=error.detail)
            self.say(error)
            return None

    # What the page listens to

    def listen_always(self, *keys: Key) -> None:
        self._always.extend(keys)

    def listen(self, *keys: Key) -> None:
        self._topics.extend(key for key in keys if key not in self._topics)

    def leave_page(self) -> None:
        self._topics.clear()
        self._asked = None

    def answer_in_place(self, path: str, ask: Ask) -> None:
        """Another query in the address of this page is given to `ask`; the page is not built anew."""
        self._asked = (path, ask)

    def address_changed(self, address: str) -> None:
        """`address` is below the console, with its query."""
        parts = urlsplit(address)
        if self._asked is not None and parts.path == self._asked[0]:
            self._asked[1](query_of(address))

    @property
    def topics(self) -> tuple[Key, ...]:
        return (*self._always, *self._topics)


def query_of(address: str) -> dict[str, str]:
    """The parameters of an address; of one that comes twice, the last."""
    return dict(parse_qsl(urlsplit(address).query))
