# Completion of `fengsui` for fish, made by `fengsui completion fish`. Nothing is started at a TAB.

function __fengsui_verbs # PATH: the verbs that may follow it
    switch "$argv[1]"
@verbs@
    end
end

function __fengsui_options # PATH: its options
    switch "$argv[1]"
@options@
    end
end

function __fengsui_value # PATH and option or place: what may stand there; false where nothing is known
    switch "$argv[1]:$argv[2]"
@value@
        case '*'
            return 1
    end
end

function __fengsui_profiles
    printf '%s\n' @profiles@
end

function __fengsui_files
    __fish_complete_path (commandline -ct)
end

function __fengsui
    set -l route ''
    set -l place 0
    set -l waiting ''
    set -l given (commandline -opc)
    for word in $given[2..-1]
        if test -n "$waiting"
            set waiting ''
        else if string match -q -- '-*=*' $word
            continue
        else if string match -q -- '-*' $word
            __fengsui_value "$route" $word >/dev/null; and set waiting $word
        else if contains -- $word (__fengsui_verbs "$route" | string replace -r '\t.*' '')
            set route (string trim -- "$route $word")
            set place 0
        else
            set place (math $place + 1)
        end
    end
    if test -n "$waiting"
        __fengsui_value "$route" $waiting
    else if string match -q -- '-*' (commandline -ct)
        __fengsui_options "$route"
    else if test -n "$(__fengsui_verbs "$route")"
        __fengsui_verbs "$route"
    else
        __fengsui_value "$route" $place
        or __fengsui_value "$route" many
        or __fengsui_options "$route"
    end
end

complete -c fengsui -f -a '(__fengsui)'
