import pytest

from hardware_sims.miners import SERVERS
from hardware_sims.model import family_of, model_list, model_named
from shared.errors import SettingInvalid


@pytest.mark.parametrize("model", model_list().model, ids=lambda model: model.name)
def test_models_are_consistent(model):
    watts = [power_w for power_w, _ in model.ladder]
    rates = [rate_ths for _, rate_ths in model.ladder]
    assert watts == sorted(set(watts))
    assert rates == sorted(set(rates))
    assert model.family in SERVERS
    assert "normal" in model.modes
    assert all(watts[0] <= mode_w <= watts[-1] for mode_w in model.modes.values())
    assert model.source
    assert family_of(model).psu_efficiency < 1


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(SettingInvalid, match="Antminer S21"):
        model_named("S99")
