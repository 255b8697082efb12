# Sourced by the tools that measure a server under a load.

# Runs a measurement of tools/loads, which gets a built graft unless its arguments name one.
run_load() {
    local module=$1
    shift
    case " $* " in
        *" --help "* | *" -h "* | *" --graft "*) ;;
        *) export GRAFT_EXECUTABLE=${GRAFT_EXECUTABLE:-$(build_graft)} ;;
    esac
    PYTHONPATH=$graft_root/tools exec python3 -m "loads.$module" "$@"
}
