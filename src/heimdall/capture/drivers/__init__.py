"""One module for each kind of receiver, and which of them an address means."""

from __future__ import annotations

from dataclasses import replace

from heimdall.capture.drivers.kiwisdr import KiwiSdr
from heimdall.capture.drivers.openwebrx import OpenWebRx
from heimdall.capture.drivers.rtl_tcp import RtlTcp
from heimdall.capture.drivers.sigmf_http import SigmfHttp
from heimdall.capture.drivers.soapy import Soapy
from heimdall.capture.faults import CaptureError, Fault
from heimdall.capture.interface import Driver, ReceiverStatus, Target
from heimdall.capture.network.access import Access
from heimdall.capture.network.address import ANY, Address

DRIVERS: dict[str, Driver] = {
    driver.kind: driver for driver in (KiwiSdr(), RtlTcp(), OpenWebRx(), SigmfHttp(), Soapy())
}
_WEB = ("kiwi", "openwebrx")
"""What a plain web address may turn out to be, the likeliest first."""


def driver_of(address: Address) -> Driver:
    """Raises CaptureError for an address that does not say what it is: `identify` finds it out."""
    if address.kind not in DRIVERS:
        raise CaptureError(Fault.ADDRESS, f"{address} does not say which kind of receiver it is: check it first")
    return DRIVERS[address.kind]


async def identify(target: Target, access: Access) -> tuple[Target, ReceiverStatus]:
    """The target with the kind of its receiver found out, and its state. Raises CaptureError where it is none."""
    kinds = _WEB if target.address.kind == ANY else (target.address.kind,)
    for kind in kinds:
        known = _of_kind(target, kind)
        try:
            return known, await driver_of(known.address).probe(known, access)
        except CaptureError as error:
            if error.fault is not Fault.NO_RECEIVER or kind == kinds[-1]:
                raise
    raise AssertionError("unreachable")


def _of_kind(target: Target, kind: str) -> Target:
    return replace(target, address=replace(target.address, kind=kind))
