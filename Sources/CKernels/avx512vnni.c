/* Products with 8-bit and 4-bit blocks for AVX-512 VNNI, whose one instruction adds four
 * products of unsigned by signed bytes to each of 16 sums. The arithmetic is that of
 * body_int8.h.
 *
 * Tiles of up to 6 rows × 2 panels keep 12 accumulators and 12 sums of a block in registers; a
 * row's word is loaded once for both panels. Nibbles are unpacked as they pass, on ports that
 * the products leave free. */
#if defined(__x86_64__)
#include <immintrin.h>

#define GK(name) gk_##name##_avx512vnni
#define GK_HARDWARE_HALF 1

#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(                                                                     \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))),       \
    apply_to = function)

#include "body_lanes.h"
#include "body_widen.h"

typedef __m512i weight_bytes;
typedef __m512i dot_sums;

/* Signed levels become unsigned, 128 too large; the sums start that much lower. */
INLINE weight_bytes take_weights(level_kind kind, const uint8_t *bytes) {
    __m512i w = _mm512_loadu_si512(bytes);
    return kind == SIGNED_BYTES ? _mm512_xor_si512(w, _mm512_set1_epi8((char)0x80)) : w;
}

INLINE void take_nibbles(const uint8_t *bytes, weight_bytes *low, weight_bytes *high) {
    __m512i both = _mm512_loadu_si512(bytes), mask = _mm512_set1_epi8(15);
    *low = _mm512_and_si512(both, mask);
    *high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
}

INLINE dot_sums start_sums(level_kind kind, int32_t row_sum, int32_t offset) {
    return _mm512_set1_epi32(-(kind == SIGNED_BYTES ? 128 : offset) * row_sum);
}

INLINE dot_sums add_dots(level_kind kind, dot_sums sums, weight_bytes w, int32_t x) {
    (void)kind;
    return _mm512_dpbusd_epi32(sums, w, _mm512_set1_epi32(x));
}

INLINE lanes_i finish_sums(level_kind kind, dot_sums sums, int32_t row_sum, int32_t offset) {
    (void)kind, (void)row_sum, (void)offset;
    return (lanes_i)sums;
}

#include "body_int8_row.h"

/* Blocks that all rows run over at a time, at most: two panels of them stay in the nearest
   cache. */
#define RUN_BLOCKS 24
#define PAIR_ROWS 6

/* A run of blocks of two panels; a lone panel stands in both places, with no lane to store. */
typedef struct {
    const uint8_t *first, *second;
    /* What is multiplied next, fetched bit by bit, `ahead_step` bytes with each block. */
    const uint8_t *ahead, *ahead2;
    size_t ahead_step;
    size_t count;
    __mmask16 lanes, lanes2;
} panel_pair;

/* -128 or -8 times the sum of a row's levels in this block, or 0: what unsigned levels are too
   large by. */
INLINE __m512i start_of(gk_type type, const gk_row_block *head) {
    if (type == GK_Q4_1) return _mm512_setzero_si512();
    __m512i sum = _mm512_set1_epi32(head->sum);
    return _mm512_sub_epi32(_mm512_setzero_si512(),
                            _mm512_slli_epi32(sum, type == GK_Q8_0 ? 7 : 3));
}

