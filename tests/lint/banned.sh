#!/usr/bin/env bash
# Calls that have no place here, and where the others may stand.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

# banned NAME PATTERN EXCEPT FOLDER...: nothing of that pattern in the code of the folders (comments do not count),
# except in the files whose path matches EXCEPT.
banned() {
    local name=$1 pattern=$2 except=${3:-none} found
    shift 3
    found=$(grep -rnE --include='*.[ch]' "$pattern" "$@" 2>/dev/null |
        grep -vE '^[^:]+:[0-9]+:[[:space:]]*(\*|/\*|//)' | grep -vE "^($except):")
    if [ -n "$found" ]; then
        echo "$found"
        echo "not ok $name"
        bad=1
    else
        echo "ok $name"
    fi
}

call() {
    echo "(^|[^a-zA-Z0-9_>.])($1)[[:space:]]*\("
}

code=(state handlers transports server deploy)
banned banned_unbounded "$(call 'strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|alloca')" '' "${code[@]}"
banned banned_shell "$(call 'system|popen|execlp|execvp')" '' "${code[@]}"
banned banned_numbers "$(call 'atoi|atol|atoll|atof')" '' "${code[@]}"
banned banned_random "$(call 'rand|srand|random|drand48|tmpnam|mktemp|tempnam')" '' "${code[@]}"
banned banned_processes "$(call 'fork|vfork|daemon')" 'server/init\.c|state/base/aside\.c' "${code[@]}"
banned children_are_child_c "$(call 'posix_spawnp?|execve?|execl|execle|execvpe|fexecve|clone')" 'state/base/child\.c|server/play\.c' "${code[@]}"
# A host is looked up where it is asked for something, by curl.
banned names_are_looked_up_by_curl "$(call 'getaddrinfo|uv_getaddrinfo|gethostbyname(_r)?')" '' "${code[@]}"
banned banned_time "$(call 'localtime|ctime|asctime|gmtime')" '' "${code[@]}"
banned banned_threads "$(call 'pthread_cancel|pthread_kill|pthread_detach|pthread_exit')" '' "${code[@]}"
banned locks_have_a_rank "$(call 'pthread_(mutex|rwlock|cond|spin)_[a-z]+')" 'state/base/lock\.[ch]' \
    state handlers transports
banned memory_comes_from_mem "$(call 'malloc|calloc|strdup|strndup|asprintf|vasprintf')" 'state/base/mem\.[ch]|deploy/portable/ws_plugin\.c' "${code[@]}"
# By itself uthash calls exit() where there is no memory.
banned uthash_by_hash_h '#include <ut(hash|list|array|string)\.h>' 'state/base/hash\.h' "${code[@]}"
# Standard output carries the protocol, or a command's result.
banned output_below_server "$(call 'printf|puts|putchar|vprintf|perror')" '' state handlers transports
# (That of a child process is a pipe of ours.)
banned stdout_below_server '(^|[^a-z._"])(stdout|STDOUT_FILENO)\b' 'state/base/child\.c' state handlers transports
# Only git is started with the path and home of whoever started us, and the journal tells where it listens.
banned environment_below_server "$(call 'getenv|secure_getenv|setenv|putenv')" 'state/project_info\.c|state/base/log\.c' \
    state handlers transports
banned exit_below_server "$(call 'exit|_exit|quick_exit')" 'state/base/aside\.c' state handlers transports
banned sleep_in_tests "$(call 'sleep|usleep|nanosleep')" '' tests
exit $bad
