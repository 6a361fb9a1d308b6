"""The one table of units: the UCUM code used inside, the SenML name used outside, and the words for people.

A unit missing here is refused by `fengsui check`. SenML names are those of IANA's SenML registry: the primary units of
RFC 8428 §12.1 and RFC 8798 §2, the secondary ones of RFC 8798 §3, and later entries marked so. A value is converted
only by a power of ten, which moves the decimal point and adds no noise; a unit whose registered relative needs any other
factor keeps its UCUM code outside too. Traps of the registries: SenML's `%` is a ratio from 0 to 1, so a percentage is
`/100`; UCUM's `pH` is a picohenry, so acidity is `[pH]`.
"""

from sys import float_info
from typing import NamedTuple

from protocols.errors import LocalError

# IANA, "SenML Units", those not marked NOT RECOMMENDED for producers; NTU was added by expert review after RFC 8798.
_PRIMARY = """
m kg s A K cd mol Hz rad sr N Pa J W C V F Ohm S Wb T H Cel lm lx Bq Gy Sv kat m2 m3 m/s m/s2 m3/s W/m2 cd/m2 bit bit/s
lat lon pH dB dBW count / %RH %EL EL 1/s 1/min S/m B VA VAs var vars J/m kg/m3 deg NTU
"""
# IANA, "Secondary Units"; the last six were added by expert review after RFC 8798.
_SECONDARY = """
ms min h MHz kW kVA kvar Ah Wh kWh varh kvarh kVAh Wh/km KiB GB Mbit/s B/s MB/s mV mA dBm ug/m3 mm/h m/h ppm /100 /1000 hPa
mm cm km km/h ppb ppt VAh mg/l ug/l g/l
"""
PRIMARY = frozenset(_PRIMARY.split())
SECONDARY = frozenset(_SECONDARY.split())

_MOST = float_info.max  # JSON has no word for more


class Unit(NamedTuple):
    """`code` is UCUM; a value in `senml` is the value in `code` times 10 to the power of `shift`."""

    code: str
    senml: str
    shift: int
    en: str
    zh: str


