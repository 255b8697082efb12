# Sourced by check-arm and check-avx512: compiles the kernels with compare_levels.c, runs the comparison,
# and holds the results of several processors against one another. Wants setup.sh; $1, or standard_rounds, is the rounds.

rounds=${1:-${standard_rounds:-100}}
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "'$rounds' is no number of rounds"
ensure_swift
clang=$(swift_clang)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# Compiles the kernels and the comparison: compile PROGRAM FLAG...
compile() {
    local program=$1
    shift
    say "Compiling $(basename "$program") …"
    (cd "$graft_root" && "$clang" "$@" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror \
        -ISources/CKernels/include Sources/CKernels/*.c tools/lib/compare_levels.c -lm -o "$program")
}

# Runs a comparison that must reach a level: compare LEVEL COMMAND...
compare() {
    local level=$1 status=0
    shift
    "$@" "$rounds" | tee "$build/words" || status=1
    grep -qE "^levels: .*\b$level\$" "$build/words" \
        || { echo "$(basename "$0"): $level did not run" >&2; status=1; }
    [ $status -eq 0 ] || fail "levels differ or are missing, see above"
    sed -n 's/^digest: //p' "$build/words" >>"$build/digests"
}

# Fails unless portable C gave the same bits wherever it ran.
compare_digests() {
    [ "$(sort -u "$build/digests" | wc -l)" -eq 1 ] || fail "portable C gives other bits on another processor"
}
