"""The acceptance report: one HTML file that needs nothing else, sealed by the station's key, and how it is verified.

The last line is a comment with the key and an Ed25519 signature over every byte before it, under a domain of its own. So what
is seen is what was signed; a report whose rows or plots were touched does not verify.
"""

import html
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from agent.say import say
from agent.site.acceptance.rows import Row, Trace
from agent.site.acceptance.run import accepted
from protocols.errors import LocalError

DOMAIN = b"fengsui acceptance report 1\0"
HEAD, TAIL = b"<!-- fengsui-seal ", b" -->\n"
LARGEST = 16 << 20  # bytes
WIDTH, HEIGHT, EDGE = 240, 48, 4  # pixels of a plot

STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1a1a1a}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.35rem .6rem;text-align:left;vertical-align:top}
.pass{color:#0a6b2d}.warn{color:#8a5a00;font-weight:700}.fail{color:#b00020;font-weight:700}.not-fitted{color:#666}code{word-break:break-all}
svg{display:block}polyline{fill:none;stroke:#1557b0;stroke-width:1.5}figure{display:inline-block;margin:.3rem 1rem .3rem 0}
figcaption{font-size:12px;color:#555}
"""


class Report(NamedTuple):
    station: str
    name: str
    timezone: str
    began: int  # Unix seconds
    ended: int
    version: str
    fingerprint: str
    rows: Sequence[Row]


def render(report: Report, language: str) -> bytes:
    title = html.escape(say("accept.title", station=report.station))
    good = accepted(report.rows)
    verdict = html.escape(say("accept.verdict.good" if good else "accept.verdict.bad"))
    data = msgspec.json.encode(report._asdict()).replace(b"<", b"\\u003c").decode()
    return "\n".join(
        [
            f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>',
            f"<style>{STYLE}</style></head><body><h1>{title}</h1>",
            f'<p class="{"pass" if good else "fail"}">{verdict}</p><p>{html.escape(_about(report))}</p>',
            f"<p><code>{report.fingerprint}</code></p><table>",
            *(_row(row) for row in report.rows),
            f'</table><script type="application/json" id="report">{data}</script></body></html>\n',
        ]
    ).encode()


def _about(report: Report) -> str:
    zone = ZoneInfo(report.timezone)
    times = [
        datetime.fromtimestamp(at, UTC).astimezone(zone).isoformat(" ", "minutes")
        for at in (report.began, report.ended)
    ]
    return say(
        "accept.about", name=report.name or report.station, began=times[0], ended=times[1], version=report.version
    )


def sentence(row: Row) -> str:
    """What came of it; a person's reason last, in the person's words."""
    said = say(row.code, **row.facts)
    return f"{said}: {row.reason}" if row.reason else said


def _row(row: Row) -> str:
    cells = (say(f"accept.check.{row.check}"), row.name, say(f"accept.result.{row.result.value}"), sentence(row))
    first, second, result, text = map(html.escape, cells)
    plots = "".join(_plot(trace) for trace in row.traces)
    return (
        f'<tr><td>{first}</td><td>{second}</td><td class="{row.result.value}">{result}</td><td>{text}{plots}</td></tr>'
    )


def _plot(trace: Trace) -> str:
    values = [value for _, value in trace.points]
    caption = html.escape(f"{trace.name}: {min(values):g} … {max(values):g} {trace.unit}")
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _places(trace))
    return f'<figure><svg width="{WIDTH}" height="{HEIGHT}"><polyline points="{points}"/></svg><figcaption>{caption}</figcaption></figure>'


def _places(trace: Trace) -> Iterator[tuple[float, float]]:
    """Points in pixels; what does not move is a line in the middle."""
    times, values = zip(*trace.points, strict=True)
    long, high = max(times) - min(times) or 1.0, max(values) - min(values)
    for at, value in trace.points:
        level = (value - min(values)) / high if high else 0.5
        yield EDGE + (at - min(times)) / long * (WIDTH - 2 * EDGE), HEIGHT - EDGE - level * (HEIGHT - 2 * EDGE)


def seal(page: bytes, key: Ed25519PrivateKey) -> bytes:
    public = key.public_key().public_bytes_raw().hex().encode()
    return page + HEAD + public + b" " + key.sign(DOMAIN + page).hex().encode() + TAIL


def verify(data: bytes) -> bytes:
    """The public key that sealed it. LocalError: it is not what any station sealed."""
    page, _, rest = data.rpartition(HEAD)
    public, _, signature = rest.removesuffix(TAIL).partition(b" ")
    try:
        key = bytes.fromhex(public.decode("ascii"))
        Ed25519PublicKey.from_public_bytes(key).verify(bytes.fromhex(signature.decode("ascii")), DOMAIN + page)
    except (ValueError, InvalidSignature):
        raise LocalError("report-seal", "nobody sealed these bytes") from None
    if data != page + HEAD + key.hex().encode() + b" " + signature.lower() + TAIL:
        raise LocalError("report-seal", "something stands behind the seal")
    return key
