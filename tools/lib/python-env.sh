# Sourced by the tools: Python environments with pinned packages.

# Makes an environment in the cache, once, and prints its python. Without an argument it is that of the
# reference generators and the trainer, tools/python/requirements.txt.
python_environment() {
    local requirements=${1:-$graft_root/tools/python/requirements.txt}
    local folder
    folder=$graft_cache/python-$(sha256sum "$requirements" | cut -c1-12)
    if [ ! -f "$folder/ready" ]; then
        python3 -c 'import venv' 2>/dev/null || ensure_packages python3 python3-venv
        say "Making the Python environment of ${requirements#"$graft_root"/} …"
        rm -rf "$folder"
        python3 -m venv "$folder" || fail "python3 can't make an environment: install python3-venv"
        "$folder/bin/pip" install --quiet -r "$requirements" >&2 \
            || fail "the Python packages of $requirements could not be installed: is there a network?"
        touch "$folder/ready"
    fi
    printf '%s\n' "$folder/bin/python"
}
