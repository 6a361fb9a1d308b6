"""A module imported at its first use: in a process of its own, since this one has everything."""

import subprocess
import sys


def said(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def test_the_uplink_does_not_load_what_pahos_proxies_need():
    program = (
        "import sys, agent.links.mqtt_connection; print('urllib.request' in sys.modules, 'http.client' in sys.modules)"
    )
    assert said(program) == ["False", "False"]


def test_the_first_look_loads_it_for_everybody():
    program = (
        "import sys\nfrom agent.later import later\n"
        "with later('urllib.request'):\n    import urllib.request\n"
        "print('urllib.request' in sys.modules)\n"
        "print(callable(urllib.request.getproxies), type(sys.modules['urllib.request']).__name__)\n"
        "import urllib.request as again\nprint(again.getproxies is urllib.request.getproxies)\n"
    )
    assert said(program) == ["False", "True", "module", "True"]


def test_what_is_here_already_stays():
    program = (
        "import urllib.request as real\nfrom agent.later import later\n"
        "with later('urllib.request'):\n    import urllib.request\nprint(urllib.request is real)\n"
    )
    assert said(program) == ["True"]


def test_what_has_a_substitute_is_not_loaded():
    program = (
        "import sys\nfrom agent.later import without\n"
        "with without('typing_extensions'):\n    import msgspec\n"
        "print('typing_extensions' in sys.modules, msgspec.convert([1], list[int]))\n"
        "import typing_extensions\nprint('typing_extensions' in sys.modules)\n"
    )
    assert said(program) == ["False", "[1]", "True"]
