"""The feed: built once a period for all who look, and what the topics say."""

import pytest

from controller.console.feed import MAX_KEPT, Content, Feed, Key, Topic
from controller.console.topics import all_topics
from controller.console.topics.energy import curtailment_content
from controller.console.topics.site import site_content
from controller.views.curtailment import CurtailmentView
from controller.views.ports import Operations
from controller.views.summary import summarise
from shared.errors import NotFound


class HandClock:
    def __init__(self) -> None:
        self.s = 100.0

    def now_ms(self) -> int:
        return int(self.s * 1000)

    def monotonic_s(self) -> float:
        return self.s


class Counter:
    def __init__(self) -> None:
        self.built = 0
        self.value = 0

    async def build(self, site: str, subject: str) -> Content:
        if site == "nowhere":
            raise NotFound("no such site")
        self.built += 1
        return {"value": self.value, "of": subject}


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def test_content_is_built_once_a_period_and_its_version_tells_news(clock: HandClock) -> None:
    counter = Counter()
    feed = Feed(clock, [Topic("t", 2.0, counter.build)])
    first = await feed.newest(Key("t", "west-1"))
    assert (counter.built, first.version) == (1, 1)
    clock.s += 1
    await feed.newest(Key("t", "west-1"))
    assert counter.built == 1
    clock.s += 1
    assert (await feed.newest(Key("t", "west-1"))).version == 1
    assert counter.built == 2
    counter.value = 7
    feed.spoil("t")
    kept = await feed.newest(Key("t", "west-1"))
    assert (kept.version, kept.text) == (2, '{"value":7,"of":""}')


async def test_errors_pass_and_memory_is_bounded(clock: HandClock) -> None:
    feed = Feed(clock, [Topic("t", 2.0, Counter().build)])
    with pytest.raises(NotFound):
        await feed.newest(Key("t", "nowhere"))
    for number in range(MAX_KEPT + 50):
        await feed.newest(Key("t", "west-1", f"m-{number}"))
    assert len(feed._kept) <= MAX_KEPT


_MINER = "m-02de00000001"
SUBJECTS = {"miner": _MINER, "boards": _MINER, "miner-commands": _MINER, "evidence": _MINER}


async def test_every_topic_speaks_of_the_fake_site(site: Operations) -> None:
    feed = Feed(site.clock, all_topics(site))
    for topic in all_topics(site):
        if topic.name in ("command", "outcomes", "cited-decision"):
            with pytest.raises(NotFound):
                await feed.newest(Key(topic.name, "west-1", "cmd-0"))
            continue
        kept = await feed.newest(Key(topic.name, "west-1", SUBJECTS.get(topic.name, "")))
        assert kept.content
        assert '":' in kept.text
        assert not any(key.startswith(":") for key in kept.content)


def test_tiles_count_what_the_links_find(site: Operations) -> None:
    frame = site.fleet.frame("west-1")
    content = site_content(summarise(frame, site.energy.state("west-1")), site.clock.now_ms())
    by_word = {item["word"]: item["number"] for item in content["conditions"]}
    assert sum(by_word.values()) == len(frame)
    reporting = next(tile for tile in content["tiles"] if tile["key"] == "reporting")
    assert f"{by_word['unpowered']} no power" in [link["text"] for link in reporting["links"]]
    assert {tile["key"] for tile in content["tiles"]} == {"hashrate", "power", "efficiency", "margin", "reporting"}


def test_a_curtailment_is_landed_only_by_the_meter() -> None:
    view = CurtailmentView(
        id="c", site="s", phase="shedding", reason="price", started_by="anna", started_at_ms=0,
        baseline_w=10e6, target_w=8e6, power_w=8.5e6, miners=100, counts={"confirmed": 100},
    )  # fmt: skip
    said = curtailment_content(view, 5000)
    assert said["time_to_target"].endswith("so far")
    assert (said["confirmed"], said["now_pct"], said["target_pct"]) == ("100 of 100", 85.0, 80.0)
