#compdef fengsui
# Completion of `fengsui` for zsh, made by `fengsui completion zsh`. Nothing is started at a TAB.

_fengsui_after() { # PATH: what may follow it
    case $1 in
@after@
    esac
}

_fengsui_value() { # PATH and option or place: what may stand there; false where nothing is known
    case $1:$2 in
@value@
    *) return 1 ;;
    esac
}

_fengsui() {
    local route='' waiting='' kind='' word
    local -i place=0 i
    local -a verbs options choice profiles
    profiles=(@profiles@)
    for ((i = 2; i < CURRENT; i++)); do
        word=${words[i]}
        if [[ -n $waiting ]]; then
            waiting=''
        elif [[ $word == -*=* ]]; then
            continue
        elif [[ $word == -* ]]; then
            _fengsui_value "$route" "$word" && waiting=$word
        else
            _fengsui_after "$route"
            if [[ -n ${(M)verbs:#${word}:*} ]]; then route=${route:+$route }$word place=0; else ((place += 1)); fi
        fi
    done
    choice=() kind=''
    _fengsui_after "$route"
    if [[ -n $waiting ]]; then
        _fengsui_value "$route" "$waiting"
    elif [[ ${words[CURRENT]} == -* ]]; then
        choice=($options)
    elif (( $#verbs )); then
        choice=($verbs)
    else
        _fengsui_value "$route" $place || _fengsui_value "$route" many || choice=($options)
    fi
    [[ $kind == profile ]] && choice=($profiles)
    (( $#choice )) && _describe -t words fengsui choice
    [[ -n $kind ]] && _files
}

if [[ $funcstack[1] == _fengsui ]]; then _fengsui "$@"; else compdef _fengsui fengsui; fi
