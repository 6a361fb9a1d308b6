"""Which wheels a release needs on another machine than this one; and the office's commands given wrong input."""

import zipfile

import pytest

from agent.release import build
from agent.release.target import Target, closure, read_wheel
from protocols.errors import LocalError
from tests.support.station import fengsui

PI = Target("aarch64", "3.11")


def wheels(folder, **requires):
    """name → what it requires, as wheels in a folder."""
    found = {}
    for name, lines in requires.items():
        file = folder / f"{name}-1.0-py3-none-any.whl"
        text = "".join(
            ["Metadata-Version: 2.1\n", f"Name: {name}\nVersion: 1.0\n", *(f"Requires-Dist: {x}\n" for x in lines)]
        )
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(f"{name}-1.0.dist-info/METADATA", text)
        found[name] = read_wheel(file)
    return found


def needed(found, extras=(), target=PI):
    done = closure(found, "root", frozenset(extras), target)
    return [one.name for one in done.wheels], [str(one) for one in done.missing]


def test_markers_are_the_targets(tmp_path):
    found = wheels(
        tmp_path,
        root=["old; python_version < '3.13'", "arm; platform_machine == 'aarch64'", "dos; sys_platform == 'win32'"],
        old=[],
        arm=[],
        spare=[],
    )
    assert needed(found) == (["arm", "old", "root"], [])
    assert needed(found, target=Target("x86_64", "3.13")) == (["root"], [])


def test_extras_reach_through(tmp_path):
    found = wheels(tmp_path, root=["a[x]; extra == 'gpio'", "b"], a=["c; extra == 'x'"], b=[], c=["root"])
    assert needed(found)[0] == ["b", "root"]
    assert needed(found, ["gpio"])[0] == ["a", "b", "c", "root"]


def test_what_is_missing_or_too_old_is_named(tmp_path):
    assert needed(wheels(tmp_path, root=["gone", "a>=2"], a=[]))[1] == ["gone", "a>=2"]


def test_targets_as_people_write_them():
    assert Target.parse("aarch64", "311") == Target.parse("aarch64", "3.11") == PI
    assert "manylinux_2_28_aarch64" in PI.platforms
    for arch, python in (("armv7l", "311"), ("aarch64", "27"), ("aarch64", "310"), ("aarch64", "3.1.1"), ("", "")):
        with pytest.raises(LocalError):
            Target.parse(arch, python)


def test_an_extra_without_a_wheel_is_left_out_and_named(tmp_path, monkeypatch):
    def fetch(wanted, *_):
        if any("gpio" in word for word in wanted):
            raise LocalError("bundle-pip", "no matching distribution")

    monkeypatch.setattr(build, "fetch", fetch)
    had, left_out = build._fetch_all(tmp_path / "own.whl", tmp_path, PI, tmp_path)
    assert (had, left_out) == ({"modemmanager", "sm"}, ("gpio",))


def test_what_every_station_needs_is_never_left_out(tmp_path, monkeypatch):
    def fetch(*_):
        raise LocalError("bundle-pip", "ERROR: no matching distribution found for lxml")

    monkeypatch.setattr(build, "fetch", fetch)
    with pytest.raises(LocalError, match="lxml"):
        build._fetch_all(tmp_path / "own.whl", tmp_path, PI, tmp_path)


MAKE = ("bundle", "make", "--arch", "aarch64", "--python", "311")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("bundle", "make", "--arch", "armv7l", "--python", "311", "--unsigned"), "armv7l"),
        ((*MAKE, "--key", "none.key"), "none.key"),
        ((*MAKE, "--unsigned", "--source", "/nowhere"), "/nowhere"),
        (MAKE, "--unsigned"),
        (("bundle", "key", "there.key"), "there.key"),
        (("bundle", "verify", "there.key", "--key", "there.key"), "no PEM"),
    ],
)
def test_wrong_input_is_said(words, says, tmp_path):
    (tmp_path / "there.key").write_text("not a key")
    done = fengsui(*(str(tmp_path / word) if word.endswith(".key") else word for word in words))
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_is_made_once_and_its_public_half_goes_to_stations(tmp_path):
    assert fengsui("bundle", "key", tmp_path / "office.key").returncode == 0
    assert (tmp_path / "office.key").stat().st_mode & 0o077 == 0
    assert "PUBLIC KEY" in (tmp_path / "office.key.pub").read_text()
    assert fengsui("bundle", "verify", tmp_path / "none.tar", "--key", tmp_path / "office.key.pub").returncode == 2
