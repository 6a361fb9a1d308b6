"""A station set up by answers, and by a site pack; and packs that must not be believed."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import AttributeOID
from hypothesis import given
from hypothesis import strategies as st

from agent.config_load import load
from agent.demo.authority import Authority
from agent.keys import load_key
from agent.site.pack import CONFIG, SECRET, check_size, open_pack, plain_name, seal_pack
from agent.site.provision import fill, mark
from agent.station_key import KEY_FILE
from drivers import profile
from protocols.errors import LocalError
from protocols.keyring import fingerprint
from tests.support.station import fengsui

ANSWERS = """
id = "slv16001"
name = "城西村"
areas = ["330102001"]
language = "en"
broker = "mqtt://127.0.0.1:1883"
username = "slv"
password = 'with "quotes"'
port = "tcp://127.0.0.1:5020"
profile = "sl651-level"
keyset = "keyset.cbor"
roots = "{roots}"
siren_port = "tcp://127.0.0.1:5021"
"""
TEMPLATE = """
[station]
id = "${{id}}"
name = "${{name}}"
areas = ["${{area}}"]
language = "zh"
state = "state"

[[route]]
name = "county"
url = "mqtts://mqtt.example.org:8883"
credentials = "county.credentials"

[[bus]]
name = "field"
url = "${{port}}"

[[sensor]]
name = "level"
bus = "field"
profile = "sl651-level"
unit = 1

[warnings]
keyset = "keyset.cbor"
roots = {roots}
"""


@pytest.fixture
def office(tmp_path):
    folder = tmp_path / "office"
    folder.mkdir()
    authority = Authority()
    (folder / "keyset.cbor").write_bytes(authority.keyset())
    (folder / "site.toml").write_text(TEMPLATE.format(roots=json.dumps(authority.roots)))
    (folder / "stations.csv").write_text(
        'id,name,area,username,password\ns1,城西,330102001,s1,"p""1"\ns2,"a ""b""",330102002,s2,p2\n'
    )
    assert fengsui("warn", "key", "new", folder / "office.pem").returncode == 0
    return folder


def provision(office):
    return fengsui(
        *("provision", office / "stations.csv", "--template", office / "site.toml"),
        *("--key", office / "office.pem", "--out", office / "packs", "--json"),
    )


def provisioned(office):
    done = provision(office)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_answers_end_in_a_configuration_that_is_right(tmp_path):
    authority = Authority()
    (tmp_path / "keyset.cbor").write_bytes(authority.keyset())
    (tmp_path / "answers.toml").write_text(ANSWERS.format(roots=" ".join(authority.roots)))
    target = tmp_path / "station.toml"
    done = fengsui("init", "--config", target, "--answers", tmp_path / "answers.toml", "--json")
    assert done.returncode == 0, done.stderr
    made, config = json.loads(done.stdout), load(target)[0]
    assert config.station.name == "城西村"
    assert config.actuators[0].config.channel == 1
    key = load_key(config.state / KEY_FILE).public_key().public_bytes_raw()
    assert made["key"] == key.hex()
    assert made["fingerprint"] == fingerprint(key, bytes.fromhex(made["narrow"]))
    assert len(made["fingerprint"].split()) == 8
    assert made["qr"].startswith("fengsui:slv16001?v=1&key=")
    request = x509.load_pem_x509_csr((tmp_path / "client.csr").read_bytes())
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=slv16001"
    for secret in ("client.key", "platform.credentials", "state/station.key", "state/narrow.key"):
        assert (tmp_path / secret).stat().st_mode & 0o077 == 0
    assert (tmp_path / "identity.png").read_bytes().startswith(b"\x89PNG")
    assert fengsui("check", "--config", target).returncode == 0
    again = fengsui("init", "--config", target, "--answers", tmp_path / "answers.toml")
    assert again.returncode == 2
    assert "not replaced" in again.stderr


