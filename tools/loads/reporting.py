"""The JSON that the measurements of one server print."""

import json

from . import builds
from .processes import run

# Options that say where things lie, not what was measured.
PLACES = ("graft", "cache")


def report(options, figures):
    """Prints the figures with what they are of."""
    parameters = {name: value for name, value in vars(options).items() if name not in PLACES}
    print(json.dumps(builds.stamped(
        {"figures": figures}, builds.build_of(options.graft), builds.new_run(),
        {"graft": run([options.graft, "--version"]).strip()}, parameters), indent=1))
