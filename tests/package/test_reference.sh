#!/usr/bin/env bash
# test_reference.sh: the manual pages are whole and right, and the completions complete, in each of the three shells.
set -u
cd "$(dirname "$0")/../.." || exit 1
tandem=$PWD/build/release/tandem
share=$PWD/build/share
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$tandem" "$work/bin/tandem"
export HOME=$work PATH=$work/bin:$PATH MANWIDTH=200 LC_ALL=C.UTF-8
unset "${!TANDEM_@}"
. tests/checks.sh
missing() { # missing WHERE WHAT: says so.
    echo "$1: there is no $2" >&2
    bad=1
}

# ---- Manual pages ----

text() { # What a page says, as a reader sees it.
    man -l "$share/man/$1" 2>/dev/null | col -bx | sed 's/‐/-/g'
}
text man1/tandem.1 >"$work/tandem.1"
text man5/tandem.json.5 >"$work/tandem.json.5"
text man5/tandem-pack.5 >"$work/tandem-pack.5"

for page in man1/tandem.1 man5/tandem.json.5 man5/tandem-pack.5; do
    said=$(mandoc -T lint "$share/man/$page" | grep -vE 'referenced manual not found|operating system explicitly')
    said+=$(MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$share/man/$page" 2>&1 >/dev/null)
    [ -n "$said" ] && echo "$said" >&2
    [ -z "$said" ]
    check "$(basename $page) is read without a warning by mandoc and groff" $?
done

bad=0
commands=$("$tandem" --help | sed -nE 's/^  ([a-z]+) +.*/\1/p')
for command in $commands; do
    grep -qE "^ +tandem $command( |$)" "$work/tandem.1" || missing tandem.1 "command $command"
    sed -n "/^   $command\$/,/^   [a-z]*\$/p" "$work/tandem.1" >"$work/section"
    for option in $("$tandem" "$command" --help | sed -nE '/^Options:/,$s/^  (--[a-z-]+).*/\1/p'); do
        grep -qE -- "^ +$option( |$)" "$work/section" || sed -n '/^OPTIONS/,/^ENV/p' "$work/tandem.1" | grep -qE -- "^ +$option( |$)" ||
            missing tandem.1 "option $option of $command"
    done
done
[ "$(wc -w <<<"$commands")" -ge 13 ] || bad=1
check "tandem(1) tells of every command and option that the help tells of" $bad

bad=0
"$tandem" settings --json --root "$work" >"$work/settings"
while IFS='|' read -r key variable initial least most; do
    grep -n "^     $key = " "$work/tandem.json.5" >"$work/line" || { missing tandem.json.5 "setting $key"; continue; }
    at=$(cut -d: -f1 "$work/line")
    facts=$(sed -n "$((at + 1)),$((at + 8))p" "$work/tandem.json.5" | tr -s ' \n' ' ')
    for fact in "--$(tr ._ -- <<<"$key")" "$variable" "${initial:+Default: $initial}" "${least:+Limits: $least to $most.}"; do
        case $facts in
        *"$fact"*) ;;
        *) missing "tandem.json.5, $key" "\"$fact\"" ;;
        esac
    done
