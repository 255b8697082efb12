/* Products of rows with matrices of 8-bit and 4-bit blocks, in integers.
 *
 * Rows come rounded to blocks of 32 signed bytes (gk_round_rows_int8). For each block of 32 inputs
 * and each output the levels' products are added exactly, then scaled in f32:
 *
 *   acc[o] = fma(sum over 32 k of level[o, k] * x_level[k], scale[o] * x_scale, acc[o])
 *   Q4_1:    fma(minimum[o], x_scale * sum of x_level, that)           blocks ascending
 *
 * so that every level of the processor agrees bit for bit, whatever integer instructions it has.
 * A level provides, before this file is included, for a quarter of four inputs by 16 outputs:
 *
 *   weight_bytes         16 outputs × 4 levels in registers
 *   take_weights(kind, bytes)
 *   dot_sums             sums of one row's products with 16 outputs within a block
 *   take_nibbles(bytes, &low, &high)   a quarter of packed nibbles: inputs k and k + 16
 *   start_sums(kind, row_sum, offset)  offset: by how much unsigned levels are too large; row_sum:
 *                                      the sum of the row's levels in this block
 *   add_dots(kind, sums, weights, x)   x: four of the row's levels in a word
 *   finish_sums(kind, sums, row_sum, offset)    as 16 integers
 */
#include "body_int8_row.h"

/* A panel's blocks for the tiles: 8 quarters of levels each, scales and minima where they lie; and
 * what is multiplied next, to be fetched bit by bit, `ahead_stride` bytes with each block. */
typedef struct {
    const uint8_t *levels, *heads;
    size_t level_stride, head_stride;
    size_t count;
    const uint8_t *ahead;
    size_t ahead_stride;
} block_run;

/* Blocks [first, first + count) of a panel; nibbles are unpacked into `scratch`, 512 bytes a
   block. */
INLINE block_run take_blocks(gk_type type, const uint8_t *panel, size_t first, size_t count,
                             uint8_t *scratch) {
    size_t stride = block_group_bytes(type), header = type == GK_Q4_1 ? 64 : 32;
    const uint8_t *heads = panel + first * stride;
    block_run run = {heads + header, heads, stride, stride, count, heads + count * stride, stride};
    if (type == GK_Q8_0) return run;
    for (size_t b = 0; b < count; b++) {
        const uint8_t *nibbles = heads + b * stride + header;
        for (int quarter = 0; quarter < 4; quarter++) {
            lanes_u bytes = *(const lanes_u_unaligned *)(nibbles + quarter * 64);
            uint8_t *low = scratch + b * 512 + quarter * 64;
            *(lanes_u_unaligned *)low = bytes & 0x0f0f0f0fu;
            *(lanes_u_unaligned *)(low + 256) = bytes >> 4 & 0x0f0f0f0fu;
        }
    }
    run.levels = scratch;
    run.level_stride = 512;
    return run;
}

#define INT_BEGIN(i)                                                                              \
    lanes_f a##i = accumulate ? LOAD(y + i * y_stride) : SPLAT(0.0f);
#define INT_START(i)                                                                              \
    const gk_row_block *h##i = x.heads + i * x.head_stride + b;                                   \
    dot_sums s##i = start_sums(kind, h##i->sum, offset);
#define INT_DOT(i)                                                                                \
    s##i = add_dots(kind, s##i, w, word_at(levels + i * x.level_stride, quarter));
