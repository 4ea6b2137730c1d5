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
from controller.views.ports import Operations


def all_topics(operations: Operations) -> tuple[Topic, ...]:
    modules = (overview, shell, site, energy, dispatch, decision, hold, miner, alarm, command, node)
    return tuple(topic for module in modules for topic in module.topics(operations))
