# Completion of `fengsui` for bash, made by `fengsui completion bash`. Nothing is started at a TAB.

_fengsui_profiles='@profiles@'

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
    local current=${COMP_WORDS[COMP_CWORD]} path='' place=0 waiting='' glued='' verbs='' options='' words='' kind='' word i
    # bash cuts words at : and = as well: what stands behind one belongs to the word before.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == [:=] ]]; then
            glued=yes
        elif [[ $glued || $waiting ]]; then
            glued='' waiting=''
        elif [[ $word == -* ]]; then
            _fengsui_value "$path" "$word" && waiting=$word
        else
            _fengsui_after "$path"
            if [[ " $verbs " == *" $word "* ]]; then path=${path:+$path }$word place=0; else ((place += 1)); fi
        fi
    done
    [[ $current == '=' ]] && current=''
    words='' kind=''
    _fengsui_after "$path"
    if [[ $waiting ]]; then
        _fengsui_value "$path" "$waiting"
    elif [[ $glued || $current == : ]]; then
        return
    elif [[ $current == -* ]]; then
        words=$options
    elif [[ $verbs ]]; then
        words=$verbs
    else
        _fengsui_value "$path" "$place" || _fengsui_value "$path" many || words=$options
    fi
    [[ $kind == profile ]] && words=$_fengsui_profiles
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    if [[ $kind ]]; then
        compopt -o filenames 2>/dev/null
        local -a found
        mapfile -t found < <(compgen -f -- "$current")
        COMPREPLY+=("${found[@]}")
    fi
}

complete -F _fengsui fengsui
