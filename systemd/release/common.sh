# What install.sh and settle.sh share. The caller has set `here` (where the sentences lie), `root` ("" is this machine)
# and `base` (the folder of the releases).

config=$root/etc/fengsui/station.toml

case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
zh*) language=zh ;;
*) language=en ;;
esac

# A sentence of the catalogue by its code, with the facts for its %s.
say() {
    sentence=$(sed -n "s/^$1 = //p" "$here/words.$language")
    shift
    # shellcheck disable=SC2059  # formats are the catalogue's own
    printf "$sentence\n" "$@" >&2
}

die() {
    say "$@"
    exit 1
}

# A tool of the machine. Under another root nothing of this machine is touched: there the stand-ins of FENGSUI_TOOLS are
# called, and where there are none, nothing is.
system() {
    if [ -z "$root" ]; then
        "$@"
    elif [ -n "${FENGSUI_TOOLS:-}" ]; then
        tool=$1
        shift
        "$FENGSUI_TOOLS/$tool" "$@"
    fi
}

# Whether there is a systemd to start anything.
runs_here() {
    if [ -z "$root" ]; then [ -d /run/systemd/system ]; else [ -n "${FENGSUI_TOOLS:-}" ]; fi
}

# The release that a link names; nothing where there is no link.
named_by() {
    if [ -L "$base/$1" ]; then basename -- "$(readlink -- "$base/$1")"; fi
}

# Let link $1 name release $2: another link takes its name in one step (rename(2)), so that there is always one.
point() {
    ln -sfn -- "releases/$2" "$base/.$1.new" && mv -T -- "$base/.$1.new" "$base/$1" && system sync -f "$base"
}

# Whether file $1 is the $2 of a release here: then it is ours to replace.
is_ours() {
    for link in current previous trial; do
        if cmp -s -- "$1" "$base/$link/system/$2"; then return 0; fi
    done
    return 1
}

# Put file $1 of release $2 at $3. What an administrator has changed there is the administrator's: it is left, and this said.
place() {
    from=$base/releases/$2/system/$1
    [ -e "$from" ] || return 0 # a release that was laid by hand brings none
    if cmp -s -- "$from" "$3"; then return 0; fi # not even on a full disk can this fail
    if [ -e "$3" ] && ! is_ours "$3" "$1"; then
        say changed_by_hand "$3" "$from"
        return 0
    fi
    mkdir -p -- "$(dirname -- "$3")" && cp -- "$from" "$3.new" && chmod 644 "$3.new" && mv -- "$3.new" "$3"
}