def test_a_second_run_makes_what_is_missing_and_changes_nothing(tmp_path):
    target = tmp_path / "station.toml"
    assert fengsui("init", "--config", target, data=b"s1\n\n\n\nen\n\n\n\n").returncode == 0
    before = {file: file.read_bytes() for file in sorted(tmp_path.rglob("*")) if file.is_file()}
    (tmp_path / "client.csr").unlink()
    (tmp_path / "identity.png").unlink()
    again = fengsui("init", "--config", target, "--json")
    assert again.returncode == 0, again.stderr
    after = {file: file.read_bytes() for file in sorted(tmp_path.rglob("*")) if file.is_file()}
    assert after.keys() == before.keys()
    changed_files = {file.name for file in before if after[file] != before[file]}
    assert changed_files <= {"client.csr", "identity.svg"}  # a signature, and a date
    assert json.loads(again.stdout)["key"] in (tmp_path / "identity.txt").read_text()


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ('id = "no spaces"', "id"),
        ('id = "s1"\nareas = "x"', "areas"),
        ('id = "s1"\nbroker = "http://x"', "broker"),
        ('id = "s1"\ncolour = "red"', "colour"),
        ('id = "s1"\nport = "tcp://127.0.0.1:1"\nprofile = "no-such"', "no-such"),
        ('id = "s1"\nkeyset = "none.cbor"\nroots = "00"', "roots|keyset"),
        ("id =", "not set up"),
    ],
)
def test_wrong_answers_write_nothing(tmp_path, answers, says):
    (tmp_path / "answers.toml").write_text(answers)
    done = fengsui("init", "--config", tmp_path / "station.toml", "--answers", tmp_path / "answers.toml")
    assert done.returncode == 2
    assert any(word in done.stderr for word in says.split("|"))
    assert "Traceback" not in done.stderr
    assert sorted(one.name for one in tmp_path.iterdir()) == ["answers.toml"]


def test_a_person_is_asked_and_may_mistype(tmp_path):
    words = ["no good", "s1", "", "", "", "en", "", "", ""]
    done = fengsui("init", "--config", tmp_path / "station.toml", data="\n".join(words).encode() + b"\n")
    assert done.returncode == 0, done.stderr
    assert "no good is no answer" in done.stderr
    assert load(tmp_path / "station.toml")[0].station.id == "s1"


def test_answers_that_do_not_stand_the_check_are_asked_for_anew_and_no_others(tmp_path):
    """A port by its file's name that is not there, and a profile mistyped: the rest of the visit is not lost."""
    (tmp_path / "tty").symlink_to("/dev/null")
    first = ["s1", "", "", "", "en", "", "/dev/fengsui-none", "qianjia_rain", "", ""]
    again = [str(tmp_path / "tty"), "qianjia-rain", "2"]
    done = fengsui("init", "--config", tmp_path / "station.toml", data="\n".join([*first, *again, ""]).encode())
    assert done.returncode == 0, done.stderr
    assert "qianjia_rain" in done.stderr
    assert done.stderr.count("Its name for people") == 1
    config = load(tmp_path / "station.toml")[0]
    assert config.buses[0].url == f"serial://{tmp_path}/tty?baud=9600"
    assert config.sensors[0].config.unit == 2


def test_answers_that_end_too_early_write_nothing(tmp_path):
    done = fengsui("init", "--config", tmp_path / "station.toml", data=b"s1\n")
    assert done.returncode == 2
    assert "before the questions" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_pack_needs_three_answers(office, tmp_path):
    told, site = provisioned(office), tmp_path / "site"
    assert told["packs"] == ["s1.pack", "s2.pack"]
    answers = [told["fingerprint"], "yes", "tcp://127.0.0.1:5020"]
    done = fengsui(
        *("init", "--config", site / "station.toml", "--pack", office / "packs/s2.pack"),
        data="\n".join(answers).encode() + b"\n",
    )
    assert done.returncode == 0, done.stderr
    config = load(site / "station.toml")[0]
    assert (config.station.id, config.station.name, config.buses[0].url) == ("s2", 'a "b"', "tcp://127.0.0.1:5020")
    secret = (site / SECRET).read_bytes()
    request = x509.load_pem_x509_csr((site / "client.csr").read_bytes())
    assert request.attributes.get_attribute_for_oid(AttributeOID.CHALLENGE_PASSWORD).value == secret.strip()
    assert f"s2,{mark(secret)}\n" in (office / "packs/enrolment.csv").read_text()
    assert (office / "packs/s2.pack").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (["0000 " * 8, "yes", "tcp://127.0.0.1:5020"], 1),
        ([None, "no", "tcp://127.0.0.1:5020"], 2),
        ([None, "yes", "nonsense", "nonsense", "nonsense"], 2),
    ],
)
def test_a_pack_of_a_stranger_or_for_another_place_is_not_opened(office, tmp_path, answers, code):
    told = provisioned(office)
    words = [told["fingerprint"] if word is None else word for word in answers]
    done = fengsui(
        *("init", "--config", tmp_path / "site/station.toml", "--pack", office / "packs/s1.pack"),
        data="\n".join(words).encode() + b"\n",
    )
    assert done.returncode == code
    assert not (tmp_path / "site").exists()


