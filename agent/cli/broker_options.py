"""The options that name a broker. Apart from the client, so that `--help` need not load one."""

import argparse


def with_broker(verb: argparse.ArgumentParser, *, required: bool = True) -> None:
    verb.add_argument("--broker", required=required, metavar="URL", help="mqtt://host[:port] or mqtts://host[:port]")
    verb.add_argument("--root", default="fengsui/1", help="topic root (default: fengsui/1)")
    verb.add_argument("--mqtt", choices=("5", "3.1.1"), default="5", help="MQTT version (default: 5)")
    verb.add_argument("--ca", default="", help="CA file for mqtts (default: the system's)")
    verb.add_argument("--cert", default="", help="client certificate")
    verb.add_argument("--key", default="", dest="tls_key", metavar="KEY", help="client key of --cert")
    verb.add_argument("--credentials", default="", help="file with username and password, mode 0600")
