"""The units: valid, hardened, and saying the same as the program. No systemd needs to run for any of it."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict

import pytest

from drivers.actuators.page import SOCKET
from tests.support.tree import ROOT

SYSTEMD = ROOT / "systemd"
UNIT = SYSTEMD / "fengsui.service"
DISPLAY = SYSTEMD / "fengsui-display.service"
UNITS = pytest.mark.parametrize("file", [UNIT, DISPLAY], ids=lambda file: file.stem)
ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (Debian package systemd)")

# Tenths of the exposure level, as --threshold counts: 1.5.
EXPOSURE = 15


def settings(file=UNIT):
    """name → every value given, whatever the section (a unit repeats no name across sections)."""
    found = defaultdict(list)
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


@pytest.fixture(scope="module")
def unit():
    return settings()


def analyze(*arguments):
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False)


@UNITS
@needs_analyze
def test_the_unit_is_valid(file, tmp_path):
    """verify wants the program to exist, so here it does, elsewhere."""
    program = tmp_path / "fengsui"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / file.name
    copy.write_text(file.read_text().replace("/opt/fengsui/current/bin/fengsui", str(program)))
    done = analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stderr.strip()) == (0, "")


@UNITS
@needs_analyze
def test_the_exposure_is_at_most_1_5(file):
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(file))
    assert done.returncode == 0, done.stdout


@needs_analyze
def test_the_gate_would_fail_an_open_unit(tmp_path):
    """The gate is worth something only if it can close."""
    softer = tmp_path / UNIT.name
    softer.write_text(re.sub(r"^(SystemCallFilter|RestrictNamespaces)=.*\n", "", UNIT.read_text(), flags=re.MULTILINE))
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(softer)).returncode != 0


@UNITS
def test_it_starts_the_command_that_the_project_installs(file):
    (command,) = settings(file)["ExecStart"]
    program, verb, *options = command.split()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert program.rsplit("/", 1)[1] in scripts
    module, _, _ = scripts["fengsui"].partition(":")
    ask = f"import sys; from {module} import main; sys.argv = ['fengsui', {verb!r}, '--help']; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in options if option.startswith("--"))


@UNITS
def test_it_never_gives_up_and_never_waits_for_a_network(file):
    unit = settings(file)
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    ordering = " ".join(unit["After"] + unit["Wants"] + unit["Requires"])
    assert "network-online" not in ordering
    assert "time-sync" not in ordering


def test_readiness_and_watchdog_come_from_the_main_process(unit):
    assert (unit["Type"], unit["NotifyAccess"], unit["WatchdogSec"]) == (["notify"], ["main"], ["30"])


SETTLE = SYSTEMD / "fengsui-settle.service"


@needs_analyze
def test_the_unit_that_judges_a_release_is_valid():
    done = analyze("verify", "--man=no", str(SETTLE))
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_a_release_is_judged_by_its_own_program_and_again_after_a_power_cut():
    unit = settings(SETTLE)
    (trial,) = unit["ConditionPathIsSymbolicLink"]
    (command,) = unit["ExecStart"]
    script = SYSTEMD / "release" / command.rpartition("/")[2]
    assert command == f"/bin/sh {trial}/system/{script.name}"
    assert script.exists()
    assert (unit["WantedBy"], unit["Restart"]) == (["multi-user.target"], ["on-abnormal"])
    patience = int(re.search(r"FENGSUI_PATIENCE:-(\d+)", script.read_text(encoding="utf-8"))[1])
    assert patience > 60 * int(settings()["TimeoutStartSec"][0].removesuffix("min"))
    assert patience < 60 * int(unit["TimeoutStartSec"][0].removesuffix("min"))


def test_the_boot_id_stays_readable_and_the_ports_visible(unit):
    assert "ProcSubset" not in unit
    assert "PrivateDevices" not in unit
    allowed = {value.split()[0] for value in unit["DeviceAllow"]}
    assert allowed >= {"char-ttyUSB", "char-ttyACM", "char-ttyAMA", "char-gpiochip"}


def test_it_writes_only_below_its_own_directories(unit):
    assert unit["ProtectSystem"] == ["strict"]
    assert "ReadWritePaths" not in unit
    assert (unit["StateDirectory"], unit["StateDirectoryMode"]) == (["fengsui"], ["0700"])
    assert (unit["RuntimeDirectory"], unit["RuntimeDirectoryMode"]) == (["fengsui"], ["0750"])


@UNITS
def test_memory_and_tasks_are_bounded_and_a_core_dump_holds_no_key(file):
    unit = settings(file)
    assert re.fullmatch(r"\d+M", unit["MemoryMax"][0])
    assert int(unit["TasksMax"][0]) <= 64
    assert unit["LimitCORE"] == ["0"]


@UNITS
def test_no_secret_stands_in_the_unit(file):
    assert not {"Environment", "SetCredential", "PassEnvironment"} & settings(file).keys()


# The display page


def test_the_display_is_hardened_as_the_agent_and_more(unit):
    """What the agent has for its devices, its clock and its state, the page does without."""
    page = settings(DISPLAY)
    hardening = {name for name in unit if name.startswith(("Protect", "Restrict", "Private", "SystemCall", "NoNew"))}
    hardening |= {"CapabilityBoundingSet", "AmbientCapabilities", "LockPersonality", "MemoryDenyWriteExecute"}
    for name in hardening - {"RestrictAddressFamilies"}:
        assert page[name] == unit[name], name
    assert "DeviceAllow" not in page
    assert "StateDirectory" not in page
    assert (page["IPAddressDeny"], page["IPAddressAllow"]) == (["any"], ["localhost"])


def test_the_agent_reaches_the_display_by_its_group_and_the_display_reaches_no_agent(unit):
    page = settings(DISPLAY)
    assert page["Group"] == unit["Group"]
    assert page["User"] != unit["User"]
    assert any(row.startswith(f"u {page['User'][0]} - ") for row in rows("fengsui.sysusers"))
    assert f"/run/{page['RuntimeDirectory'][0]}/display.sock" == SOCKET
    assert page["RuntimeDirectoryMode"] == ["0750"]
    closed = page["InaccessiblePaths"][0].split()
    assert closed == [f"-/{where}/fengsui" for where in ("run", "etc", "var/lib")]


# Users, directories, device names


def rows(name):
    lines = (SYSTEMD / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_the_user_is_static_and_in_the_groups_of_its_devices(unit):
    assert "DynamicUser" not in unit
    assert rows("fengsui.sysusers")[0].startswith(f"u {unit['User'][0]} - ")
    groups = {row.split()[2] for row in rows("fengsui.sysusers") if row.startswith("m ")}
    assert groups == {"dialout", "gpio", "audio"}


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_sysusers_makes_them_on_an_empty_system(tmp_path):
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", "--dry-run", str(SYSTEMD / "fengsui.sysusers")],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_directories_agree_with_the_unit(unit):
    made = {fields[1]: fields[2:] for fields in map(str.split, rows("fengsui.tmpfiles"))}
    assert made["/var/lib/fengsui"] == [unit["StateDirectoryMode"][0], "fengsui", "fengsui", "-"]
    assert made["/etc/fengsui"] == [unit["ConfigurationDirectoryMode"][0], "root", "fengsui", "-"]
    assert made["/etc/fengsui/credentials"][0] == "0700"


RULE = re.compile(r'\s*([A-Z_]+)(?:\{[\w.\-]+\})?(==|!=|\+=|:=|=)"([^"]*)"\s*(?:,|$)')
MATCHED = {"ACTION", "ATTR", "ATTRS", "DRIVER", "DRIVERS", "ENV", "KERNEL", "KERNELS", "SUBSYSTEM", "SUBSYSTEMS"}
SET = {"ENV", "ATTR", "GOTO", "GROUP", "IMPORT", "LABEL", "MODE", "SYMLINK"}


def parsed_rules():
    for row in rows("60-fengsui.rules"):
        pairs, end = [], 0
        while match := RULE.match(row, end):
            pairs.append(match.groups())
            end = match.end()
        assert end == len(row), f"cannot be read from column {end}: {row}"
        yield pairs


def test_udev_rules_are_well_formed():
    for pairs in parsed_rules():
        for key, operator, _ in pairs:
            assert key in (MATCHED if operator in {"==", "!="} else SET), (key, operator)


def test_every_goto_has_its_label_further_down():
    labels = {}
    jumps = []
    for number, pairs in enumerate(parsed_rules()):
        labels |= {value: number for key, _, value in pairs if key == "LABEL"}
        jumps += [(value, number) for key, _, value in pairs if key == "GOTO"]
    assert jumps
    assert all(number < labels[target] for target, number in jumps)


def test_ports_get_stable_names_and_the_serial_group():
    flat = [pair for pairs in parsed_rules() for pair in pairs]
    names = [value for key, _, value in flat if key == "SYMLINK"]
    assert any("ID_PATH" in name for name in names)
    assert any("ID_SERIAL_SHORT" in name for name in names)
    assert all(name.startswith("fengsui/") and "PORT}" in name for name in names)
    assert ("GROUP", "=", "dialout") in flat
