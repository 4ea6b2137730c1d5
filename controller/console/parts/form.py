"""A long form described as data, checked by the server while a person writes."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from controller.console.feed import Content

MAX_TEXT = 200_000


class Judged(NamedTuple):
    """What is wrong (`said` with text, rule and place, None where nothing is), a sentence, and contents by topic."""

    said: Content | None
    state: str = ""
    shows: dict[str, Content] = {}  # noqa: RUF012 - a NamedTuple's default is never written to


class FormBox(Element, component="form.js"):
    """`sections` have a title, a hint and fields; one with `choose` shows the fields of the `kinds` that is chosen.

    `check` and `send` are given the document as JSON text and have to check the permission themselves. `keep` names
    the draft in the browser's tab. `lists` are offered for inputs that name them.
    """

    def __init__(
        self,
        sections: list[Content],
        *,
        first: Content,
        keep: str,
        action: str,
        check: Callable[[str], Awaitable[Judged]],
        send: Callable[[str], Awaitable[Content | None]],
        kinds: list[Content] | None = None,
        lists: dict[str, list[str]] | None = None,
        height: int | None = None,
    ) -> None:
        super().__init__()
        self.props.update(
            sections=sections,
            kinds=kinds or [],
            first=first,
            keep=keep,
            action=action,
            lists=lists or {},
            height=height or 0,
        )

        async def checked(event: GenericEventArguments) -> None:
            text, number = _text(event.args), event.args.get("number")
            if text is None or not isinstance(number, int):
                return
            judged = await check(text)
            for topic, content in judged.shows.items():
                self.run_method("receive", topic, json.dumps(content))
            self.run_method("judged", number, judged.said, judged.state)

        async def sent(event: GenericEventArguments) -> None:
            text = _text(event.args)
            if text is None:
                return
            said = await send(text)
            if said is None:
                self.run_method("taken")
            else:
                self.run_method("refused", said)

        self.on("check", checked)
        self.on("send", sent)


def _text(args: Any) -> str | None:
    text = args.get("text") if isinstance(args, dict) else None
    return text if isinstance(text, str) and len(text) <= MAX_TEXT else None
