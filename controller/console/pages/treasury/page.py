"""What a page of the treasury is given: it belongs to no site."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from nicegui import ui

from controller.console.feed import Content, Key
from controller.console.topics.treasury.words import TREASURY
from controller.console.visit import Visit
from controller.people.model import Actor, Permission
from controller.views.ports import ForwardDesk, TreasuryDesk
from shared.errors import Malformed

Done = TypeVar("Done")
Input = TypeVar("Input", bound=ui.element)
_NEWS = (
    "treasury",
    "treasury-needs",
    "treasury-payments",
    "contract-payments",
    "contract-policy-to-sign",
    "contract-policy-said",
    "contract-policy-changes",
    "contract-boxes",
    "payment",
    "payment-approvals",
    "payment-boxes",
    "payment-to-sign",
    "payment-files",
    "payment-control",
    "forward",
    "forward-deed",
    "forward-files",
    "proofs-controls",
    "proofs-claims",
)


@dataclass(frozen=True)
class TreasuryPage:
    """`subject` is the contract or payment that the address names."""

    visit: Visit
    desk: TreasuryDesk
    subject: str = ""
    forwards: ForwardDesk | None = None

    @property
    def spends(self) -> bool:
        return self.visit.may(Permission.SPEND)

    def now_ms(self) -> int:
        return self.visit.operations.clock.now_ms()

    async def follow(self, topic: str) -> Content:
        """The newest content of a topic about the subject, and the wish to be told of later ones."""
        key = Key(topic, "", self.subject)
        kept = await self.visit.feed.newest(key)
        self.visit.listen(key)
        return kept.content

    async def act(self, work: Callable[[Actor], Awaitable[Done]]) -> Done | None:
        """Run it for a person who may spend, and show what came of it; None where it was refused, which is said."""
        done = await self.visit.act(Permission.SPEND, work)
        self.spoil()
        return done

    def taking(self, work: Callable[[str, Actor], Awaitable[object]]) -> Callable[[str], Awaitable[bool]]:
        """`work` with what a person pasted, for those who may spend; a refusal is said above the page, False then."""

        async def take(text: str) -> bool:
            return await self.act(lambda actor: work(text, actor)) is not None

        return take

    def spoil(self) -> None:
        """Somebody acted: what pages show is built anew."""
        for topic in _NEWS:
            self.visit.feed.spoil(topic)


def sealed_bytes(text: str) -> bytes:
    """What a person pasted; line breaks and spaces do not matter."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("this is not base64: paste the whole of what was signed") from error


def field(element: Input) -> Input:
    """An input in our own look."""
    element.classes("bes-input").props("outlined dense options-dense")
    return element


def title(text: str, back: str, href: str = TREASURY) -> None:
    """The page's h1 with the way back."""
    with ui.element("div").classes("bes-head").style("margin-bottom: 0"):
        with ui.element("h1"):
            ui.label(text)
        with ui.element("a").classes("bes-link").props(f"href={href}"):
            ui.label(back)
