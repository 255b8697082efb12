"""Checks the module arrows: which module may import which (docs/architecture.md).

Exits with 1 and a line for each import that points up or sideways.
"""

import pathlib
import re
import sys

SYSTEM = {"Foundation", "FoundationEssentials", "Dispatch", "Glibc", "Synchronization"}

ALLOWED = {
    "StrictJSON": {"CJSON"},
    "RegularExpressions": {"CPCRE2"},
    "Kernels": {"CKernels", "COpenBLAS"},
    "Checkpoints": {"CKernels", "StrictJSON"},
    "Tokenization": {
        "CSentencePiece", "RegularExpressions", "StrictJSON", "Checkpoints", "Crypto",
    },
    "Transformer": {"Kernels", "Checkpoints", "StrictJSON"},
    "Adapters": {
        "Transformer", "Tokenization", "Checkpoints", "Kernels", "StrictJSON",
        "RegularExpressions", "Crypto",
    },
    "Engine": {"Transformer", "Adapters", "Kernels", "DequeModule"},
    "Serving": {"Engine", "Adapters", "Tokenization", "StrictJSON", "Logging"},
    "Transports": {"Serving", "Logging", "NIOCore", "NIOPosix"},
    "graft": {
        "StrictJSON", "Kernels", "Checkpoints", "Tokenization", "Transformer", "Adapters",
        "Engine", "Serving", "Transports", "ArgumentParser", "Logging",
    },
}

IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?"
    r"import\s+(?:(?:struct|class|enum|func|protocol|typealias|var|let)\s+)?(\w+)",
    re.MULTILINE,
)


def main() -> int:
    sources = pathlib.Path(__file__).resolve().parents[2] / "Sources"
    wrong = []
    for module, allowed in ALLOWED.items():
        for path in sorted((sources / module).rglob("*.swift")):
            for name in IMPORT.findall(path.read_text(encoding="utf-8")):
                if name not in allowed | SYSTEM:
                    wrong.append(f"{path.relative_to(sources.parent)}: {module} may not import {name}")
    unknown = {p.name for p in sources.iterdir() if any(p.rglob("*.swift"))} - set(ALLOWED)
    wrong += [f"Sources/{name}: a module that the arrows don't name" for name in sorted(unknown)]
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
