import pytest

from shared.bitcoin.descriptor import Descriptor, second_opinion
from shared.bitcoin.network import Network
from shared.errors import BitcoinDisagreement, InsaneScript

KEYS = (
    "02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5",
    "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
)


def test_bdk_knows_what_is_insane():
    with pytest.raises(InsaneScript, match="bdk does not"):
        second_opinion.check_sane(f"wsh(or_i(pk({KEYS[0]}),after(5)))", Network.MAIN)
    second_opinion.check_sane(f"wsh(pk({KEYS[0]}))", Network.MAIN)


def test_a_form_that_only_one_reads_is_refused():
    internal = KEYS[0][2:]
    with pytest.raises(BitcoinDisagreement, match="write multi_a for sortedmulti_a"):
        Descriptor.parse(f"tr({internal},sortedmulti_a(1,{KEYS[1]}))", Network.MAIN)


def test_scripts_that_differ_are_refused(monkeypatch):
    monkeypatch.setattr(second_opinion, "script", lambda *_: b"\x51")
    with pytest.raises(BitcoinDisagreement, match="different scripts at 0/0"):
        Descriptor.parse(f"wsh(multi(1,{KEYS[1]},{KEYS[0]}))", Network.SIGNET)
