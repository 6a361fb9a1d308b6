#!/bin/sh
# Puts the release that `trial` names in force, and goes back when it does not come up. Started by fengsui-settle.service, so
# that neither a lost connection nor a killed installer leaves a station half-way, and started again after a power cut.
#
# What is known stands in three links: `current` (in force), `previous` (before it), `trial` (not judged yet).
set -u
umask 022

here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd)
base=${here%/releases/*}
root=${base%/opt/fengsui}
# shellcheck source=systemd/release/common.sh
. "$here/common.sh"

patience=${FENGSUI_PATIENCE:-660} # seconds; TimeoutStartSec= of the unit is 600: a salvage must not be cut short
questions=${FENGSUI_QUESTIONS:-30} # one a second, until the agent answers
steady=${FENGSUI_STEADY:-15}      # seconds after which it must still be the same process
attempts=2                        # a release that takes the machine down with it is not tried for ever
keep=${FENGSUI_KEEP:-3}           # releases on disk, those in use included

put_in_force() {
    place fengsui.service "$1" "$root/etc/systemd/system/fengsui.service" &&
        place fengsui-display.service "$1" "$root/etc/systemd/system/fengsui-display.service" &&
        place fengsui.sysusers "$1" "$root/etc/sysusers.d/fengsui.conf" &&
        place fengsui.tmpfiles "$1" "$root/etc/tmpfiles.d/fengsui.conf" &&
        place 60-fengsui.rules "$1" "$root/etc/udev/rules.d/60-fengsui.rules" &&
        point current "$1" || return 1
    runs_here || return 0
    system systemd-sysusers && system systemd-tmpfiles --create "$root/etc/tmpfiles.d/fengsui.conf" &&
        system systemctl daemon-reload || return 1
    system udevadm control --reload && system udevadm trigger --subsystem-match=tty --subsystem-match=gpio
    return 0 # device names come with the next plugging-in at the latest
}

main_process() {
    system systemctl show --property=MainPID --value fengsui.service
}

# The agent's own answer; 2 is a configuration that only the service can read whole (LoadCredential=), and counts as none asked.
answers() {
    system systemctl is-active --quiet fengsui.service || return 1
    "$base/current/bin/fengsui" status --json --config "$config" >/dev/null 2>&1 || [ $? = 2 ]
}

answers_soon() {
    left=$questions
    until answers; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 1
    done
}

restart() {
    system systemctl enable --quiet fengsui.service
    if [ -n "$root" ]; then system systemctl restart fengsui.service; else timeout "$patience" systemctl restart fengsui.service; fi
}

# Whether the agent is to run here: not before it is set up, and not where an administrator has switched it off.
wanted() {
    runs_here && [ -e "$config" ] && { [ -z "$old" ] || system systemctl is-enabled --quiet fengsui.service; }
}

# Ready by its own word (Type=notify: `restart` waits for it), answering, and still the same process a while later.
comes_up() {
    "$base/current/bin/fengsui" --version >/dev/null || return 1
    if ! wanted; then
        say nothing_to_start
        return 0
    fi
    restart && answers_soon || return 1
    before=$(main_process)
    sleep "$steady"
    answers && [ "$(main_process)" = "$before" ] || return 1
    system systemctl try-restart fengsui-display.service
    return 0 # a screen never sends a good agent back
}

# Older releases than the last few go; those in use, and one that is being laid, stay.
tidy() {
    kept=0
    # shellcheck disable=SC2012  # names of releases are plain
    ls -1t -- "$base/releases" | while read -r name; do
        case $name in "$(named_by current)" | "$(named_by previous)" | "$(named_by trial)") kept=$((kept + 1)) && continue ;; esac
        [ ! -e "$base/releases/$name/.laying" ] || continue
        kept=$((kept + 1))
        [ "$kept" -le "$keep" ] || rm -rf -- "${base:?}/releases/$name"
    done
}

new=$(named_by trial)
[ -n "$new" ] || exit 0
old=$(named_by current)
if [ "$old" = "$new" ]; then old=$(named_by previous); elif [ -n "$old" ]; then point previous "$old" || exit 1; fi

echo begun >>"$base/releases/$new/.attempts"
if [ "$(wc -l <"$base/releases/$new/.attempts")" -le "$attempts" ] && put_in_force "$new" && comes_up; then
    rm -f -- "$base/trial" "$base/releases/$new/.attempts" "$base/releases/$new/.failed"
    say in_force "$new"
    tidy
    exit 0
fi
echo failed >"$base/releases/$new/.failed"
if [ -n "$old" ]; then
    say goes_back "$new" "$old"
    put_in_force "$old" || point current "$old" # a full disk keeps a unit from being put back, and not the release
    if wanted; then restart; fi
else
    say nothing_before "$new"
fi
rm -f -- "$base/trial"
exit 1
