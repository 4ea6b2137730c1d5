"""The pulse of a page: sends what is new to the browser once a second."""

from nicegui import ui
from nicegui.element import Element

from controller.console.feed import Key
from controller.console.visit import Visit
from shared.errors import BesError

PERIOD_S = 1.0


class Live(Element, component="live.js"):
    """One a page. Its own first message is never old: the browser counts from when it mounted."""

    def __init__(self, visit: Visit, *, alive_url: str) -> None:
        super().__init__()
        self.props["alive"] = alive_url
        self._visit = visit
        self._sent: dict[Key, int] = {}
        ui.timer(PERIOD_S, self.send)

    def forget(self) -> None:
        """The page has changed: its parts have been given their first content by themselves."""
        self._sent.clear()

    async def send(self) -> None:
        if not self.client.has_socket_connection or not self._visit.signed_in:
            return  # a page whose session has run out grows stale and asks for itself
        spoken = False
        for key in self._visit.topics:
            try:
                kept = await self._visit.feed.newest(key)
            except BesError as error:
                self._visit.say(error)
                continue
            if self._sent.get(key) != kept.version:
                self._sent[key] = kept.version
                self.run_method("receive", key.topic, kept.text)
                spoken = True
        if not spoken:
            self.run_method("receive", "beat", "{}")  # nothing is new, and the server lives