def test_a_wrong_row_writes_no_pack_at_all(office):
    (office / "stations.csv").write_text("id,name,area,username,password\ns1,n,330102001,a,b\ns1,n,330102001,a,b\n")
    done = provision(office)
    assert done.returncode == 2
    assert "line 3" in done.stderr
    assert not (office / "packs").exists()


# What a configuration names besides itself

MORE = """
[[bearer]]
name = "stick"
driver = "sim"
air = "."
to = "headend"

[narrow]
headend = "headend.pub"

[[sensor]]
name = "own"
bus = "field"
profile = "of-our-own"
prefix = "second"
unit = 2

[[sensor]]
name = "nodes"
driver = "coap-lan"
[[sensor.node]]
name = "well"
key = "${id}-well.json"
[sensor.node.series.stage]
name = "well.stage"
unit = "m"
span = [0, 20]

[[actuator]]
name = "speaker"
driver = "speaker"

[lan]
purpose = "wireless nodes"
listen = "192.168.4.1"
"""
PLANS = """
[[plan]]
name = "flood"
event = ["flash-flood"]
voice = { clip = "flood", repeat = 3 }
"""


@pytest.fixture
def full_office(office):
    """A template that names keys, a node's secret, a profile of its own and recorded words."""
    text = (office / "site.toml").read_text() + 'plans = "plans.toml"\n' + MORE
    (office / "site.toml").write_text(text)
    (office / "plans.toml").write_text(PLANS)
    (office / "headend.pub").write_text("ab" * 32)
    for station in ("s1", "s2"):
        context = {"secret_hex": "00" * 16, "sender-id_hex": "01", "recipient-id_hex": f"0{station[1]}0a"}
        (office / f"{station}-well.json").write_text(json.dumps(context))
    (office / "profiles").mkdir()
    shipped = Path(profile.__file__).parent / "profiles/sl651-level.toml"
    (office / "profiles/of-our-own.toml").write_text(shipped.read_text())
    (office / "clips").mkdir()
    for name in ("flood", "exercise"):
        (office / f"clips/{name}.wav").write_bytes(b"RIFF" + bytes(100_000))
    return office


def test_a_pack_holds_all_that_the_configuration_names(full_office, tmp_path):
    told, site = provisioned(full_office), tmp_path / "site"
    (tmp_path / "answers.toml").write_text(
        f'office = "{told["fingerprint"]}"\nhere = "yes"\npack_port = "tcp://127.0.0.1:5020"\n'
    )
    pack = ("--pack", full_office / "packs/s2.pack", "--answers", tmp_path / "answers.toml")
    done = fengsui("init", "--config", site / "station.toml", *pack)
    assert done.returncode == 0, done.stderr
    for name in ("headend.pub", "s2-well.json", "plans.toml", "profiles/of-our-own.toml", "clips/flood.wav"):
        assert (site / name).read_bytes() == (full_office / name).read_bytes()
    assert not (site / "s1-well.json").exists()
    assert (site / "s2-well.json").stat().st_mode & 0o077 == 0
    assert load(site / "station.toml")[1] == []


@pytest.mark.parametrize(
    ("gone", "says"),
    [
        ("headend.pub", "headend.pub"),
        ("s2-well.json", "s2-well.json"),
        ("profiles/of-our-own.toml", "of-our-own"),
        ("clips/flood.wav", "clips/flood.wav"),
        ("clips/exercise.wav", "clips/exercise.wav"),
        ("plans.toml", "plans.toml"),
    ],
)
def test_no_pack_is_made_that_lacks_something(full_office, gone, says):
    (full_office / gone).unlink()
    done = provision(full_office)
    assert done.returncode == 2
    assert says in done.stderr
    assert not (full_office / "packs").exists()


def test_no_pack_is_made_that_a_station_would_refuse(full_office):
    (full_office / "clips/flood.wav").write_bytes(bytes(7 << 20))
    assert "more than" in provision(full_office).stderr
    with pytest.raises(LocalError):
        check_size({str(number): bytes(4 << 20) for number in range(4)})
    with pytest.raises(LocalError):
        check_size({str(number): b"" for number in range(200)})


@pytest.mark.parametrize(
    "name", ["../x", "clips/../x", "clips/a/b", "state/station.key", "/etc/x", "clips/", "clips/.x", ""]
)
def test_a_packs_files_lie_beside_the_configuration(name):
    assert not plain_name(name)
    with pytest.raises(LocalError):
        open_pack(seal_pack("s1", {CONFIG: b"x", name: b"y"}, KEY, 0, 9), OFFICE, 9)


