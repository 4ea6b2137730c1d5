"""What every contract says beside its script: parties, people, payees, limits."""

from controller.console.drafting.field import column, field, rows, section
from controller.console.feed import Content

APPROVER_ROLES = ["approver", "recovery", "proposer"]
_PARTY_ROLES = ["signer", "recovery", "deputy", "offline"]


def sections(height: int | None) -> list[Content]:
    """In the order in which a treasurer decides."""
    return [
        section("Name", "how people call it", _name(height)),
        section("Keys", "who holds one, and which", [_parties()]),
        section("Kind of contract", "who may spend, and when", [], choose="Kind"),
        section("People", "who changes the rules, who approves a payment", _people()),
        section("Who may be paid", "boxes pay nobody else", destinations(height)),
        section("Limits", "each box holds to them by itself; a fee counts as spending", limits("agreement.")),
        section("Witnesses", "protect the limits when a box is restored from an old disk", _witnesses()),
    ]


def destinations(height: int | None, base: str = "agreement.") -> list[Content]:
    columns = [
        column("name", "Name"),
        column("address", "Address", mono=True),
        column("added_at_height", "Known since block", "int", height or ""),
    ]
    cooling = "Blocks that pass before a new destination may be paid for the first time."
    return [
        rows(
            f"{base}allow_list",
            "Allow-list",
            "Each address in full; compare it on another machine.",
            "One more payee",
            columns,
        ),
        field(f"{base}cooling_blocks", "Cooling time", cooling, "blocks", 144),
    ]


def limits(base: str) -> list[Content]:
    at = f"{base}limits."
    return [
        field(f"{at}per_tx_sat", "One payment", "At most so much leaves in one transaction.", "sat", 100_000_000),
        field(f"{at}window_sat", "In one window", "At most so much within the window below.", "sat", 200_000_000),
        field(f"{at}window_blocks", "Length of the window", "Blocks.", "blocks", 144),
        field(
            f"{at}lifetime_sat", "In all", "At most so much ever; a later policy may raise it.", "sat", 10_000_000_000
        ),
        field(f"{at}fee_sat", "Fee", "At most so much for one transaction.", "sat", 100_000),
        field(f"{at}fee_rate_sat_vb", "Fee rate", "At most so many sat/vB.", "int", 200),
        field(
            f"{at}weight_wu", "Weight", "At most so many weight units; about 450 for each coin spent.", "int", 40_000
        ),
    ]


def approvals(base: str) -> Content:
    hint = "So many approve a payment; whoever proposed it never counts, so name one more person, or a proposer."
    return field(f"{base}approvals_needed", "Approvals needed", hint, "int", 2)


def _name(height: int | None) -> list[Content]:
    birth = "No coin of it is older than this block; wallets scan from here."
    return [
        field("agreement.name", "Name", "As it will stand on every page and box."),
        field("agreement.epoch", "Epoch", "1; raise it to draft the same terms again.", "int", 1),
        field("agreement.birth_height", "First block", birth, "height", height or ""),
    ]


def _parties() -> Content:
    columns = [
        column("name", "Name"),
        column("person", "Held by", list="boxes"),
        column("key", "Key", list="keys", mono=True),
        column("role", "Role", "choice", "signer", options=_PARTY_ROLES),
    ]
    hint = (
        "One line for each key. Held by: the node of a signing box, which signs itself, or a person, who signs files. "
        "A key is one that a box offers, or an extended public key with /<0;1>/*."
    )
    return rows("agreement.parties", "Parties", hint, "One more key", columns)


def _people() -> list[Content]:
    columns = [
        column("name", "Name of the key"),
        column("person", "Person"),
        column("role", "Role", "choice", "approver", options=APPROVER_ROLES),
        column("public_key", "Public key", mono=True),
    ]
    keys = "bes sign key prints a person's public key: 64 hex digits."
    return [
        field(
            "agreement.owners",
            "Owners",
            f"Public keys, one to a line. They sign each policy. {keys}",
            "lines",
            "",
            wide=True,
        ),
        field("agreement.owners_needed", "Owners needed", "So many of them sign a policy.", "int", 2),
        approvals("agreement."),
        rows(
            "agreement.approvers",
            "Approvers",
            f"One line for each key. Each may propose; a key of role proposer does nothing else. {keys}",
            "One more approver",
            columns,
        ),
        field(
            "agreement.recovery_role_people",
            "May call for recovery",
            "People of the list above with a recovery key, one to a line.",
            "lines",
            "",
        ),
    ]


def _witnesses() -> list[Content]:
    hint = "Public keys of boxes that remember each other's ledgers, one to a line."
    return [
        field("agreement.witnesses", "Witnesses", hint, "lines", ""),
        field(
            "agreement.witnesses_needed",
            "Witnesses needed",
            "So many answer before a box signs; 0 is no protection.",
            "int",
            0,
        ),
    ]
