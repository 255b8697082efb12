"""Writes situations of users and what is right in each: Tests/Goldens/cases.

    tools/reference cases             all of them, and the bases
    tools/reference cases NAME …      those alone; the bases are left as they are
"""

import importlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from cases import common  # noqa: E402


def main():
    # A module for each group of situations, with a function `case_<name>` for each of them.
    here = pathlib.Path(__file__).parent
    modules = [importlib.import_module(f"cases.{path.stem}")
               for path in sorted(here.glob("group_*.py"))]
    cases = {name.removeprefix("case_").replace("_", "-"): function
             for module in modules for name, function in vars(module).items() if name.startswith("case_")}
    wanted = sys.argv[1:]
    unknown = [name for name in wanted if name not in cases]
    if unknown:
        sys.exit(f"cases: there is no {', '.join(unknown)}; there are {', '.join(sorted(cases))}")
    if not wanted:
        for name in common.BASES:
            common.make_base(name)
        for name in common.GGUF_BASES:
            common.make_gguf_base(name)
    for name in wanted or sorted(cases):
        case = common.Case(name)
        cases[name](case)
        case.write()


if __name__ == "__main__":
    main()