INLINE __m512 half_lanes(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

#define PAIR_BEGIN(i)                                                                             \
    __m512 a##i = _mm512_setzero_ps(), b##i = a##i;                                               \
    if (accumulate) {                                                                             \
        a##i = _mm512_maskz_loadu_ps(w.lanes, y + i * y_stride);                                  \
        b##i = _mm512_maskz_loadu_ps(w.lanes2, y + i * y_stride + GK_PANEL);                      \
    }
#define PAIR_START(i)                                                                             \
    const gk_row_block *h##i = x.heads + i * x.head_stride + block;                               \
    __m512i s##i = start_of(type, h##i), t##i = s##i;
/* Keeps the compiler from loading rows' words far ahead, into registers that it takes from the
 * accumulators: the processor runs ahead by itself. */
#define IN_ORDER(a, b) __asm__ volatile("" : "+v"(a), "+v"(b) : : "memory")
#define PAIR_DOT(i)                                                                               \
    {                                                                                             \
        __m512i v = _mm512_set1_epi32(word_at(levels + i * x.level_stride, index));               \
        s##i = _mm512_dpbusd_epi32(s##i, u, v);                                                   \
        t##i = _mm512_dpbusd_epi32(t##i, u2, v);                                                  \
        IN_ORDER(s##i, t##i);                                                                     \
    }
#define PAIR_SCALE(i)                                                                             \
    {                                                                                             \
        __m512 v = _mm512_set1_ps(h##i->scale);                                                   \
        a##i = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s##i), _mm512_mul_ps(scale, v), a##i);          \
        b##i = _mm512_fmadd_ps(_mm512_cvtepi32_ps(t##i), _mm512_mul_ps(scale2, v), b##i);         \
    }
#define PAIR_MINIMUM(i)                                                                           \
    {                                                                                             \
        __m512 v = _mm512_set1_ps(h##i->scale * (float)h##i->sum);                                \
        a##i = _mm512_fmadd_ps(minimum, v, a##i);                                                 \
        b##i = _mm512_fmadd_ps(minimum2, v, b##i);                                                \
    }
#define PAIR_END(i)                                                                               \
    _mm512_mask_storeu_ps(y + i * y_stride, w.lanes, a##i);                                       \
    _mm512_mask_storeu_ps(y + i * y_stride + GK_PANEL, w.lanes2, b##i);

#define DEFINE_PAIR_TILE(R)                                                                       \
    INLINE void pair_tile_##R(gk_type type, row_run x, panel_pair w, float *y, size_t y_stride,   \
                              int accumulate) {                                                   \
        const size_t stride = block_group_bytes(type), header = type == GK_Q4_1 ? 64 : 32;        \
        const uint8_t *first = w.first, *second = w.second;                                       \
        ROWS_##R(PAIR_BEGIN)                                                                      \
        for (size_t block = 0; block < w.count; block++, first += stride, second += stride) {     \
            const int8_t *levels = x.levels + block * 32;                                         \
            for (size_t line = 0; line < w.ahead_step; line += 64) {                              \
                __builtin_prefetch(w.ahead + block * w.ahead_step + line, 0, 2);                  \
                __builtin_prefetch(w.ahead2 + block * w.ahead_step + line, 0, 2);                 \
            }                                                                                     \
            ROWS_##R(PAIR_START)                                                                  \
            _Pragma("clang loop unroll(full)")                                                    \
            for (int step = 0; step < 8; step++) {                                                \
                /* A quarter of nibbles has two steps, of bytes one. */                           \
                const int index = type == GK_Q8_0 ? step : step % 2 * 4 + step / 2;               \
                weight_bytes u = take_step(type, first + header, step);                           \
                weight_bytes u2 = take_step(type, second + header, step);                         \
                ROWS_##R(PAIR_DOT)                                                                \
            }                                                                                     \
            __m512 scale = half_lanes(first), scale2 = half_lanes(second);                        \
            ROWS_##R(PAIR_SCALE)                                                                  \
            if (type == GK_Q4_1) {                                                                \
                __m512 minimum = half_lanes(first + 32), minimum2 = half_lanes(second + 32);      \
                ROWS_##R(PAIR_MINIMUM)                                                            \
            }                                                                                     \
        }                                                                                         \
        ROWS_##R(PAIR_END)                                                                        \
    }                                                                                             \
    ALONE void q8_0_pair_##R(const row_run *x, const panel_pair *w, float *y, size_t s,           \
                                 int accumulate) {                                                \
        pair_tile_##R(GK_Q8_0, *x, *w, y, s, accumulate);                                         \
    }                                                                                             \
    ALONE void q4_0_pair_##R(const row_run *x, const panel_pair *w, float *y, size_t s,           \
                                 int accumulate) {                                                \
        pair_tile_##R(GK_Q4_0, *x, *w, y, s, accumulate);                                         \
    }                                                                                             \
    ALONE void q4_1_pair_##R(const row_run *x, const panel_pair *w, float *y, size_t s,           \
                                 int accumulate) {                                                \
        pair_tile_##R(GK_Q4_1, *x, *w, y, s, accumulate);                                         \
    }

/* The levels of four inputs: of word `step`, or of the low or high half of a quarter of nibbles. */
INLINE weight_bytes take_step(gk_type type, const uint8_t *levels, int step) {
    if (type == GK_Q8_0) return take_weights(SIGNED_BYTES, levels + step * 64);
    __m512i both = _mm512_loadu_si512(levels + step / 2 * 64), mask = _mm512_set1_epi8(15);
    return _mm512_and_si512(step % 2 ? _mm512_srli_epi16(both, 4) : both, mask);
}

DEFINE_PAIR_TILE(1)
DEFINE_PAIR_TILE(2)
DEFINE_PAIR_TILE(3)
DEFINE_PAIR_TILE(4)
DEFINE_PAIR_TILE(5)
DEFINE_PAIR_TILE(6)

/* Read through pointers: a copy on the stack, written by parts and read whole, waits for all
   before it. */
typedef void (*pair_function)(const row_run *, const panel_pair *, float *, size_t, int);

#define PAIR_TILES(type)                                                                          \
    {type##_1, type##_2, type##_3, type##_4, type##_5, type##_6}
static const pair_function pairs[3][PAIR_ROWS] = {
    PAIR_TILES(q8_0_pair), PAIR_TILES(q4_0_pair), PAIR_TILES(q4_1_pair),
};

INLINE __mmask16 lanes_of(const gk_product *q, size_t panel) {
    if (panel >= q->last_panel) return 0;
    size_t left = q->outputs - panel * GK_PANEL;
    return left >= GK_PANEL ? 0xffff : (__mmask16)((1u << left) - 1);
}

/* One row by panels one after another. */
static void one_row(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs), blocks = q->inputs / 32;
    row_run x = {q->x_levels, q->x_blocks, 0, 0};
    for (size_t panel = q->first_panel; panel < q->last_panel; panel++) {
        const uint8_t *bytes = (const uint8_t *)q->packed + panel * panel_bytes;
        __mmask16 lanes = lanes_of(q, panel);
        float *y = q->y + panel * GK_PANEL;
        if (lanes == 0xffff) {
            GK(int_rows)[q->type - GK_Q8_0](&x, bytes, blocks, y, q->accumulate);
            continue;
        }
        float sums[GK_PANEL];
        _mm512_storeu_ps(sums, _mm512_maskz_loadu_ps(lanes, y));
        GK(int_rows)[q->type - GK_Q8_0](&x, bytes, blocks, sums, q->accumulate);
        _mm512_mask_storeu_ps(y, lanes, _mm512_loadu_ps(sums));
    }
}

/* Rows of the next tile; what is left beyond whole tiles goes in tiles of like size. */
INLINE size_t pair_rows(size_t left) {
    size_t tiles = (left + PAIR_ROWS - 1) / PAIR_ROWS;
    return (left + tiles - 1) / tiles;
}

/* All rows by two panels, run by run. */
INLINE void rows_by_pair(const gk_product *q, panel_pair w, float *y) {
    size_t blocks = q->inputs / 32, runs = (blocks + RUN_BLOCKS - 1) / RUN_BLOCKS;
    size_t stride = block_group_bytes(q->type), pair_bytes = 2 * blocks * stride;
    size_t tiles = (q->rows + PAIR_ROWS - 1) / PAIR_ROWS;
    const uint8_t *first = w.first, *second = w.second;
    for (size_t run = 0; run < runs; run++) {
        size_t b = run * blocks / runs, end = (run + 1) * blocks / runs;
        /* Behind the last run is the first one of the next two panels. */
        size_t next = run + 1 < runs ? end * stride : pair_bytes;
        w.first = first + b * stride;
        w.second = second + b * stride;
        w.count = end - b;
        w.ahead = first + next;
        w.ahead2 = second + next;
        w.ahead_step = (stride + tiles - 1) / tiles;
        for (size_t r = 0, taken; r < q->rows; r += taken) {
            taken = pair_rows(q->rows - r);
            row_run x = {q->x_levels + r * q->inputs + b * 32, q->x_blocks + r * blocks + b,
                         q->inputs, blocks};
            pairs[q->type - GK_Q8_0][taken - 1](&x, &w, y + r * q->y_stride, q->y_stride,
                                                q->accumulate || b > 0);
            w.ahead += w.count * w.ahead_step;
            w.ahead2 += w.count * w.ahead_step;
        }
    }
}

static void multiply_blocks(const gk_product *q) {
    if (q->rows == 1) {
        one_row(q);
        return;
    }
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t panel = q->first_panel; panel < q->last_panel; panel += 2) {
        const uint8_t *first = (const uint8_t *)q->packed + panel * panel_bytes;
        panel_pair w = {.first = first,
                        .second = panel + 1 < q->last_panel ? first + panel_bytes : first,
                        .lanes = lanes_of(q, panel),
                        .lanes2 = lanes_of(q, panel + 1)};
        rows_by_pair(q, w, q->y + panel * GK_PANEL);
    }
}

/* Rounds of the products' own instruction on registers: what a product can't outrun. */
#define PEAK_BEGIN(i) __m512i s##i = _mm512_set1_epi32(i);
#define PEAK_ADD(i) s##i = _mm512_dpbusd_epi32(s##i, w, x);
#define PEAK_SINK(i) total = _mm512_add_epi32(total, s##i);
static size_t peak_dots(gk_type type, size_t rounds, float *sink) {
    (void)type;
    __m512i w = _mm512_set1_epi8(3), x = _mm512_set1_epi8(5), total = _mm512_setzero_si512();
    ROWS_12(PEAK_BEGIN)
    for (size_t i = 0; i < rounds; i++) {
        __asm__ volatile("" : "+v"(w), "+v"(x));
        ROWS_12(PEAK_ADD)
    }
    ROWS_12(PEAK_SINK)
    *sink += (float)_mm512_reduce_add_epi32(total);
    return rounds * 12 * LANES * 4 * 2;
}

void gk_init_avx512vnni(gk_table *table) {
    table->multiply_blocks = multiply_blocks;
    table->peak_dots = peak_dots;
}

#pragma clang attribute pop
#endif