TABLE = (
    # length, area, volume
    Unit("m", "m", 0, "metres", "米"),
    Unit("cm", "cm", 0, "centimetres", "厘米"),
    Unit("mm", "mm", 0, "millimetres", "毫米"),
    Unit("km", "km", 0, "kilometres", "千米"),
    Unit("m2", "m2", 0, "square metres", "平方米"),
    Unit("m3", "m3", 0, "cubic metres", "立方米"),
    Unit("10*4.m3", "m3", 4, "ten thousand cubic metres", "万立方米"),
    Unit("10*6.m3", "m3", 6, "million cubic metres", "百万立方米"),
    Unit("L", "m3", -3, "litres", "升"),
    # mass, density
    Unit("g", "kg", -3, "grams", "克"),
    Unit("kg", "kg", 0, "kilograms", "千克"),
    Unit("kg/m3", "kg/m3", 0, "kilograms per cubic metre", "千克每立方米"),
    Unit("g/m3", "mg/l", 0, "grams per cubic metre", "克每立方米"),
    Unit("mg/m3", "ug/l", 0, "milligrams per cubic metre", "毫克每立方米"),
    Unit("ug/m3", "ug/m3", 0, "micrograms per cubic metre", "微克每立方米"),
    Unit("g/L", "g/l", 0, "grams per litre", "克每升"),
    Unit("mg/L", "mg/l", 0, "milligrams per litre", "毫克每升"),
    Unit("ug/L", "ug/l", 0, "micrograms per litre", "微克每升"),
    # time, frequency, rates
    Unit("ms", "ms", 0, "milliseconds", "毫秒"),
    Unit("s", "s", 0, "seconds", "秒"),
    Unit("min", "min", 0, "minutes", "分钟"),
    Unit("h", "h", 0, "hours", "小时"),
    Unit("d", "d", 0, "days", "天"),
    Unit("Hz", "Hz", 0, "hertz", "赫兹"),
    Unit("kHz", "Hz", 3, "kilohertz", "千赫"),
    Unit("/s", "1/s", 0, "per second", "每秒"),
    Unit("/min", "1/min", 0, "per minute", "每分钟"),
    # motion, flow, rain
    Unit("m/s", "m/s", 0, "metres per second", "米每秒"),
    Unit("cm/s", "m/s", -2, "centimetres per second", "厘米每秒"),
    Unit("mm/s", "m/s", -3, "millimetres per second", "毫米每秒"),
    Unit("km/h", "km/h", 0, "kilometres per hour", "千米每小时"),
    Unit("[kn_i]", "[kn_i]", 0, "knots", "节"),
    Unit("m/s2", "m/s2", 0, "metres per second squared", "米每二次方秒"),
    Unit("mm/s2", "m/s2", -3, "millimetres per second squared", "毫米每二次方秒"),
    Unit("m3/s", "m3/s", 0, "cubic metres per second", "立方米每秒"),
    Unit("m3/h", "m3/h", 0, "cubic metres per hour", "立方米每小时"),
    Unit("L/s", "m3/s", -3, "litres per second", "升每秒"),
    Unit("L/min", "L/min", 0, "litres per minute", "升每分钟"),
    Unit("m/h", "m/h", 0, "metres per hour", "米每小时"),
    Unit("mm/h", "mm/h", 0, "millimetres per hour", "毫米每小时"),
    Unit("mm/min", "mm/min", 0, "millimetres per minute", "毫米每分钟"),
    # angle, position
    Unit("deg", "deg", 0, "degrees", "度"),
    Unit("rad", "rad", 0, "radians", "弧度"),
    Unit("deg{lat}", "lat", 0, "degrees of latitude", "纬度"),
    Unit("deg{lon}", "lon", 0, "degrees of longitude", "经度"),
    Unit("deg/s", "deg/s", 0, "degrees per second", "度每秒"),
    # temperature
    Unit("Cel", "Cel", 0, "degrees Celsius", "摄氏度"),
    Unit("K", "K", 0, "kelvins", "开尔文"),
    Unit("[degF]", "[degF]", 0, "degrees Fahrenheit", "华氏度"),
    # pressure
    Unit("Pa", "Pa", 0, "pascals", "帕"),
    Unit("hPa", "hPa", 0, "hectopascals", "百帕"),
    Unit("mbar", "hPa", 0, "millibars", "毫巴"),
    Unit("kPa", "Pa", 3, "kilopascals", "千帕"),
    Unit("MPa", "Pa", 6, "megapascals", "兆帕"),
    Unit("bar", "Pa", 5, "bars", "巴"),
    # radiation, light, sound
    Unit("W/m2", "W/m2", 0, "watts per square metre", "瓦每平方米"),
    Unit("mW/m2", "W/m2", -3, "milliwatts per square metre", "毫瓦每平方米"),
    Unit("MJ/m2", "MJ/m2", 0, "megajoules per square metre", "兆焦每平方米"),
    Unit("umol/m2/s", "umol/m2/s", 0, "micromoles per square metre and second", "微摩尔每平方米秒"),
    Unit("lx", "lx", 0, "lux", "勒克斯"),
    Unit("klx", "lx", 3, "kilolux", "千勒克斯"),
    Unit("nSv/h", "nSv/h", 0, "nanosieverts per hour", "纳西弗每小时"),
    Unit("uSv/h", "uSv/h", 0, "microsieverts per hour", "微西弗每小时"),
    Unit("dB", "dB", 0, "decibels", "分贝"),
    Unit("dB[SPL]", "dB[SPL]", 0, "decibels of sound pressure", "分贝（声压级）"),
    Unit("dB{mW}", "dBm", 0, "decibels above a milliwatt", "分贝毫瓦"),
    Unit("dB[W]", "dBW", 0, "decibels above a watt", "分贝瓦"),
    # electricity
    Unit("V", "V", 0, "volts", "伏"),
    Unit("mV", "mV", 0, "millivolts", "毫伏"),
    Unit("A", "A", 0, "amperes", "安"),
    Unit("mA", "mA", 0, "milliamperes", "毫安"),
    Unit("W", "W", 0, "watts", "瓦"),
    Unit("kW", "kW", 0, "kilowatts", "千瓦"),
    Unit("V.A", "VA", 0, "volt-amperes", "伏安"),
    Unit("var", "var", 0, "vars", "乏"),
    Unit("A.h", "Ah", 0, "ampere-hours", "安时"),
    Unit("W.h", "Wh", 0, "watt-hours", "瓦时"),
    Unit("kW.h", "kWh", 0, "kilowatt-hours", "千瓦时"),
    Unit("kV/m", "kV/m", 0, "kilovolts per metre", "千伏每米"),
    Unit("Ohm", "Ohm", 0, "ohms", "欧姆"),
    Unit("kOhm", "Ohm", 3, "kiloohms", "千欧"),
    Unit("S/m", "S/m", 0, "siemens per metre", "西每米"),
    Unit("mS/m", "S/m", -3, "millisiemens per metre", "毫西每米"),
    Unit("mS/cm", "S/m", -1, "millisiemens per centimetre", "毫西每厘米"),
    Unit("uS/cm", "S/m", -4, "microsiemens per centimetre", "微西每厘米"),
    # ratios, chemistry, counts
    Unit("1", "/", 0, "", ""),
    Unit("%", "/100", 0, "per cent", "%"),
    Unit("%{RH}", "%RH", 0, "per cent relative humidity", "%相对湿度"),
    Unit("%{EL}", "%EL", 0, "per cent of charge", "%电量"),
    Unit("%{LEL}", "/100", 0, "per cent of the lower explosive limit", "%爆炸下限"),
    Unit("[ppth]", "/1000", 0, "per thousand", "‰"),
    Unit("[ppm]", "ppm", 0, "parts per million", "百万分率"),
    Unit("[ppb]", "ppb", 0, "parts per billion", "十亿分率"),
    Unit("[pH]", "pH", 0, "pH", "pH"),
    Unit("{NTU}", "NTU", 0, "nephelometric turbidity units", "散射浊度单位"),
    Unit("{count}", "count", 0, "counts", "次"),
    # information
    Unit("By", "B", 0, "bytes", "字节"),
    Unit("bit/s", "bit/s", 0, "bits per second", "比特每秒"),
)

BY_CODE = {unit.code: unit for unit in TABLE}


def known(code: str) -> bool:
    return code in BY_CODE


def find(code: str) -> Unit:
    """The unit of this UCUM code; LocalError for a stranger."""
    try:
        return BY_CODE[code]
    except KeyError:
        raise LocalError("unit.unknown", code) from None


def outside(code: str) -> tuple[str, int]:
    """SenML name and power of ten for a UCUM code. A stranger, as in a body of a later version, goes out as it is."""
    unit = BY_CODE.get(code)
    return (unit.senml, unit.shift) if unit else (code, 0)


def shifted(value: float, power: int) -> float:
    """`value` times 10 to `power`, by moving the point of its shortest decimal form: 23.1 hPa is 2310.0 Pa, exactly."""
    if not power:
        return value
    digits, _, exponent = repr(value).partition("e")
    return max(-_MOST, min(float(f"{digits}e{int(exponent or 0) + power}"), _MOST))


def to_senml(value: float, unit: str) -> tuple[float, str]:
    """The value and its unit as they stand in a SenML record."""
    name, power = outside(unit)
    return shifted(value, power), name
