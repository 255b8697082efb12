/* The kernels for NEON: 16 lanes are four of 32 registers. */
#if defined(__aarch64__)
#include <arm_neon.h>

#define GK(name) gk_##name##_neon
#define TILE 6
#define INT_TILE 3
#define FEW_ROWS 3
#define DOT_ROWS 2
#define DOT_OUTPUTS 2
#define GK_HARDWARE_HALF 1

#include "body_lanes.h"

/* A scalar in lane 0, from where a multiply-add takes it. The barrier keeps the compiler from
 * loading it into all lanes, which takes a place of an addition, and from loading the next rows'
 * ahead, for which the 24 sums and 4 weights of a tile leave no registers. */
INLINE lanes_f in_lane(float x) {
    __asm__ volatile("" : "+w"(x));
    return SPLAT(x);
}
#define FACTOR(x) in_lane(x)

#include "body_vector.h"
#include "body_activation.h"
#include "body_matrix.h"
#include "int8_neon.h"
#include "body_int8.h"
#include "body_dots.h"
#include "body_fourier.h"
#include "body_sparse.h"
#include "body_attention.h"

void gk_init_neon(gk_table *table) { gk_fill_table_neon(table); }
#endif
