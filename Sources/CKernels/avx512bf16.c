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
        if (first + width >= q->last_panel && q->after) g.ahead = q->after;
        if (q->rows == 1) one_row(pairs, q->x_pairs, &g, 0, q->accumulate);
        else group_product(q, pairs, &g);
    }
}

/* 32 inputs an instruction. Subnormal inputs become 0, as they do in products. */
static void round_rows(const float *x, size_t x_stride, size_t rows, size_t inputs,
                       uint32_t *pairs) {
    size_t pair_count = (inputs + 1) / 2, whole = inputs / 32 * 32, left = inputs - whole;
    __mmask16 low = (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
    __mmask16 high = (__mmask16)(left < 16 ? 0 : (1u << (left - 16)) - 1);
    __mmask16 kept = (__mmask16)((1u << (left + 1) / 2) - 1);
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * x_stride;
        uint32_t *target = pairs + r * pair_count;
        for (size_t k = 0; k < whole; k += 32)
            _mm512_storeu_si512(target + k / 2,
                                (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(row + k + 16),
                                                             _mm512_loadu_ps(row + k)));
        if (left == 0) continue;
        __m512 first = _mm512_maskz_loadu_ps(low, row + whole);
        __m512 second = _mm512_maskz_loadu_ps(high, row + whole + 16);
        _mm512_mask_storeu_epi32(target + whole / 2, kept,
                                 (__m512i)_mm512_cvtne2ps_pbh(second, first));
    }
}

/* ---- attention over pages of bf16 --------------------------------------------------------- */

/* Two pages' keys, two panels of values, or one of them twice; those of the next are fetched. */
typedef struct {
    const uint32_t *first, *second, *next, *next2;
} page_twins;

/* A tile of rows and the pages that they see. */
typedef struct {
    const gk_attention_tile *tile;
    gk_seen_pages seen;
    size_t rows, pages, pairs;
    uint32_t *queries;
    float *sums, *scores;
    size_t padded, columns; /* floats from one row of sums, and of scores, to the next */
} attention_work;

/* The last page stands for those behind it. */
static const uint32_t *page_keys(const attention_work *w, size_t page) {
    const float *words = gk_seen_page(w->tile, &w->seen, page < w->pages ? page : w->pages - 1);
    return (const uint32_t *)(words + w->tile->head_offset);
}

#define TWIN_BEGIN(i) __m512 a##i = _mm512_setzero_ps(), b##i = a##i;
#define TWIN_END(i)                                                                               \
    _mm512_storeu_ps(y + i * y_stride, a##i);                                                     \
    _mm512_storeu_ps(y2 + i * y_stride, b##i);
#define TWIN_STEPS(R, COUNT)                                                                      \
    for (size_t p = 0; p < COUNT; p++) {                                                          \
        __builtin_prefetch(t->next + p * GK_PANEL);                                               \
        __builtin_prefetch(t->next2 + p * GK_PANEL);                                              \
        __m512i wa = _mm512_loadu_si512(t->first + p * GK_PANEL);                                 \
        __m512i wb = _mm512_loadu_si512(t->second + p * GK_PANEL);                                \
        ROWS_##R(ADVANCE)                                                                         \
    }
#define DEFINE_ATTENTION_TILES(R)                                                                 \
    /* Scores of the columns of two pages. */                                                     \
    static void scores_##R(const attention_work *w, size_t row, size_t page) {                    \
        page_twins twins = {page_keys(w, page), page_keys(w, page + 1), page_keys(w, page + 2),   \
                            page_keys(w, page + 3)};                                              \
        const page_twins *t = &twins;                                                             \
        const uint32_t *x = w->queries + row * w->pairs;                                          \
        const size_t x_stride = w->pairs, y_stride = w->columns;                                  \
        float *y = w->scores + row * y_stride + page * GK_PAGE, *y2 = y + GK_PAGE;                \
        ROWS_##R(TWIN_BEGIN)                                                                      \
        TWIN_STEPS(R, w->pairs)                                                                   \
        ROWS_##R(TWIN_END)                                                                        \
    }                                                                                             \
    /* Two panels of values, or the last one twice, over all pages. */                            \
    static void values_##R(const attention_work *w, size_t row, size_t panel) {                   \
        const size_t x_stride = w->columns / 2, y_stride = w->padded;                             \
        const size_t here = w->pairs * GK_PAGE + panel * GK_PAGE / 2 * GK_PANEL;                  \
        const int is_last = (panel + 1) * GK_PANEL == w->padded;                                  \
        const size_t beside = is_last ? here : here + GK_PAGE / 2 * GK_PANEL;                     \
        const uint32_t *x = (const uint32_t *)w->scores + row * x_stride;                         \
        float *y = w->sums + row * y_stride + panel * GK_PANEL, *y2 = is_last ? y : y + GK_PANEL; \
        ROWS_##R(TWIN_BEGIN)                                                                      \
        for (size_t page = 0; page < w->pages; page++, x += GK_PAGE / 2) {                        \
            const uint32_t *keys = page_keys(w, page), *next = page_keys(w, page + 1);            \
            page_twins twins = {keys + here, keys + beside, next + here, next + beside};          \
            const page_twins *t = &twins;                                                         \
            TWIN_STEPS(R, GK_PAGE / 2)                                                            \
        }                                                                                         \
        ROWS_##R(TWIN_END)                                                                        \
    }

