"""What to do about an alarm, by its code; docs/events.md says the same at length."""

ADVICE = {
    "interlock.inlet-high": "Look at the fans and doors of the container; nothing there may draw more until then.",
    "interlock.feeder-overload": "Find what the plan did not know; the site sheds by itself after 10 s.",
    "interlock.chip-hot": "Clean the machine and check its fans; it has been put to sleep.",
    "interlock.meter-low": "Check the meter's current transformers; its feeder is summed by estimate until then.",
    "meter.silent": "Check gateway and wiring; its feeder is summed by estimate until then.",
    "meter.frozen": "Restart the meter or its gateway.",
    "meter.fault": "Correct ratio or direction at the meter.",
    "device.exchanged": "Put the right device back, or correct the site's file; nothing is switched there meanwhile.",
    "device.silent": "Check power and network of the slot.",
    "device.fault": "See its page; a default password wants one of your own.",
    "device.frozen": "Restart the miner; its value is not used meanwhile.",
    "storage.failed": "Free or replace the node's disk; it polls on and takes no orders of the controller without it.",
    "spool.damaged": "Check the node's disk; readable samples follow by themselves.",
    "spool.space-low": "Restore the link to the controller, or free the node's disk.",
    "spool.alternating-epochs": "Find the second machine that sends under this node's identity; was a disk cloned?",
    "ingest.not-storing": "Look at the disk of the controller; the nodes keep everything meanwhile.",
    "inbox.refused": "Report it with the text; what a node told there has no effect until a later release takes it.",
    "dispatch.unsound": "Nothing was released; the site's own rules hold. Report the text, curtail by hand meanwhile.",
    "dispatch.gap-wide": "See the decisions on the energy page; report it where it stays.",
    "broker.unfit": "Correct the broker's settings as the text says, then start the controller again.",
    "contract.recovery-due": "Propose a refresh of the contract before the block that the text names.",
    "inventory.site-refused": "Correct the site's file at the node; the former description stays in force.",
}
COMMON_CAUSE = "Look at the {kind} first: it is the likelier cause. "
_OF_EACH = frozenset({"device.frozen"})  # whatever they have in common does not explain them
OTHERWISE = "Read the text and look at the device."


def advice(code: str, kind: str) -> str:
    """`kind` is what the members have in common: feeder, container, or device where nothing."""
    shared = COMMON_CAUSE.format(kind=kind) if kind in ("feeder", "container") and code not in _OF_EACH else ""
    return shared + ADVICE.get(code, OTHERWISE)
