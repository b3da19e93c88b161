#compdef flagctl
# Completion of flagctl for zsh; names come from the store, within the given milliseconds.
_flagctl() {
    local line word about
    local -a found texts open_found open_texts
    while IFS= read -r line; do
        [[ $line == :files ]] && { _files; return }
        word=${line%%$'\t'*}
        about=${line#*$'\t'}
        [[ -n $about ]] && about="$word  -- $about" || about=$word
        if [[ $word == */ ]]; then
            open_found+=("$word") open_texts+=("$about")
        else
            found+=("$word") texts+=("$about")
        fi
    done < <(flagctl __complete --within 80 -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    compadd -l -V names -d texts -a -- found
    compadd -l -V paths -S '' -d open_texts -a -- open_found
}
if [[ $funcstack[1] == _flagctl ]]; then
    _flagctl "$@"
else
    compdef _flagctl flagctl
fi
