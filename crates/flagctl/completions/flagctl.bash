# Completion of flagctl for bash; names come from the store, within the given milliseconds.
_flagctl() {
    local word about quoted
    COMPREPLY=()
    while IFS=$'\t' read -r word about; do
        case $word in
            :files)
                compopt -o default 2>/dev/null
                return
                ;;
            */) compopt -o nospace 2>/dev/null ;;
        esac
        printf -v quoted '%q' "$word"
        COMPREPLY+=("$quoted")
    done < <(flagctl __complete --within 80 -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o nosort -F _flagctl flagctl 2>/dev/null || complete -F _flagctl flagctl
