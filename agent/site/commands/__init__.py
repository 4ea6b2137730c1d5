"""The agent's end of the power door: verify, deduplicate, expire, interlock, execute, confirm.

`door` opens an envelope or refuses it by rule, `ledger` writes down what is about to be done before it is done,
`execution` does it and looks whether it took effect, `service` joins them. Local autonomy enters at `submit_local`.
"""

from agent.site.commands.service import CommandService

__all__ = ["CommandService"]
