"""The control port: HTTP and JSON on loopback, through which tests and demonstrations see the truth and break things.

GET /truth, GET /truth?device=ID, GET /site, POST and DELETE /fault, POST /time, POST /ambient, POST /power.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec

from hardware_sims.clock import MAX_FACTOR
from hardware_sims.faults import Fault, FaultDetail, FaultState
from hardware_sims.http import HttpRequest, HttpResponse, HttpServer
from hardware_sims.simulation import UnknownDevice
from hardware_sims.site import SimulatedSite
from hardware_sims.truth import device, truth
from shared.errors import BesError, DecodeFailed
from shared.site import miner_id

_T = TypeVar("_T")


class FaultOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`device` is an id of the site, a miner's MAC or its address; `detail` as in `FaultDetail`."""

    device: str
    kind: Fault
    detail: FaultDetail = FaultDetail()


class FaultEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Without `kind` all faults of the device end, without `device` all faults of the site."""

    device: str | None = None
    kind: Fault | None = None


class TimeOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    factor: Annotated[float, msgspec.Meta(ge=0, le=MAX_FACTOR)]


class AmbientOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outside air, before the container's own warmth; null gives the day's curve back."""

    inlet_c: Annotated[float, msgspec.Meta(ge=-60, le=90)] | None


class PowerOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A miner's plug or a feeder's breaker."""

    device: str
    on: bool


class ControlServer:
    """Bound to loopback by its caller. Errors come as `{"error": text}` with 400 or 404."""

    def __init__(self, site: SimulatedSite) -> None:
        self._site = site
        self._http = HttpServer(self._handle, FaultState())
        self._routes: dict[tuple[str, str], Callable[[HttpRequest], Any]] = {
            ("GET", "/truth"): self._truth,
            ("GET", "/site"): lambda _request: site.simulation.site,
            ("POST", "/fault"): self._set_fault,
            ("DELETE", "/fault"): self._clear_fault,
            ("POST", "/time"): self._set_time,
            ("POST", "/ambient"): self._set_ambient,
            ("POST", "/power"): self._set_power,
        }

    async def start(self, port: int, host: str = "127.0.0.1") -> None:
        await self._http.start(host, port)

    async def stop(self) -> None:
        await self._http.stop()

    @property
    def port(self) -> int:
        return self._http.port

    async def _handle(self, request: HttpRequest) -> HttpResponse:
        route = self._routes.get((request.method, request.path))
        if route is None:
            known = ", ".join(f"{method} {path}" for method, path in self._routes)
            return _json({"error": f"no {request.method} {request.path} here; there is {known}"}, 404)
        try:
            return _json(route(request))
        except UnknownDevice as error:
            return _json({"error": str(error)}, 404)
        except BesError as error:
            return _json({"error": str(error)}, 400)

    def _truth(self, request: HttpRequest) -> dict[str, Any]:
        if "device" in request.query:
            return device(self._site, self._device(request.query["device"]))
        return truth(self._site)

    def _set_fault(self, request: HttpRequest) -> dict[str, Any]:
        order = _decode(request.body, FaultOrder)
        if order.kind is Fault.MOVED and order.detail.address is None:
            raise DecodeFailed("fault moved needs detail.address, the address to move to")
        name = self._device(order.device)
        self._site.simulation.faults[name].set(order.kind, order.detail)
        return device(self._site, name)

    def _clear_fault(self, request: HttpRequest) -> dict[str, Any]:
        end = _decode(request.body or b"{}", FaultEnd)
        faults = self._site.simulation.faults
        names = list(faults) if end.device is None else [self._device(end.device)]
        for name in names:
            if faults[name].names():
                faults[name].clear(end.kind)
        return {"faults": {name: faults[name].names() for name in names if faults[name].names()}}

    def _set_time(self, request: HttpRequest) -> dict[str, Any]:
        self._site.clock.set_factor(_decode(request.body, TimeOrder).factor)
        return {"factor": self._site.clock.factor}

    def _set_ambient(self, request: HttpRequest) -> dict[str, Any]:
        ambient = self._site.simulation.fleet.ambient
        ambient.hold(_decode(request.body, AmbientOrder).inlet_c)
        return {"outside_c": ambient.outside_c(self._site.simulation.now_s)}

    def _set_power(self, request: HttpRequest) -> dict[str, Any]:
        order = _decode(request.body, PowerOrder)
        simulation = self._site.simulation
        if order.device in simulation.tree.index:
            simulation.switch_feeder(order.device, on=order.on)
        else:
            simulation.machine(self._device(order.device)).set_outlet(order.on)
        return {"device": order.device, "on": order.on}

    def _device(self, name: str) -> str:
        """The device id for an id, a MAC or an address."""
        faults = self._site.simulation.faults
        if name in faults:
            return name
        if miner_id(name) in faults:
            return miner_id(name)
        for device_id, host in self._site.hosts.items():
            if host.address == name:
                return device_id
        raise UnknownDevice(f"{name!r} is not simulated here; GET /site lists all")


def _decode(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise DecodeFailed(f"request body: {error}") from error


def _json(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(status, msgspec.json.encode(value))
