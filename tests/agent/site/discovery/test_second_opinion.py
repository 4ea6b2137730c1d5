"""The worker that wraps pyasic: asked, limited, killed; never part of the agent."""

import asyncio
import os
import resource
import sys

import pytest

from agent.site.discovery.pyasic_worker import MEMORY_BYTES
from agent.site.discovery.second_opinion import SecondOpinion

ECHO = (
    "import sys, json\n"
    "for line in sys.stdin:\n"
    "    print(json.dumps({'address': line.strip(), 'make': 'Maker', 'model': 'M1', 'firmware': '2'}), flush=True)\n"
)
HANGS = "import time; time.sleep(60)"
GARBAGE = "import sys\nfor line in sys.stdin: print('{not json', flush=True)"
ENDLESS = "import sys\nfor line in sys.stdin:\n    while True: print('x' * 65536, end='')"
OTHER = ECHO.replace("line.strip()", "'10.9.9.9'")
DIES = "raise SystemExit(3)"
TELLS_ENVIRONMENT = ECHO.replace(
    "'M1'", "' '.join(name for name in __import__('os').environ if name.startswith('BES'))"
)


@pytest.fixture
async def opinion_of():
    made = []

    def make(program: str) -> SecondOpinion:
        opinion = SecondOpinion((sys.executable, "-c", program), answer_s=1.5)
        made.append(opinion)
        return opinion

    yield make
    for opinion in made:
        await opinion.aclose()


async def test_one_worker_answers_many_questions(opinion_of):
    opinion = opinion_of(ECHO)
    answers = await asyncio.gather(*(opinion.ask(f"10.0.0.{n}") for n in range(5)))
    assert [(answer.address, answer.make) for answer in answers] == [(f"10.0.0.{n}", "Maker") for n in range(5)]


@pytest.mark.parametrize(
    "program", [HANGS, GARBAGE, ENDLESS, OTHER, DIES], ids=["hangs", "garbage", "endless", "other", "dies"]
)
async def test_a_worker_that_hangs_or_talks_nonsense_is_killed_and_started_afresh(opinion_of, program):
    opinion = opinion_of(program)
    started = []
    start = opinion._start

    async def remembered():
        started.append(await start())
        return started[-1]

    opinion._start = remembered
    answer = await opinion.ask("10.0.0.1")
    assert (answer.make, answer.error) == (None, "no answer")
    assert [process.returncode is not None for process in started] == [True]
    opinion._worker = (sys.executable, "-c", ECHO)
    assert (await opinion.ask("10.0.0.2")).make == "Maker"


async def test_the_worker_is_told_nothing_of_our_settings(opinion_of, monkeypatch):
    monkeypatch.setenv("BES_AGENT_MQTT__PASSWORD", "secret")
    assert (await opinion_of(TELLS_ENVIRONMENT).ask("10.0.0.1")).model == ""


async def test_the_real_worker_has_its_memory_limited_and_stays_out_of_this_process():
    opinion = SecondOpinion()
    answer = await opinion.ask("127.0.0.1")
    assert answer.make is None
    process = opinion._process
    assert process is not None, "it was not lost"
    assert resource.prlimit(process.pid, resource.RLIMIT_AS) == (MEMORY_BYTES, MEMORY_BYTES)
    assert "pyasic" not in sys.modules
    await opinion.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
