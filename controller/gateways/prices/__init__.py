"""Energy prices from a file or, for demonstrations, from a formula; both answer `controller.mining.dispatch.Prices`."""

from controller.gateways.prices.absent import NoPrices
from controller.gateways.prices.hashprice import Hashprice
from controller.gateways.prices.series import PriceSeries, SeriesPrices, load_series
from controller.gateways.prices.synthetic import synthetic_day

__all__ = ["Hashprice", "NoPrices", "PriceSeries", "SeriesPrices", "load_series", "synthetic_day"]
