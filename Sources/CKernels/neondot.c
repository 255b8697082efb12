/* Products with 8-bit and 4-bit blocks for NEON with dot products (FEAT_DotProd), whose one
 * instruction adds four products of signed bytes to each of 4 sums. */
#if defined(__aarch64__)
#include <arm_neon.h>

#define GK(name) gk_##name##_neondot
#define INT_TILE 3
#define GK_HARDWARE_HALF 1

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "body_lanes.h"
#include "body_widen.h"

#define ADD_PRODUCTS(sums, w, x) vdotq_s32(sums, w, x)
#include "int8_neon.h"
#include "body_int8.h"

void gk_init_neondot(gk_table *table) {
    table->multiply_blocks = gk_multiply_blocks_neondot;
    table->peak_dots = gk_peak_dots_neondot;
}

#pragma clang attribute pop
#endif
