"""Our reading of random expressions against btclib's and bdk's (rust-miniscript)."""

import bdkpython
import pytest
from btclib.exceptions import BTClibValueError
from btclib_wallet.descriptors import miniscript as btclib_miniscript
from hypothesis import given, settings

from shared.bitcoin.miniscript import NUMS_KEY, Context, Fragment, Node, faults, parse, to_script, to_text
from shared.errors import BitcoinMalformed
from tests.shared.bitcoin.miniscript.grounds import expressions, named_keys, with_real_keys

BTCLIB_CONTEXTS = {Context.P2WSH: btclib_miniscript.P2WSH, Context.TAPSCRIPT: btclib_miniscript.TAPSCRIPT}


def ours(text: str, context: Context) -> str:
    try:
        node = parse(text, context)
    except BitcoinMalformed:
        return "malformed"
    if not node.is_type("B"):
        return "malformed"
    found = [fault for fault in faults(node) if "nobody can ever fulfil" not in fault]
    return "insane" if found else "sane"


def by_btclib(text: str, context: Context) -> str:
    try:
        node = btclib_miniscript.parse(with_real_keys(text, context), BTCLIB_CONTEXTS[context])
    except BTClibValueError:
        return "malformed"
    return "sane" if node.is_sane() else "insane"


def sane_by_bdk(text: str, context: Context) -> bool:
    inner = with_real_keys(text, context)
    descriptor = f"wsh({inner})" if context is Context.P2WSH else f"tr({NUMS_KEY},{inner})"
    try:
        bdkpython.Descriptor(descriptor, bdkpython.NetworkKind.TEST).sanity_check()
    except (bdkpython.DescriptorError, bdkpython.MiniscriptError):
        return False
    return True


def wraps_with_d(node: Node) -> bool:
    """rust-miniscript does not call d: a unit in tapscript, as BIP-379 does."""
    return node.fragment is Fragment.D or any(map(wraps_with_d, node.subs))


@pytest.mark.parametrize("context", list(Context))
def test_the_same_verdict_and_script_as_btclib_and_bdk(context: Context):
    verdicts: dict[str, int] = {}

    @settings(max_examples=600, deadline=None)
    @given(expressions(context))
    def check(text: str) -> None:
        verdict = ours(text, context)
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
        assert verdict == by_btclib(text, context)
        if verdict == "malformed":
            return
        node = parse(text, context)
        assert parse(to_text(node), context) == node
        other = btclib_miniscript.parse(with_real_keys(text, context), BTCLIB_CONTEXTS[context])
        assert with_real_keys(to_text(node), context) == str(other)
        if verdict == "sane":
            assert to_script(node, named_keys(node)) == other.script()
            assert node.script_size == len(other.script())
            if not faults(node) and not (context is Context.TAPSCRIPT and wraps_with_d(node)):
                assert sane_by_bdk(text, context)
        else:
            assert not sane_by_bdk(text, context)

    check()
    assert min(verdicts.values()) > 10, verdicts
    assert set(verdicts) == {"malformed", "insane", "sane"}