done < <(node -e '
for (const s of JSON.parse(require("fs").readFileSync(0)))
    console.log([s.key, s.variable, s.default, s.least, s.most].join("|"))' <"$work/settings")
[ "$(grep -c '"key"' "$work/settings")" -ge 100 ] || bad=1
check "tandem.json(5) tells of every setting: default, limits, option, variable" $bad

bad=0
for name in $(sed -nE 's/.*\.name = "([a-z_:]+)".*/\1/p' state/workflow_validators.c) \
    $(sed -nE '/known\[\] = \{/,/NULL/s/"([a-z_]+)"/\n\1\n/gp' state/workflow_gate_load.c | grep -xE '[a-z_]+') \
    $(sed -nE 's/^    \{"([a-z._]+)", [0-9].*/\1/p; s/.* \{"([a-z]+)", [0-9].*/\1/p' state/workflow_expr_call.c state/workflow_expr_method.c) \
    $(sed -nE 's/.*SET\(.*, "([A-Z_]+)",? .*/\1/p; s/.*set\(values, "([A-Z_]+)".*/\1/p' state/workflow_content_show.c); do
    grep -qw -- "${name%:}" "$work/tandem-pack.5" || missing tandem-pack.5 "$name"
done
check "tandem-pack(5) tells of every key, validator, function and place of a template" $bad

bad=0
settings=$(sed -nE 's/.*"key": "(.*)".*/\1/p' "$work/settings" | tr ._ -)
for option in $(cat "$work"/tandem*.[15] | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
    for command in $commands; do
        "$tandem" "$command" --help | grep -qE -- "^  $option( |$)" && continue 2
    done
    [[ $option == --help || $option == --version ]] || grep -qw -- "${option#--}" <<<"$settings" || missing "the program" "$option"
done
check "no page tells of an option that there is not" $bad

# What the pages show as examples, tried.
example() { # example PAGE N: its Nth example.
    sed -nE '/^\.Bd -literal/,/^\.Ed/p' "$share/man/$1" | awk -v n="$2" '/^\.Bd/ { k++; next } /^\.Ed/ { next } k == n'
}
mkdir "$work/try"
example man5/tandem.json.5 1 >"$work/try/a.json"
example man5/tandem.json.5 2 >"$work/try/b.json"
example man5/tandem.json.5 3 >"$work/try/c.json"
example man5/tandem-pack.5 1 >"$work/try/tasks.md"
example man5/tandem-pack.5 2 >"$work/try/gate-definition.yaml"
bad=0
for file in "$work"/try/*; do
    [ -s "$file" ] && "$tandem" check "$file" >&2 || bad=1
done
check "files that the pages show are good ones" $bad

# ---- Completions ----

# tries SHELL: reads "LINE => RESULT" and compares it with what the shell made of it, on standard input.
compare() {
    diff "$work/wanted" - >&2
    check "$1 completes commands, options, values, clients, tools and files" $?
}

cat >"$work/wanted" <<'END'
tandem ser => serve
tandem hel => help
tandem serve --transp => --transport
tandem serve --transport => auto dual http stdio
tandem serve --transport st => stdio
tandem --transport= => auto dual http stdio
tandem setup --transport => http stdio
tandem setup vsc => vscode
tandem setup --write cur => cursor
tandem call pos => pos_workflow
tandem call --arg => --args
tandem serve --groups core,work => core,workflow
tandem serve --linger=t => true
tandem serve --log-level d => debug
tandem serve --limits-call-t => --limits-call-time
tandem check deploy/gui => deploy/guide.md
tandem serve --root transp => transports
tandem help setu => setup
tandem tools --limits-call-t =>
END
cat >"$work/bash" <<'END'
. /usr/share/bash-completion/bash_completion
_completion_loader tandem
[[ $(complete -p tandem) == *_tandem* ]] || echo "bash-completion did not find it"
while IFS= read -r line; do
    line=${line%%=>*}
    line=${line% }
    # As readline takes a line apart.
    COMP_WORDS=($(sed 's/=/ = /' <<<"$line"))
    [[ $line == *= || $line != *" --transport" ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    _tandem
    echo "$line =>${COMPREPLY[*]:+ $(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' ')}"
done
END
BASH_COMPLETION_USER_DIR=$share/bash-completion bash --norc "$work/bash" <"$work/wanted" 2>&1 | compare bash

cat >"$work/fish" <<'END'
while read line
    set line (string replace -r ' ?=>.*' '' -- $line)
    set typed $line
    string match -q -- '* --transport' $line; and set typed "$line "
    # What is offered, without what is told of it, and without what stands there already.
    set words (complete -C $typed | string replace -r '\t.*' '' | string replace -r '^--[a-z-]+=(?=.)' '' | string replace -r '(?<=.)/$' '' | string match -v -- '*=' | sort)
    echo "$line =>"(test (count $words) -gt 0; and echo " $words"; or echo)
end
END
XDG_DATA_DIRS=$share fish "$work/fish" <"$work/wanted" 2>&1 | compare fish

# zsh changes the line: what is on it after Tab is asked for, in a terminal.
cat >"$work/zsh" <<'END'
zmodload zsh/zpty
zpty terminal zsh -f -i
until_mark() {
    local chunk
    REPLY=
    while zpty -r terminal chunk "*$1*"; do
        REPLY+=$chunk
        [[ $REPLY == *$1* ]] && return
    done
}
zpty -w terminal "PROMPT=; unsetopt zle_bracketed_paste; unset zle_bracketed_paste; setopt nolistbeep; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; show() { print -r -- \"[\$BUFFER]\"; BUFFER= }; zle -N show; bindkey '^X' show; print rea''dy"
until_mark ready
while IFS= read -r line; do
    zpty -w -n terminal "${line%% =>*}"$'\t\C-X'
    until_mark ']'
    print -r -- "${line%% =>*} => ${${REPLY##*\[}%%\]*}"
done
zpty -d terminal
END
cat >"$work/wanted" <<'END'
tandem ser => tandem serve 
tandem hel => tandem help 
tandem serve --transp => tandem serve --transport=
tandem serve --transport st => tandem serve --transport stdio 
tandem --transport=st => tandem --transport=stdio 
tandem setup --transport s => tandem setup --transport stdio 
tandem setup vsc => tandem setup vscode 
tandem setup --write cur => tandem setup --write cursor 
tandem call pos => tandem call pos_workflow 
tandem call --arg => tandem call --args=
tandem serve --groups core,work => tandem serve --groups core,workflow,
tandem serve --linger=t => tandem serve --linger=true 
tandem serve --log-level d => tandem serve --log-level debug 
tandem serve --limits-call-t => tandem serve --limits-call-time=
tandem check deploy/gui => tandem check deploy/guide.md 
tandem serve --root transp => tandem serve --root transports/
tandem help setu => tandem help setup 
tandem watch --cou => tandem watch --count=
tandem tools --limits-call-t => tandem tools --limits-call-t
END
zsh -f "$work/zsh" "$share/zsh/site-functions" <"$work/wanted" 2>&1 | compare zsh
exit $failed