DEFINE_ATTENTION_TILES(1)
DEFINE_ATTENTION_TILES(2)
DEFINE_ATTENTION_TILES(3)
DEFINE_ATTENTION_TILES(4)
DEFINE_ATTENTION_TILES(5)
DEFINE_ATTENTION_TILES(6)
DEFINE_ATTENTION_TILES(7)
DEFINE_ATTENTION_TILES(8)
DEFINE_ATTENTION_TILES(9)
DEFINE_ATTENTION_TILES(10)
DEFINE_ATTENTION_TILES(11)
DEFINE_ATTENTION_TILES(12)

typedef void (*attention_function)(const attention_work *, size_t, size_t);

static const attention_function score_tiles[13] = {
    0,        scores_1, scores_2, scores_3,  scores_4,  scores_5,  scores_6,
    scores_7, scores_8, scores_9, scores_10, scores_11, scores_12,
};
static const attention_function value_tiles[13] = {
    0,        values_1, values_2, values_3,  values_4,  values_5,  values_6,
    values_7, values_8, values_9, values_10, values_11, values_12,
};

static void round_queries(const attention_work *w) {
    const gk_attention_tile *t = w->tile;
    size_t dimension = t->head_dimension;
    for (size_t row = 0; row < w->rows; row++) {
        memcpy(w->sums, t->queries + row / t->group * t->query_stride + row % t->group * dimension,
               dimension * sizeof(float));
        gk_scale(w->sums, t->scale, dimension);
        gk_round_rows_bf16(w->sums, dimension, 1, dimension, w->queries + row * w->pairs);
    }
}

/* Probabilities take the place of scores: each word is written behind those still to be read. */
static void soften_rows(const attention_work *w, float *factors) {
    for (size_t row = 0; row < w->rows; row++) {
        float *scores = w->scores + row * w->columns;
        factors[row] = gk_soften(scores, w->columns, w->tile, &w->seen, row);
        gk_round_rows_bf16(scores, w->columns, 1, w->columns,
                           (uint32_t *)w->scores + row * (w->columns / 2));
    }
}

static void attention(const gk_attention_tile *t) {
    size_t dimension = t->head_dimension;
    attention_work w = {.tile = t};
    w.rows = t->positions * t->group;
    w.seen = gk_pages_seen(t);
    w.pages = w.seen.count;
    w.pairs = (dimension + 1) / 2;
    w.padded = (dimension + GK_PANEL - 1) / GK_PANEL * GK_PANEL;
    w.columns = (w.pages + 1) / 2 * 2 * GK_PAGE;
    w.sums = t->scratch;
    w.queries = (uint32_t *)(w.sums + w.rows * w.padded);
    w.scores = (float *)(w.queries + w.rows * w.pairs);
    float *factors = (float *)w.queries; /* which nobody needs after the scores */
    round_queries(&w);
    for (size_t page = 0; page < w.pages; page += 2)
        for (size_t row = 0, count; row < w.rows; row += count) {
            count = tile_rows(w.rows - row);
            score_tiles[count](&w, row, page);
        }
    soften_rows(&w, factors);
    for (size_t panel = 0; panel * GK_PANEL < w.padded; panel += 2)
        for (size_t row = 0, count; row < w.rows; row += count) {
            count = tile_rows(w.rows - row);
            value_tiles[count](&w, row, panel);
        }
    for (size_t row = 0; row < w.rows; row++) {
        gk_scale(w.sums + row * w.padded, factors[row], dimension);
        memcpy(t->output + row / t->group * t->output_stride + row % t->group * dimension,
               w.sums + row * w.padded, dimension * sizeof(float));
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
    table->round_rows_bf16 = round_rows;
    table->attention_bf16 = attention;
}

#pragma clang attribute pop
#endif
