#!/bin/sh
# Installs the release that lies beside this file: no network, no package index, nothing but the machine's own Python.
# A release gets a folder of its own; the one in force goes on running until the new one is whole, and comes back when the
# new one does not come up. Neither configuration nor state is ever written. docs/install.md says how it is used.
set -eu
umask 022

here=$(CDPATH='' cd -P -- "$(dirname -- "$0")" && pwd)
bundle=$here here=$here/system
root='' key='' fingerprint='' proof=asked downgrade=no
while [ $# -gt 0 ]; do
    case $1 in
    --key) key=$(readlink -f -- "$2") proof=key && shift ;;
    --fingerprint) fingerprint=$2 proof=fingerprint && shift ;;
    --unsigned) proof=none ;;
    --verified) proof=before ;; # `fengsui update` has seen to it
    --allow-downgrade) downgrade=yes ;;
    --root) mkdir -p -- "$2" && root=$(CDPATH='' cd -P -- "$2" && pwd) && shift ;;
    *)
        echo "install.sh [--key PUBLIC.pub | --fingerprint 'EIGHT GROUPS' | --unsigned] [--allow-downgrade] [--root DIR]" >&2
        exit 2
        ;;
    esac
    shift
done
base=$root/opt/fengsui
# shellcheck source=systemd/release/common.sh
. "$here/common.sh"

# A fact of the release, such as VERSION.
fact() {
    sed -n "s/^$1=//p" "$bundle/release"
}

# Whole as it was made: a download that broke off, a stick that lies.
check_sums() {
    (cd -- "$bundle" && sha256sum --check --strict --quiet SHA256SUMS >&2) || die damaged "$bundle"
}

# As `fengsui trust` shows them: the first 32 digits of the SHA-256 of the 32 bytes of an Ed25519 key, in groups of four. Of
# another kind of key nothing: its last 32 bytes can be chosen, an RSA key's exponent to be somebody else's Ed25519 key.
fingerprint_of() {
    [ "$(openssl pkey -pubin -in "$1" -noout -text | head -n 1)" = 'ED25519 Public-Key:' ] || return 0
    openssl pkey -pubin -in "$1" -outform DER | tail -c 32 | sha256sum | cut -c1-32 | sed 's/..../& /g; s/ $//'
}

signed_by() {
    [ -n "$(fingerprint_of "$1")" ] && openssl pkeyutl -verify -pubin -inkey "$1" -rawin -in "$bundle/SHA256SUMS" -sigfile "$bundle/SHA256SUMS.sig" >/dev/null 2>&1
}

plain() {
    printf %s "$1" | tr -d ' ' | tr '[:upper:]' '[:lower:]'
}

# Who made it. It can be proven only against something that did not come with it: a key, or a fingerprint on paper.
check_signature() {
    case $proof in before) return 0 ;; none) say unsigned && return 0 ;; esac
    [ -s "$bundle/SHA256SUMS.sig" ] || die not_signed
    command -v openssl >/dev/null || die no_openssl
    if [ "$proof" = asked ]; then
        [ -t 0 ] || die no_proof
        say compare "$(fingerprint_of "$bundle/SHA256SUMS.pub")"
        read -r answer
        [ "$answer" = yes ] || die no_proof
    elif [ "$proof" = fingerprint ]; then
        [ "$(plain "$fingerprint")" = "$(plain "$(fingerprint_of "$bundle/SHA256SUMS.pub")")" ] ||
            die stranger "$(fingerprint_of "$bundle/SHA256SUMS.pub")"
    fi
    [ -n "$key" ] || key=$bundle/SHA256SUMS.pub
    signed_by "$key" || die bad_signature
}

# A Python of the release's version, 64 bits as its wheels are, on a processor of its kind: of the userland, not of the kernel.
find_python() {
    wanted=$(fact ARCH)-$(fact PYTHON)
    probe='import platform,struct,sys; print(platform.machine() if struct.calcsize("P") == 8 else "32-bit", "%d.%d" % sys.version_info[:2], sep="-")'
    found=''
    for python in "python$(fact PYTHON)" python3; do
        command -v "$python" >/dev/null || continue
        python=$(command -v "$python")
        found=$("$python" -I -c "$probe") || found='a broken python3'
        [ "$found" = "$wanted" ] && return 0
    done
    die wrong_machine "$wanted" "${found:-no python3}"
}

older() {
    "$python" -I -c 'import sys
sys.path.insert(0, sys.argv[1])
from pip._vendor.packaging.version import Version
print("older" if Version(sys.argv[2]) < Version(sys.argv[3]) else "newer")' "$pip" "$1" "$2"
}

