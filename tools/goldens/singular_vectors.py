"""Writes torch's singular vectors, whose signs methods depend on that save rotations between them.

    tools/reference singular-vectors      Tests/Goldens/singular-vectors.safetensors

Of each random matrix the first vectors as `torch.linalg.svd` gives them on a processor, as far as their signs
hold: from the first pair on that torch itself turns when every weight is changed in its last bit (tried 500
times), a sign hangs on rounding, and nothing can be expected of it. Signs are those of torch's package for x86,
which brings its own library of linear algebra; elsewhere they may differ.
Needs the environment of tools/python/requirements.txt.
"""

import pathlib
import platform
import sys

import torch
from safetensors.torch import save_file

SEED = 20261122
COUNT = 6
TRIALS = 500
OUT = pathlib.Path(__file__).resolve().parents[2] / "Tests/Goldens/singular-vectors.safetensors"
PINNED = "2.13.0"
# Around 3 rows to 2 columns, where the library takes another way, and beyond.
SHAPES = [(7, 9), (40, 8), (40, 40), (59, 40), (60, 40), (120, 40), (40, 60), (40, 75), (40, 160), (130, 70)]


def held(matrix, left, generator):
    """How many of the first pairs keep their signs under the least changes of the matrix."""
    count = COUNT
    for _ in range(TRIALS):
        signs = torch.randint(0, 2, matrix.shape, generator=generator) * 2 - 1
        other, _, _ = torch.linalg.svd(matrix * (1 + signs * 2.0**-23), full_matrices=False)
        turned = ((other * left).sum(0)[:count] < 0.9).nonzero()
        count = int(turned[0]) if len(turned) else count
    return count


def main():
    if torch.__version__.split("+")[0] != PINNED or platform.machine() != "x86_64":
        sys.exit(f"singular_vectors: needs torch {PINNED} on x86_64: "
                 "use the environment of tools/python/requirements.txt")
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(SEED)
    tensors = {}
    for rows, columns in SHAPES:
        matrix = 0.05 * torch.randn(rows, columns, generator=generator)
        left, values, right = torch.linalg.svd(matrix, full_matrices=False)
        count = held(matrix, left, torch.Generator().manual_seed(SEED + rows * columns))
        name = f"{rows}x{columns}"
        tensors[f"{name}.matrix"] = matrix
        tensors[f"{name}.left"] = left[:, :count].T.contiguous()
        tensors[f"{name}.values"] = values[:count].contiguous()
        tensors[f"{name}.right"] = right[:count].contiguous()
    save_file(tensors, OUT, {
        "generator": "tools/goldens/singular_vectors.py", "seed": str(SEED), "torch": PINNED})


if __name__ == "__main__":
    main()
