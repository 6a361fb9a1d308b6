"""What events usually say, as a preset dictionary for deflate (RFC 1950 §2.2). Part of the format: with one byte changed it
would be another. What is said most often, and in alarms, stands last, where it costs least. The line feeds belong to it.
"""

WORDS = b"""\
account.unsigned,"why":"account,"log":"\1","closed":true,"issued":{"alarm":1,"event":6,"telemetry":1},"gone":[],
"key":"\1","sealed":"\2"
station.key,"key":"\1"station.started,"software":"0.1.0","key":"\1","sensors":["","actuators":["siren","display",
"voice","lamp"],"routes":["
series.absent,"device":"bus.down,"bus":"rs485","port":"/dev/ttyUSB0","why":"No such file or directorybus.up
link.no_qos1,link.subscription_refused,"filter":"link.up_untimed,link.up,"link":"urgent","route":"platform",
"session":true,"untimed":false
link.down,"link":"telemetry","route":"","session":false,"reason":"connection-refused","detail":"Connection refused
"timeout","detail":"timed out","keepalive","unreachable","no-route","tls","dns","network
uplink.refused,"lane":"telemetry","code":135,"topic":"downlink.failed,"bytes":control.unavailable,"socket":"
command.refused,"reason":"unknown-verb","busy","detail":"command.flood,"commands":1,"seconds":0
command.done,"verb":"resend","correlation":"\1","sent":0,"missing":[],"more":0
keyring.refused,"reason":"keyset-old","detail":"keyset.adopted,"number":2,"before":1,"source":"mqtt","keys":1,
"holders":1keyset.behind,"ours":keyset.unstored,"key.expiring,"days":30key.expired,"holder":"
journal.failing,"path":"journal.writing,journal.damaged,journal.unreadable,"aside":"","error":"
buffer.shed,"log":"\1","lane":"telemetry","reason":"space","age","memory","numbers":1,"ranges":[[
buffer.unreadable,buffer.thinned,buffer.degraded,buffer.recovered,buffer.damaged,buffer.salvaged,buffer.state_lost,
"kept":"","blocks":1,"unreadable":0,"shed":0
part.failing,"part":"","error":"part.recovered,"part":"","failures":1part.stalled,"part":"","seconds":part.moving
anchor,"anchor_at":1,"wall_ms":\4,"error_ms":1000,"synced":true
selftest.done,"ok":true,"actuators":["siren","failed":[]button.pressed,"button":"","does":"acknowledge"button.held,
"does":"silence","does":"start"inhibit.off,"reason":"turned","seconds":0inhibit.on,"reason":"turned","seconds":7200
contact.exhausted,contact.silent,contact.called,"alert":"\1","contact":"","attempt":1
drill.begun,"alert":"\1","siren":false,"withheld":{"siren":"exercise-silent"}drill.done,"ok":true,"ended":"over",
"siren":false,"actuators":[{"actuator":"siren","channel":"siren","reason":"exercise-silent","result":"not-asked"}
device.up,"device":"","bus":"rs485","unit":1,"down_ms":1
device.down,"device":"","bus":"rs485","unit":1,"reason":"timeout","frames":[]
actuator.up,"actuator":"siren","reason":""actuator.down,"actuator":"siren","reason":"relay_no_answer"
issuer.missed,"alerts":[issuer.heard,issuer.silent,"issuer":1,"holder":"","bearer":"","seconds":8640
warning.junk,"reason":"bad-signature","bearer":"mqtt","count":1,"seconds":600warning.unsigned
warning.unjournalled,"alert":"\1","reason":"late"warning.refused,"alert":"\1","bearer":"","reason":"expired
"foreign-area","replayed","superseded","no-authority
warning.failed,"alert":"\1","actuator":"siren","channel":"siren","exercise":false,"pattern":"wail","reason":"relay
warning.ended,"alert":"\1","actuator":"display","channel":"display","exercise":false,"pattern":"","reason":""
"evidence":{"written":1,"coil":true,"bursts":1,"arms":1,"mismatches":0,"failures":0,"seconds":180.0,"ended":"over"}
warning.started,"alert":"\1","actuator":"siren","channel":"siren","exercise":false,"pattern":"wail","reason":""
"evidence":{"coil":truevoice","channel":"voicelamp","channel":"lamp
warning.decided,"alert":"\1","bearer":"","reason":"started","holders":[""],"channels":["siren","display","voice",
"lamp"],"withheld":{"siren":"second-holder","not-for-siren","wide-area","one-series"},"exercise":false
warning.verified,"alert":"\1","holders":[""],"text":"ok"warning.received,"alert":"\1","issuer":1,"seq":\4
warning.acknowledged,"alert":"\1","by":"","counter":\4,"said":\4,"certain":true,"signature":"\2"
alarm.by_hand,"alert":"\3","button":"
rule.seeing,"rule":"","alert":"\3"rule.given_up,"rule":"rule.blind,"rule":"","alert":"\3","missing":["",
"standing":false,"standing":truerule.cleared,"rule":"","alert":"\3"
water.level wind.speed wind.gust air.temperature air.humidity air.pressure soil.moisture tide.level dam.stage lake.stage
rain.rate rate(river.stage, \\"30m\\") > 1 sum(rain.tips, \\"1h\\") >= 30 and rise(rain.total, \\"1h\\") >= 40 or river.stage > 1
"event":"landslide","debris-flow","dam","dike","tsunami","fire","gas","storm","rainstorm","typhoon","flood
"level":"yellow","action":"inform","when":"blue","action":"shelter","when":"red","action":"prepare","when":"rise(rain.total,
rule.raised,"rule":"","alert":"\3","event":"flash-flood","level":"orange","action":"evacuate","when":"river.stage > \
","evidence":{"rain.total":1,"river.stage":2},"doubted":[]"""
