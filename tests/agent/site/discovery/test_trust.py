import pytest

from agent.settings import DeviceTls
from agent.site.discovery.trust import Trusts
from shared.errors import SettingInvalid
from shared.site import Instrument

PIN = DeviceTls(fingerprints=("ab" * 32,))
OTHER = DeviceTls(fingerprints=("cd" * 32,))
PDUS = [Instrument(id=name, profile="raritan.xerus", address="127.0.0.1") for name in ("pdu-1", "pdu-2")]


def test_an_instrument_goes_before_its_profile():
    trusts = Trusts({"raritan.xerus": PIN, "pdu-2": OTHER}, PDUS)
    assert trusts.of(PDUS[0]) is not trusts.of(PDUS[1])
    assert trusts.of(PDUS[0]) is not None


def test_without_settings_it_is_plain_http():
    assert Trusts({}, PDUS).of(PDUS[0]) is None


@pytest.mark.parametrize("name", ["raritan.xeruss", "pdu-3", "eastron.sdm630"])
def test_a_name_that_fits_no_pdu_is_refused_at_once(name):
    with pytest.raises(SettingInvalid, match=f"device_tls.{name}: no PDU of the site's file"):
        Trusts({name: PIN}, PDUS)
