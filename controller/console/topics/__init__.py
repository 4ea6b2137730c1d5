"""What each part of a page says, in words and fixed units: views in, plain content out."""

from controller.console.feed import Topic
from controller.console.topics import (
    alarm,
    command,
    decision,
    dispatch,
    energy,
    hold,
    miner,
    node,
    overview,
    shell,
    site,
)
from controller.console.topics.treasury import topics as treasury_topics
from controller.views.ports import ForwardDesk, Operations, TreasuryDesk


def all_topics(
    operations: Operations, treasury: TreasuryDesk | None = None, forwards: ForwardDesk | None = None
) -> tuple[Topic, ...]:
    modules = (overview, shell, site, energy, dispatch, decision, hold, miner, alarm, command, node)
    topics = tuple(topic for module in modules for topic in module.topics(operations))
    return topics if treasury is None else topics + treasury_topics(treasury, operations.clock, forwards)
