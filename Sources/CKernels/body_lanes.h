/* Sixteen f32 lanes, one an output, and what every kernel does with them. Each level compiles this
 * for its registers: 16 lanes are two of them with AVX2, one with AVX-512, four with NEON.
 */
#ifndef GK_BODY_LANES_H
#define GK_BODY_LANES_H

#pragma STDC FP_CONTRACT OFF

#include <math.h>
#include <string.h>

#include "kernel_table.h"

#define LANES 16
/* Bytes ahead of its use at which a weight is fetched, a page: the hardware stops at each. */
#define AHEAD 4096

typedef float lanes_f __attribute__((ext_vector_type(16)));
typedef int32_t lanes_i __attribute__((ext_vector_type(16)));
typedef uint32_t lanes_u __attribute__((ext_vector_type(16)));
typedef float lanes_f_unaligned __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t lanes_u_unaligned __attribute__((ext_vector_type(16), aligned(4)));

#define INLINE static inline __attribute__((always_inline))
/* A function of its own: the compiler spills its sums when it is part of a larger one. */
#define ALONE static __attribute__((noinline))
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#if __has_feature(thread_sanitizer)
/* The sanitizer overlooks what is wider than 16 bytes. */
void __tsan_read_range(void *memory, unsigned long bytes);
void __tsan_write_range(void *memory, unsigned long bytes);
#define READS(p) __tsan_read_range((void *)(uintptr_t)(p), sizeof(lanes_f))
#define WRITES(p) __tsan_write_range((void *)(uintptr_t)(p), sizeof(lanes_f))
#else
#define READS(p) ((void)0)
#define WRITES(p) ((void)0)
#endif
#define LOAD(p) (READS(p), (lanes_f) * (const lanes_f_unaligned *)(p))
#define LOAD_WORDS(p) (READS(p), (lanes_u) * (const lanes_u_unaligned *)(p))
#define STORE(p, v) (WRITES(p), *(lanes_f_unaligned *)(p) = (v))
#define SPLAT(x) ((lanes_f)(x))

INLINE lanes_f load_part(const float *p, size_t count, float fill) {
    float part[LANES];
    for (int i = 0; i < LANES; i++) part[i] = (size_t)i < count ? p[i] : fill;
    return LOAD(part);
}

INLINE void store_part(float *p, size_t count, lanes_f v) {
    float part[LANES];
    STORE(part, v);
    memcpy(p, part, count * sizeof(float));
}

INLINE lanes_f blend(lanes_i mask, lanes_f yes, lanes_f no) {
    return (lanes_f)((mask & (lanes_i)yes) | (~mask & (lanes_i)no));
}

/* One row's outputs of a panel, as far as the matrix has them. */
INLINE void put_lanes(const gk_product *q, size_t row, size_t panel, lanes_f sum) {
    float *y = q->y + row * q->y_stride + panel * GK_PANEL;
    size_t left = q->outputs - panel * GK_PANEL;
    if (left >= GK_PANEL) STORE(y, sum);
    else store_part(y, left, sum);
}

INLINE lanes_f take_lanes(const gk_product *q, size_t row, size_t panel) {
    if (!q->accumulate) return SPLAT(0.0f);
    const float *y = q->y + row * q->y_stride + panel * GK_PANEL;
    size_t left = q->outputs - panel * GK_PANEL;
    return left >= GK_PANEL ? LOAD(y) : load_part(y, left, 0);
}

/* M for each row of a tile. */
#define ROWS_1(M) M(0)
#define ROWS_2(M) ROWS_1(M) M(1)
#define ROWS_3(M) ROWS_2(M) M(2)
#define ROWS_4(M) ROWS_3(M) M(3)
#define ROWS_5(M) ROWS_4(M) M(4)
#define ROWS_6(M) ROWS_5(M) M(5)
#define ROWS_7(M) ROWS_6(M) M(6)
#define ROWS_8(M) ROWS_7(M) M(7)
#define ROWS_9(M) ROWS_8(M) M(8)
#define ROWS_10(M) ROWS_9(M) M(9)
#define ROWS_11(M) ROWS_10(M) M(10)
#define ROWS_12(M) ROWS_11(M) M(11)

#endif
