"""China's event codes by the names that headlines use, and which of them other systems' codes mean. Data, and look-ups.

The codes are GB/T 35965.1's as far as independent public sources agree. Unknown codes are normal (senders add their own),
so an event that is not found becomes UNKNOWN: level and text speak for it, and no siren family is ever guessed.
"""

import re
from typing import Final

from protocols.alert import Level

UNKNOWN: Final = "10000"  # what 应急广播 platforms send where no code applies

CODE = re.compile(r"1[0-4][0-9A-Z][0-9A-Z]{2,3}", re.ASCII)

BY_NAME: Final = {
    "洪水": "11A01",
    "内涝": "11A02",
    "山洪": "11A51",
    "山洪灾害": "11A51",
    "台风": "11B01",
    "龙卷风": "11B02",
    "暴雨": "11B03",
    "暴雪": "11B04",
    "寒潮": "11B05",
    "大风": "11B06",
    "沙尘暴": "11B07",
    "低温冻害": "11B08",
    "高温": "11B09",
    "雪崩": "11B13",
    "雷电": "11B14",
    "冰雹": "11B15",
    "霜冻": "11B16",
    "大雾": "11B17",
    "霾": "11B19",
    "雷雨大风": "11B20",
    "道路结冰": "11B21",
    "干旱": "11B22",
    "海上大风": "11B23",
    "森林火险": "11B25",
    "草原火险": "11B26",
    "重污染": "11B29",
    "强对流": "11B31",
    "大雪": "11B33",
    "渍涝风险": "11B36",
    "地质灾害气象风险": "11B37",
    "强降雨": "11B38",
    "强降温": "11B39",
    "雪灾": "11B40",
    "地震": "11C02",
    "地质灾害": "11D00",
    "滑坡": "11D01",
    "泥石流": "11D02",
    "海啸": "11E01",
    "风暴潮": "11E02",
    "海浪": "11E06",
}

# US EAS event codes, which CAP feeds carry as eventCode "SAME"; 47 CFR 11.31(e).
BY_SAME: Final = {
    "AVW": "11B13",
    "BZW": "11B04",
    "CFW": "11A01",
    "EQW": "11C02",
    "FFW": "11A51",
    "FLW": "11A01",
    "FRW": "11G01",
    "HUW": "11B01",
    "HWW": "11B06",
    "SVR": "11B31",
    "TOR": "11B02",
    "TRW": "11B01",
    "TSW": "11E01",
    "VOW": "11D07",
    "WSW": "11B04",
}

# CAMF's hazard numbers; those absent have no counterpart.
BY_CAMF: Final = {
    27: "11G01",
    33: "11B13",
    34: "11D04",
    35: "11D02",
    36: "11C02",
    39: "11D01",
    44: "11E01",
    46: "11D07",
    47: "11E02",
    61: "11B21",
    63: "11B05",
    65: "11B22",
    66: "11B07",
    68: "11A01",
    69: "11B17",
    70: "11B15",
    71: "11B09",
    72: "11B14",
    74: "11B03",
    75: "11B04",
    76: "11B33",
    77: "11B31",
    79: "11B02",
    80: "11B01",
    81: "11B16",
    82: "11B01",
    83: "11A03",
    84: "11A04",
}

_COLOURS: Final = {
    Level.RED: ("红", "紅", "red", "rojo"),
    Level.ORANGE: ("橙", "橘", "orange", "naranja"),
    Level.YELLOW: ("黄", "黃", "yellow", "amarillo"),
    Level.BLUE: ("蓝", "藍", "blue", "azul"),
}
_LEVELS: Final = {colour: level for level, colours in _COLOURS.items() for colour in colours}
_COLOUR = re.compile(r"([红紅橙橘黄黃蓝藍])色|\b(red|rojo|orange|naranja|yellow|amarillo|blue|azul)\b")
_SIGNAL = re.compile(r"([红紅橙橘黄黃蓝藍])色(?:预警|預警|警报|警報|警戒)")
LEVELS: Final = {
    "Red": Level.RED,
    "Orange": Level.ORANGE,
    "Yellow": Level.YELLOW,
    "Blue": Level.BLUE,
}  # 12379's severity
_NUMERALS: Final = {"I": Level.RED, "II": Level.ORANGE, "III": Level.YELLOW, "IV": Level.BLUE}

# CAP parameters that carry a national colour: Taiwan, MeteoAlarm ("3; orange; Severe"), Mexico, and ours.
COLOUR_PARAMETERS: Final = frozenset({"alert_color", "awareness_level", "semáforo"})


def name_of(code: str) -> str:
    """The Chinese name of a code, or the code."""
    return next((name for name, known in BY_NAME.items() if known == code), code)


def level_of_colour(text: str) -> Level | None:
    """The one colour a value names; none or several say nothing."""
    found = {_LEVELS[match[0] or match[1]] for match in _COLOUR.findall(text.casefold())}
    return found.pop() if len(found) == 1 else None


def level_of_headline(text: str) -> Level | None:
    """`…发布暴雨红色预警` and the public list's `…/III/较重`; only a colour that is said of a warning counts."""
    found = {_LEVELS[colour] for colour in _SIGNAL.findall(text)}
    found |= {_NUMERALS[part] for part in text.split("/")[1:] if part in _NUMERALS}
    return found.pop() if len(found) == 1 else None


def colour_of(level: Level) -> str:
    return f"{_COLOURS[level][0]}色"
