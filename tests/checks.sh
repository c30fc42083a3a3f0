# checks.sh: for scripts that check, one line each; to be sourced. They end with "exit $failed".
failed=0
check() { # check NAME STATUS
    if [ "$2" -eq 0 ]; then echo "ok $1"; else echo "not ok $1"; failed=1; fi
}
