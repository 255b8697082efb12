"""Writes Sources/CKernels/blocks/grids.c: the vectors that levels of GGUF's IQ types are chosen from.

    tools/reference block-grids

They are facts of the format, taken from gguf-py; a vector is one word: 8 levels of 2 bits, or 4 of 4 bits, the
first lowest. Needs the environment of tools/python/requirements.txt.
"""

import importlib.metadata
import pathlib

import numpy as np
from gguf import quants

OUT = pathlib.Path(__file__).resolve().parents[2] / "Sources/CKernels/blocks/grids.c"
GRIDS = {"iq2_xxs": quants.IQ2_XXS, "iq2_xs": quants.IQ2_XS, "iq2_s": quants.IQ2_S,
         "iq3_xxs": quants.IQ3_XXS, "iq3_s": quants.IQ3_S, "iq1_s": quants.IQ1_S}
HEAD = """/* The vectors of the IQ types, one a word: 8 levels of 2 bits, or 4 of 4 bits, the first lowest.
 *
 * IQ2: 0, 1, 2 stand for 8, 25, 43. IQ3_XXS: 4, 12, 20, 28, 36, 44, 52, 62; IQ3_S: 1, 3 ... 15.
 * IQ1: -1, 0, 1.
 *
 * Source: gguf-py {version} (`quants.py`), by tools/goldens/block_grids.py.
 */
#include "formats.h"
"""


def words(cls):
    """The indices into `grid_map`, packed."""
    cls.init_grid()
    grid = cls.grid.reshape(cls.grid_shape)
    index = np.searchsorted(np.array(cls.grid_map, np.float32), grid)
    assert (np.array(cls.grid_map, np.float32)[index] == grid).all()
    bits = 16 // cls.grid_shape[1]
    return (index << (bits * np.arange(cls.grid_shape[1]))).sum(-1)


def main():
    text = HEAD.format(version=importlib.metadata.version("gguf"))
    for name, cls in GRIDS.items():
        values = [f"0x{word:04x}" for word in words(cls)]
        rows = [", ".join(values[i:i + 12]) for i in range(0, len(values), 12)]
        text += f"\nconst uint16_t gk_grid_{name}[{len(values)}] = {{\n"
        text += "".join(f"    {row},\n" for row in rows) + "};\n"
    OUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
