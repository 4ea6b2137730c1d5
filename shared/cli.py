"""The command `bes`: one word per process or tool, each from the package that owns it.

Packages announce their words as entry points of the group `bes.commands`; a word whose extra is not installed on this
machine says which one is missing, and nothing of it is imported until it is called.
"""

import sys
from importlib.metadata import EntryPoint, entry_points

from shared.errors import BesError

GROUP = "bes.commands"
WORDS = {
    "agent": "run a mining site: read devices, carry out orders, report",
    "signer": "run a signing box",
    "box": "set up a signing box: who it is, and its keys in the token",
    "sign": "make a person's key, read what is to be signed, and sign it",
    "controller": "run the controller: ingest, dispatch, API, console",
    "sims": "run a simulated site that speaks the real protocols",
    "demo": "everything at once on this machine, with a story",
    "pki": "make certificates for broker, controller and nodes, where there is no authority yet",
    "doctor": "look at a node and say what to do",
    "audit": "verify the controller's journal",
    "claim": "prove bounds of metered energy without showing any of it",
    "bench": "measure, and print one JSON object a benchmark",
    "chaos": "kill agent, controller and broker at random and count what was lost",
}


def main() -> int:
    """Run the word that was typed; its own options follow it."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    word = arguments[0]
    found = {point.name: point for point in entry_points(group=GROUP)}
    if word not in found:
        print(f"bes: there is no word {word!r}\n\n{_usage()}", file=sys.stderr)
        return 2
    try:
        return _call(found[word], arguments[1:])
    except BesError as error:
        print(f"bes {word}: {error}", file=sys.stderr)
        return 1


def _call(point: EntryPoint, arguments: list[str]) -> int:
    try:
        app = point.load()
    except ModuleNotFoundError as error:
        print(f"bes {point.name}: {error.name} is not installed here; install the extra for this role", file=sys.stderr)
        return 1
    sys.argv = [f"bes {point.name}", *arguments]
    app()
    return 0


def _usage() -> str:
    lines = "\n".join(f"  {word:<11} {what}" for word, what in WORDS.items())
    return f"usage: bes WORD [options]\n\n{lines}\n\nbes WORD --help tells the options of a word."