check_version() {
    in_force=$base/current/system/release
    [ -e "$in_force" ] && [ "$downgrade" = no ] || return 0
    before=$(sed -n 's/^VERSION=//p' "$in_force")
    [ "$(older "$(fact VERSION)" "$before")" = newer ] || die older "$(fact VERSION)" "$before"
}

check_space() {
    free=$(df -Pk -- "$base" | awk 'END { print $4 }')
    [ "$free" -ge "$(fact NEED_KB)" ] || die no_space "$(fact NEED_KB)" "$free" "$base"
}

# The bundle's pip: a machine need not have one, nor ensurepip; and no settings of the machine's.
run_pip() {
    PIP_CONFIG_FILE=/dev/null PYTHONPATH='' PYTHONDONTWRITEBYTECODE='' "$release/bin/python" "$release/.pip/pip" --isolated --disable-pip-version-check "$@" >&2
}

# The folder of the release, whole and tried, or not at all: while `.laying` is in it, it is nobody's.
lay() {
    for left in "$base"/releases/*/.laying; do rm -rf -- "${left%/.laying}"; done # by an installer that was killed
    rm -rf -- "$release"
    { mkdir -- "$release" && touch -- "$release/.laying"; } || die not_laid folder
    trap 'rm -rf -- "$release"' EXIT
    trap 'exit 1' HUP INT TERM
    { "$python" -I -m venv --without-pip "$release" && "$python" -I -m zipfile -e "$pip" "$release/.pip"; } || die not_laid venv
    # Hashes of the signed list decide what is installed; no index, no set-up code of anybody's.
    run_pip install --quiet --no-cache-dir --no-index --no-deps --only-binary=:all: --find-links "$bundle/wheels" \
        --require-hashes -r "$bundle/requirements.txt" || die not_laid pip
    run_pip check --quiet || die not_laid "pip check"
    rm -rf -- "$release/.pip"
    { cp -R -- "$bundle/system" "$bundle/docs" "$release/" && cp -- "$bundle/release" "$release/system/"; } || die not_laid system
    [ "$("$release/bin/fengsui" --version)" = "$(fact VERSION)" ] || die not_laid "fengsui --version"
    check_configuration
    { system sync -f "$release" && rm -- "$release/.laying" && system sync -f "$release"; } || die not_laid sync
    trap - EXIT HUP INT TERM
}

# What the release in force accepts, the new one must accept, too.
check_configuration() {
    [ -e "$config" ] && [ -x "$base/current/bin/fengsui" ] || return 0
    "$base/current/bin/fengsui" check --config "$config" >/dev/null 2>&1 || return 0
    "$release/bin/fengsui" check --config "$config" >/dev/null || die configuration "$config"
}

# By the unit where there is a systemd: it goes on when this process or its terminal does not.
judge() {
    if ! runs_here; then
        sh "$base/trial/system/settle.sh"
        return
    fi
    place fengsui-settle.service "$(named_by trial)" "$root/etc/systemd/system/fengsui-settle.service" &&
        system systemctl daemon-reload && system systemctl enable --quiet fengsui-settle.service &&
        system systemctl start fengsui-settle.service
}

keep_key() {
    [ -n "$key" ] || return 0
    mkdir -p -- "$base/keys" && cp -- "$key" "$base/keys/$(fingerprint_of "$key" | tr -d ' ').pub"
}

link_command() {
    command=$root/usr/local/bin/fengsui
    if [ ! -e "$command" ] || [ -L "$command" ]; then
        mkdir -p -- "$(dirname -- "$command")" && ln -sfn -- "$base/current/bin/fengsui" "$command"
    fi
}

[ -n "$root" ] || [ "$(id -u)" = 0 ] || die not_root
check_sums
check_signature
find_python
pip=$(echo "$bundle"/wheels/pip-*.whl)
mkdir -p -- "$base/releases"
exec 9>"$base/.lock"
flock -n 9 || die busy
if [ -L "$base/trial" ]; then judge 9>&- || true; fi # of an installation that was killed
check_version
name=$(fact VERSION)-$(sha256sum <"$bundle/SHA256SUMS" | cut -c1-12)
if [ "$(named_by current)" = "$name" ]; then
    say already "$name"
    exit 0
fi
release=$base/releases/$name
if [ ! -e "$release" ] || [ -e "$release/.laying" ] || [ -e "$release/.failed" ]; then
    check_space
    lay 9>&-
fi
point trial "$name"
judge 9>&- || true
[ "$(named_by current)" = "$name" ] && [ ! -e "$base/releases/$name/.failed" ] || die did_not_come_up "$name" "$(named_by current)"
keep_key
link_command
say installed "$name"
