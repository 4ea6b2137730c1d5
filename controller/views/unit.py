"""Field types that carry their unit into the API's description."""

from typing import Annotated

import msgspec


def _unit(symbol: str, description: str) -> msgspec.Meta:
    return msgspec.Meta(description=f"{symbol}. {description}", extra_json_schema={"x-unit": symbol})


Watts = Annotated[float, _unit("W", "At the wall; import counts positive")]
WattHours = Annotated[float, _unit("Wh", "A register that only rises")]
TeraHashes = Annotated[float, _unit("TH/s", "Window of at most a minute")]
Celsius = Annotated[float, _unit("°C", "Hottest of the sensors named")]
JoulesPerTeraHash = Annotated[float, _unit("J/TH", "Watts divided by terahashes per second")]
UsdPerMwh = Annotated[float, _unit("USD/MWh", "Energy price at the site's settlement point")]
UsdPerHour = Annotated[float, _unit("USD/h", "Earned less energy; a calculation, not a booking")]
UsdPerPhsDay = Annotated[float, _unit("USD/PH/s/day", "Hash price as the market quotes it")]
Seconds = Annotated[float, _unit("s", "Duration")]
Millis = Annotated[int, _unit("ms", "UTC wall time since 1970-01-01")]
Percent = Annotated[float, _unit("%", "Of the whole that the field names")]
Amperes = Annotated[float, _unit("A", "Line current")]
Volts = Annotated[float, _unit("V", "Line to neutral unless the meter says otherwise")]
Hertz = Annotated[float, _unit("Hz", "Line frequency")]
MegaHertz = Annotated[float, _unit("MHz", "Chip clock")]
Rpm = Annotated[float, _unit("rpm", "Slowest fan")]
