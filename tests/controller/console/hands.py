"""What a visitor of the treasury does with a page, and what a topic shows him."""

from typing import Any

from controller.console.feed import Feed, Key
from controller.console.parts.button import Button
from controller.console.parts.file_box import FileBox
from controller.console.parts.payment import PaymentHead
from controller.console.parts.seal import SealBox
from controller.console.topics import all_topics
from controller.views.ports import Operations
from tests.controller.console.conftest import Visitor
from tests.controller.console.fake_treasury import FakeTreasury
from tests.controller.console.test_pages import elements


async def rows(site: Operations, desk: FakeTreasury, topic: str, subject: str = "") -> list[list[Any]]:
    kept = await Feed(site.clock, all_topics(site, desk)).newest(Key(topic, "", subject))
    return [row["cells"] for row in kept.content["rows"]]


def hand_in(visitor: Visitor, sealed: str) -> None:
    (box,) = elements(visitor.user, SealBox)
    listener = next(iter(box._event_listeners.values()))
    box._handle_event({"listener_id": listener.id, "args": {"sealed": sealed}})


def act(visitor: Visitor, name: str) -> None:
    (head,) = elements(visitor.user, PaymentHead)
    listener = next(iter(head._event_listeners.values()))
    head._handle_event({"listener_id": listener.id, "args": {"name": name}})


def hand_in_file(visitor: Visitor, party: str, text: str) -> None:
    (box,) = elements(visitor.user, FileBox)
    listener = next(iter(box._event_listeners.values()))
    box._handle_event({"listener_id": listener.id, "args": {"name": party, "text": text}})


def press(visitor: Visitor, test: str) -> None:
    (button,) = (one for one in elements(visitor.user, Button) if one.props.get("data-testid") == test)
    listener = next(iter(button._event_listeners.values()))
    button._handle_event({"listener_id": listener.id, "args": None})


def send(visitor: Visitor) -> None:
    press(visitor, "send")
