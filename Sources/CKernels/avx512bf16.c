/* Products with bf16 matrices for AVX-512 BF16: rows come rounded to bf16, two inputs a word, and
 * one instruction adds both products of a pair to each of 16 outputs.
 *
 *   acc[o] = acc[o] + x[k + 1] * W[o, k + 1] + x[k] * W[o, k]     pairs ascending
 *
 * Tiles of up to 12 rows × 2 panels keep 24 accumulators in registers; one row takes 4 panels at
 * once. Groups with fewer panels repeat their last one with no lane to store.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "kernel_table.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))),     \
                             apply_to = function)

typedef struct {
    const uint32_t *panels[4];
    const uint8_t *ahead; /* the next group, fetched while tiles run over this one */
    float *y[4];
    __mmask16 lanes[4];
} panel_group;

#define DOT(acc, x, w) acc = _mm512_dpbf16_ps(acc, (__m512bh)(x), (__m512bh)(w))
#define START(p)                                                                                  \
    (accumulate ? _mm512_maskz_loadu_ps(g->lanes[p], g->y[p] + offset) : _mm512_setzero_ps())
#define FINISH(p, v) _mm512_mask_storeu_ps(g->y[p] + offset, g->lanes[p], v)

static void one_row(size_t pairs, const uint32_t *x, const panel_group *g, size_t offset,
                    int accumulate) {
    __m512 a0 = START(0), a1 = START(1), a2 = START(2), a3 = START(3);
    const uint32_t *w0 = g->panels[0], *w1 = g->panels[1], *w2 = g->panels[2], *w3 = g->panels[3];
    for (size_t p = 0; p < pairs; p++) {
        __m512i v = _mm512_set1_epi32((int)x[p]);
        DOT(a0, v, _mm512_loadu_si512(w0 + p * GK_PANEL));
        DOT(a1, v, _mm512_loadu_si512(w1 + p * GK_PANEL));
        DOT(a2, v, _mm512_loadu_si512(w2 + p * GK_PANEL));
        DOT(a3, v, _mm512_loadu_si512(w3 + p * GK_PANEL));
    }
    FINISH(0, a0);
    FINISH(1, a1);
    FINISH(2, a2);
    FINISH(3, a3);
}

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
#define BEGIN(i)                                                                                  \
    size_t o##i = offset + i * y_stride;                                                          \
    __m512 a##i = accumulate ? _mm512_maskz_loadu_ps(g->lanes[0], g->y[0] + o##i)                 \
                             : _mm512_setzero_ps();                                               \
    __m512 b##i = accumulate ? _mm512_maskz_loadu_ps(g->lanes[1], g->y[1] + o##i)                 \
                             : _mm512_setzero_ps();
#define ADVANCE(i)                                                                                \
    {                                                                                             \
        __m512i v = _mm512_set1_epi32((int)x[i * x_stride + p]);                                  \
        DOT(a##i, v, wa);                                                                         \
        DOT(b##i, v, wb);                                                                         \
    }
#define END(i)                                                                                    \
    _mm512_mask_storeu_ps(g->y[0] + o##i, g->lanes[0], a##i);                                     \
    _mm512_mask_storeu_ps(g->y[1] + o##i, g->lanes[1], b##i);

#define DEFINE_TILE(R)                                                                            \
    static void tile_##R(size_t pairs, const uint32_t *x, size_t x_stride, const panel_group *g,  \
                         size_t offset, size_t y_stride, int accumulate, size_t ahead_step) {     \
        ROWS_##R(BEGIN)                                                                           \
        for (size_t p = 0; p < pairs; p++) {                                                      \
            __builtin_prefetch(g->ahead + p * ahead_step);                                        \
            __builtin_prefetch(g->ahead + p * ahead_step + 64);                                   \
            __m512i wa = _mm512_loadu_si512(g->panels[0] + p * GK_PANEL);                         \
            __m512i wb = _mm512_loadu_si512(g->panels[1] + p * GK_PANEL);                         \
            ROWS_##R(ADVANCE)                                                                     \
        }                                                                                         \
        ROWS_##R(END)                                                                             \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)
DEFINE_TILE(7)
DEFINE_TILE(8)
DEFINE_TILE(9)
DEFINE_TILE(10)
DEFINE_TILE(11)
DEFINE_TILE(12)

typedef void (*tile_function)(size_t, const uint32_t *, size_t, const panel_group *, size_t,
                              size_t, int, size_t);

static const tile_function tiles[13] = {
    0,      tile_1, tile_2, tile_3, tile_4,  tile_5,  tile_6,
    tile_7, tile_8, tile_9, tile_10, tile_11, tile_12,
};

/* What remains beyond whole tiles goes in two tiles of like size. */
static size_t tile_rows(size_t left) {
    return left >= 24 ? 12 : left > 12 ? (left + 1) / 2 : left;
}

/* Each tile fetches its share of the next group's two panels. */
static void group_product(const gk_product *q, size_t pairs, panel_group *g) {
    size_t step = 2 * GK_PANEL * sizeof(uint32_t) / ((q->rows + 11) / 12);
    for (size_t row = 0, count; row < q->rows; row += count) {
        count = tile_rows(q->rows - row);
        tiles[count](pairs, q->x_pairs + row * pairs, pairs, g, row * q->y_stride, q->y_stride,
                     q->accumulate, step);
        g->ahead += pairs * step;
    }
}

static void multiply(const gk_product *q) {
    size_t pairs = (q->inputs + 1) / 2, width = q->rows == 1 ? 4 : 2;
    for (size_t first = q->first_panel; first < q->last_panel; first += width) {
        panel_group g;
        for (size_t i = 0; i < width; i++) {
            size_t panel = first + i < q->last_panel ? first + i : q->last_panel - 1;
            size_t left = q->outputs - panel * GK_PANEL;
            g.panels[i] = (const uint32_t *)q->packed + panel * pairs * GK_PANEL;
            g.y[i] = q->y + panel * GK_PANEL;
            g.lanes[i] = first + i >= q->last_panel ? 0
                         : left >= GK_PANEL         ? 0xffff
                                                    : (__mmask16)((1u << left) - 1);
        }
        g.ahead = (const uint8_t *)(g.panels[0] + 2 * pairs * GK_PANEL);
        if (q->rows == 1) one_row(pairs, q->x_pairs, &g, 0, q->accumulate);
        else group_product(q, pairs, &g);
    }
}

#define PEAK_BEGIN(i) __m512 a##i = _mm512_set1_ps((float)i);
#define PEAK_ADD(i) DOT(a##i, v, w);
#define PEAK_SINK(i) total = _mm512_add_ps(total, a##i);

static size_t peak_bf16(size_t rounds, float *sink) {
    __m512i w = _mm512_set1_epi32(0x3c003c00);
    __m512 total = _mm512_setzero_ps();
    ROWS_12(PEAK_BEGIN)
    for (size_t i = 0; i < rounds; i++) {
        __m512i v = _mm512_set1_epi32((int)(0x3c003c00u | (i & 1)));
        ROWS_12(PEAK_ADD)
    }
    ROWS_12(PEAK_SINK)
    *sink += _mm512_reduce_add_ps(total);
    return rounds * 12 * 16 * 2 * 2;
}

void gk_init_avx512bf16(gk_table *table) {
    table->multiply_bf16_rows = multiply;
    table->peak_bf16 = peak_bf16;
}

#pragma clang attribute pop
#endif
