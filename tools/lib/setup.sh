# Sourced by the tools: what a fresh Debian or Ubuntu with a Swift toolchain still lacks.

graft_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
graft_cache=${GRAFT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/graft}

# Libraries and headers that the build needs.
graft_packages=(libopenblas-dev libsentencepiece-dev libjson-c-dev libpcre2-dev g++)

# Prints a sentence on standard error and ends the script.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

# Says what is going on, on a terminal only.
say() {
    if [ -t 2 ]; then printf '%s\n' "$1" >&2; fi
}

# Installs the given Debian packages that are missing.
ensure_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    command -v apt-get >/dev/null \
        || fail "needs the libraries ${missing[*]}; install them with this system's package manager"
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null \
            || fail "needs the packages ${missing[*]}, and neither root nor sudo is at hand: have an administrator run 'apt-get install ${missing[*]}'"
        run=(sudo)
    fi
    say "Installing ${missing[*]} …"
    local log
    log=$(mktemp)
    if ! { "${run[@]}" apt-get update && DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "could not install ${missing[*]}: see apt-get's words above"
    fi
    rm -f "$log"
}

# Fails with a sentence when there is no usable Swift toolchain.
ensure_swift() {
    command -v swift >/dev/null \
        || fail "needs the Swift toolchain, 6.2 or newer, with 'swift' on the PATH: see https://www.swift.org/install"
}

# Prints the path of the C compiler that comes with Swift; it makes code for any of the processors.
swift_clang() {
    local path
    path=$(dirname "$(readlink -f "$(command -v swift)")")/clang
    [ -x "$path" ] || path=$(command -v clang) || fail "needs clang, which Swift's toolchain brings along"
    printf '%s\n' "$path"
}

# Python 3 with pip, for the scripts; whatever 'python3' is on the PATH will do.
ensure_python() {
    python3 -m pip --version >/dev/null 2>&1 || ensure_packages python3 python3-pip
}

# Everything that a build needs.
ensure_build_tools() {
    ensure_swift
    ensure_packages "${graft_packages[@]}"
}

# Builds the program (release) and prints its path. The build's words go to standard error.
build_graft() {
    say "Building graft (the first build takes some minutes) …"
    local log
    log=$(mktemp)
    if [ -t 2 ]; then
        swift build --package-path "$graft_root" -c release --product graft >&2 \
            || fail "the build failed: see the compiler's words above"
    elif ! swift build --package-path "$graft_root" -c release --product graft >"$log" 2>&1; then
        cat "$log" >&2
        fail "the build failed: see the compiler's words above"
    fi
    rm -f "$log"
    printf '%s\n' "$graft_root/.build/release/graft"
}