#define INT_SCALE(i)                                                                              \
    a##i = FMA(__builtin_convertvector(finish_sums(kind, s##i, h##i->sum, offset), lanes_f),      \
               scale * SPLAT(h##i->scale), a##i);
#define INT_MINIMUM(i) a##i = FMA(minimum, SPLAT(h##i->scale * (float)h##i->sum), a##i);
#define INT_PUT(i) STORE(y + i * y_stride, a##i);

#define DEFINE_INT_TILE(R)                                                                        \
    INLINE void GK(int_tile_##R)(gk_type type, row_run x, block_run w_run, float *y,              \
                                 size_t y_stride, int accumulate) {                               \
        level_kind kind = kind_of(type);                                                          \
        const int32_t offset = type == GK_Q4_0 ? 8 : 0;                                           \
        ROWS_##R(INT_BEGIN)                                                                       \
        for (size_t b = 0; b < w_run.count; b++) {                                                \
            const uint8_t *bytes = w_run.levels + b * w_run.level_stride;                         \
            const uint8_t *head = w_run.heads + b * w_run.head_stride;                            \
            const int8_t *levels = x.levels + b * 32;                                             \
            for (size_t line = 0; line < w_run.ahead_stride; line += 64)                          \
                __builtin_prefetch(w_run.ahead + b * w_run.ahead_stride + line, 0, 2);            \
            ROWS_##R(INT_START)                                                                   \
            _Pragma("clang loop unroll(full)")                                                    \
            for (int quarter = 0; quarter < 8; quarter++) {                                       \
                weight_bytes w = take_weights(kind, bytes + quarter * 64);                        \
                ROWS_##R(INT_DOT)                                                                 \
            }                                                                                     \
            lanes_f scale = widen_half((const uint16_t *)head);                                   \
            ROWS_##R(INT_SCALE)                                                                   \
            if (type == GK_Q4_1) {                                                                \
                lanes_f minimum = widen_half((const uint16_t *)head + GK_PANEL);                  \
                ROWS_##R(INT_MINIMUM)                                                             \
            }                                                                                     \
        }                                                                                         \
        ROWS_##R(INT_PUT)                                                                         \
    }                                                                                             \
    ALONE void GK(q8_0_tile_##R)(const row_run *x, const block_run *w, float *y, size_t s,        \
                                int accumulate) {                                                 \
        GK(int_tile_##R)(GK_Q8_0, *x, *w, y, s, accumulate);                                      \
    }                                                                                             \
    ALONE void GK(q4_0_tile_##R)(const row_run *x, const block_run *w, float *y, size_t s,        \
                                int accumulate) {                                                 \
        GK(int_tile_##R)(GK_Q4_0, *x, *w, y, s, accumulate);                                      \
    }                                                                                             \
    ALONE void GK(q4_1_tile_##R)(const row_run *x, const block_run *w, float *y, size_t s,        \
                                int accumulate) {                                                 \
        GK(int_tile_##R)(GK_Q4_1, *x, *w, y, s, accumulate);                                      \
    }

DEFINE_INT_TILE(2)
DEFINE_INT_TILE(3)
#if INT_TILE == 3
#define INT_TILE_ROWS(M) ROWS_3(M)
#define INT_TILES(type) {0, GK(type##_tile_2), GK(type##_tile_3)}
#else
DEFINE_INT_TILE(4)
#define INT_TILE_ROWS(M) ROWS_4(M)
#define INT_TILES(type) {0, GK(type##_tile_2), GK(type##_tile_3), GK(type##_tile_4)}
#endif

/* Read through pointers: a copy on the stack, written by parts and read whole, waits for all
   before it. */
typedef void (*int_tile_function)(const row_run *, const block_run *, float *, size_t, int);

static const int_tile_function GK(int_tiles)[3][INT_TILE] = {
    INT_TILES(q8_0), INT_TILES(q4_0), INT_TILES(q4_1),
};

/* Rows of the next tile; what is left beyond whole tiles goes in two of like size. */
INLINE size_t int_tile_rows(size_t left) {
    if (left >= 2 * INT_TILE || left <= INT_TILE) return left < INT_TILE ? left : INT_TILE;
    return (left + 1) / 2;
}

/* Rows [first, first + rows) by one panel. */
INLINE void int_rows_by_panel(const gk_product *q, const uint8_t *panel, size_t first, size_t rows,
                              float *y, size_t y_stride, int accumulate) {
    enum { RUN_BLOCKS = GK_UNPACKED_FLOATS * sizeof(float) / 512 };
    size_t blocks = q->inputs / 32, tiles = (rows + INT_TILE - 1) / INT_TILE;
    if (rows == 1) {
        row_run x = {q->x_levels + first * q->inputs, q->x_blocks + first * blocks, 0, 0};
        GK(int_rows)[q->type - GK_Q8_0](&x, panel, blocks, y, accumulate);
        return;
    }
    for (size_t b = 0, count; b < blocks; b += count) {
        count = blocks - b < RUN_BLOCKS ? blocks - b : RUN_BLOCKS;
        block_run w = take_blocks(q->type, panel, b, count, (uint8_t *)q->scratch);
        w.ahead_stride /= tiles;
        for (size_t r = 0, taken; r < rows; r += taken) {
            taken = int_tile_rows(rows - r);
            row_run x = {q->x_levels + (first + r) * q->inputs + b * 32,
                         q->x_blocks + (first + r) * blocks + b, q->inputs, blocks};
            GK(int_tiles)[q->type - GK_Q8_0][taken - 1](&x, &w, y + r * y_stride, y_stride,
                                                        accumulate || b > 0);
            w.ahead += count * w.ahead_stride;
        }
    }
}

static void GK(multiply_blocks)(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t index = q->first_panel; index < q->last_panel; index++) {
        const uint8_t *panel = (const uint8_t *)q->packed + index * panel_bytes;
        if ((index + 1) * GK_PANEL <= q->outputs) {
            int_rows_by_panel(q, panel, 0, q->rows, q->y + index * GK_PANEL, q->y_stride,
                              q->accumulate);
            continue;
        }
        float *sums = q->scratch + GK_UNPACKED_FLOATS;
        for (size_t row = 0, rows; row < q->rows; row += rows) {
            rows = q->rows - row < GK_EDGE_ROWS ? q->rows - row : GK_EDGE_ROWS;
            for (size_t r = 0; q->accumulate && r < rows; r++)
                STORE(sums + r * GK_PANEL, take_lanes(q, row + r, index));
            int_rows_by_panel(q, panel, row, rows, sums, GK_PANEL, q->accumulate);
            for (size_t r = 0; r < rows; r++)
                put_lanes(q, row + r, index, LOAD(sums + r * GK_PANEL));
        }
    }
}

/* Rounds of the products' own instructions on registers: what a product can't outrun. */
#define PEAK_BEGIN(i) dot_sums s##i = start_sums(kind, i, 1);
#define PEAK_ADD(i) s##i = add_dots(kind, s##i, w, word_at(levels, i));
#define PEAK_SINK(i) total += finish_sums(kind, s##i, 1, 1);
INLINE size_t peak_dots_of(level_kind kind, size_t rounds, float *sink) {
    const uint8_t bytes[64] = {1, 2, 3};
    const int8_t levels[64] = {1, 2, 3};
    lanes_i total = (lanes_i)(0);
    INT_TILE_ROWS(PEAK_BEGIN)
    for (size_t i = 0; i < rounds; i++) {
        /* Read anew in each round, as a product's are. */
        __asm__ volatile("" : : "r"(bytes), "r"(levels) : "memory");
        weight_bytes w = take_weights(kind, bytes);
        INT_TILE_ROWS(PEAK_ADD)
    }
    INT_TILE_ROWS(PEAK_SINK)
    *sink += (float)total[0];
    return rounds * INT_TILE * LANES * 4 * 2;
}

static size_t GK(peak_dots)(gk_type type, size_t rounds, float *sink) {
    return type == GK_Q8_0 ? peak_dots_of(SIGNED_BYTES, rounds, sink)
                           : peak_dots_of(NIBBLES, rounds, sink);
}
