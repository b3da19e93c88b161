# Completion of flagctl for fish; names come from the store, within the given milliseconds.
function __flagctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found (flagctl __complete --within 80 -- $words[2..] "$current" 2>/dev/null)
    if test "$found[1]" = ":files"
        __fish_complete_path "$current"
    else if set -q found[1]
        printf '%s\n' $found
    end
end
complete -c flagctl -f -k -a '(__flagctl_complete)'