def test_packs_are_written_all_or_none_and_a_table_of_another_encoding_is_named(office):
    words = ("--template", office / "site.toml", "--key", office / "office.pem", "--out", office / "packs")
    (office / "packs").mkdir()
    (office / "packs/s2.pack").write_bytes(b"an earlier one")
    done = fengsui("provision", office / "stations.csv", *words)
    assert done.returncode == 2
    assert "s2.pack is there already" in done.stderr
    assert [file.name for file in (office / "packs").iterdir()] == ["s2.pack"]
    done = fengsui("provision", office / "none.csv", *words)
    assert f"no pack was written: {office}/none.csv: No such file" in done.stderr
    (office / "stations.csv").write_bytes("id,name\ns1,城西\n".encode("gb18030"))
    done = fengsui("provision", office / "stations.csv", *words)
    assert done.returncode == 2
    assert "UTF-8" in done.stderr


# The archive

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OFFICE = fingerprint(KEY.public_key().public_bytes_raw())
GOOD = seal_pack("s1", {CONFIG: b"x", SECRET: b"y"}, KEY, 0, 9)


def test_a_good_pack_opens():
    assert open_pack(GOOD, OFFICE.replace(" ", "").upper(), 9).files == {CONFIG: b"x", SECRET: b"y"}


def test_an_old_pack_is_refused():
    for data in (GOOD, seal_pack("s1", {CONFIG: b"x"}, KEY, 0, 0)):
        with pytest.raises(LocalError) as refused:
            open_pack(data, OFFICE, 10)
        assert refused.value.reason == "pack-old"


def changed(name, data):
    """The same archive with one file another."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(GOOD)) as old, tarfile.open(fileobj=out, mode="w") as new:
        for entry in old:
            body = data if entry.name == name else old.extractfile(entry).read()
            entry.size = len(body)
            new.addfile(entry, io.BytesIO(body))
    return out.getvalue()


def with_entry(**facts):
    out = io.BytesIO(GOOD)
    with tarfile.open(fileobj=out, mode="a") as tar:
        entry = tarfile.TarInfo()
        for name, value in facts.items():
            setattr(entry, name, value)
        tar.addfile(entry, io.BytesIO())
    return out.getvalue()


def headers_of_headers():
    """Each says something of the next one: read one inside the other."""
    entry = tarfile.TarInfo("more")
    entry.type, entry.size = tarfile.XHDTYPE, 0
    return entry.tobuf() * 2000


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (changed(CONFIG, b"z"), "pack-damaged"),
        (changed("manifest.json", b"{}"), "pack-signature"),
        (changed("manifest.sig", b""), "pack-unsigned"),
        (with_entry(name="../evil"), "pack-entry"),
        (with_entry(name="more"), "pack-damaged"),
        (with_entry(name="link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "pack-entry"),
        (with_entry(name=CONFIG), "pack-entry"),
        (with_entry(name="holes", type=tarfile.GNUTYPE_SPARSE), "pack-entry"),
        (headers_of_headers(), "pack-archive"),
        (b"", "pack-archive"),
        (bytes(17 << 20), "pack-size"),
    ],
)
def test_a_pack_that_is_not_what_was_signed(data, reason):
    with pytest.raises(LocalError) as refused:
        open_pack(data, OFFICE, 9)
    assert refused.value.reason == reason


@given(st.binary(max_size=2000), st.integers(0, len(GOOD)))
def test_rubbish_is_refused_and_no_more(data, at):
    for bad in (data, GOOD[:at] + data + GOOD[at:]):
        try:
            assert open_pack(bad, OFFICE, 9).files == {CONFIG: b"x", SECRET: b"y"}
        except LocalError:
            continue


def test_a_template_says_where_the_state_is(office):
    template = office / "site.toml"
    template.write_text(template.read_text().replace('state = "state"\n', ""))
    done = fengsui(
        "provision", office / "stations.csv", "--template", template, "--key", office / "office.pem", "--out", office
    )
    assert done.returncode == 2
    assert "/var/lib/fengsui" in done.stderr


def test_the_units_own_state_is_said_outright():
    from agent.cli.init import _state

    assert _state(Path("/etc/fengsui/station.toml")) == "/var/lib/fengsui"
    assert _state(Path("station.toml")) == ""


def test_a_value_stays_inside_its_string():
    assert fill('name = "${name}"', {"name": 'a"\nb = "c'}) == 'name = "a\\"\\nb = \\"c"'
    with pytest.raises(LocalError):
        fill("${none}", {})
