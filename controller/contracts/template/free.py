"""Any condition that the policy language can say, compiled to the cheapest sane script or tree."""

import re
from collections import Counter

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.refusal import Refusal
from controller.contracts.template.agreement import Agreement
from shared.bitcoin.miniscript import Context, compile_policy, compile_tree, to_text
from shared.errors import BitcoinMalformed, Denied, InsaneScript

_KEY = re.compile(r"pk\(([^()]*)\)")
_PLACE = re.compile(r"@(\d+)@")
_BRANCHES = re.compile(r"<(\d+);(\d+)>/\*$")


class FreePolicy(msgspec.Struct, frozen=True, kw_only=True, tag="free-policy"):
    """As `or(9@thresh(2,pk(Anna),pk(Ben),pk(Carl)),and(pk(Rosa),older(4320)))`, with parties in the place of keys.

    A party that stands in it several times signs with a branch of its own each time, where its key has branches.
    """

    policy: str
    taproot: bool = False

    def compile(self, agreement: Agreement) -> Compiled:
        """Denied `template.insane` with the part of the policy that is to blame, `template.no-such-party`."""
        places: list[str] = []
        uses: Counter[str] = Counter()

        def placed(found: re.Match[str]) -> str:
            party = agreement.party(found[1].strip())
            places.append(_branch(party.key, uses[party.name]))
            uses[party.name] += 1
            return f"pk(@{len(places) - 1}@)"

        text = _KEY.sub(placed, self.policy).replace(" ", "")
        try:
            script = str(compile_tree(text)) if self.taproot else f"wsh({to_text(compile_policy(text, Context.P2WSH))})"
        except (InsaneScript, BitcoinMalformed) as error:
            detail = _PLACE.sub(lambda found: f"of place {int(found[1]) + 1}", error.detail)
            raise Denied(Refusal.INSANE, detail) from error
        return compiled(agreement, self, _PLACE.sub(lambda found: places[int(found[1])], script))


def _branch(key: str, use: int) -> str:
    """The key's own pair of branches for its n-th use, counted from 0: <0;1>, <2;3> and so on."""
    return _BRANCHES.sub(lambda found: f"<{int(found[1]) + 2 * use};{int(found[2]) + 2 * use}>/*", key)
