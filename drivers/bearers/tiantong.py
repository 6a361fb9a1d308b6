"""Tiantong-1 as a bearer: SMS by a satellite baseband that speaks as a cellular modem does, with a profile of its own.

Where the module multiplexes its one line (3GPP TS 27.010), Linux takes it apart (`ldattach GSM0710`), and the port here
is the channel of its messages.
"""

from drivers.api import Factory
from drivers.bearers.sms import create
from drivers.bearers.sms_config import SmsConfig, check
from drivers.values import Duration


class TiantongConfig(SmsConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "tiantong"`: the keys of `sms`, with what a geostationary satellite is good for."""

    profile: str = "tiantong"
    interval: Duration = Duration(10.0)
    latency: Duration = Duration(30.0)


FACTORY = Factory(TiantongConfig, create, check)
