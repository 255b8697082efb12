/* Kernels for matrix products, attention and elementwise work on f32 rows.
 *
 * Every kernel exists at several levels, one an instruction set; the strongest that the processor
 * has is chosen once. All levels do the same arithmetic in the same order and agree bit for bit,
 * except that GK_AVX512BF16 rounds the input rows of bf16 matrices to bf16. Matrices of 8-bit and
 * 4-bit blocks take input rows rounded to blocks of bytes at every level.
 *
 * Kernels cannot fail, allocate nothing, and keep no state.
 */
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "block_formats.h"

/* Output rows that lie side by side in a packed panel. */
#define GK_PANEL 16
/* Tokens of a key-value page. */
#define GK_PAGE 16
/* Panels that a few-row product handles at once. */
#define GK_GROUP 4
/* Weights that all rows run over at a time, at most: half of a first-level cache. */
#define GK_PART_BYTES 16384
/* Room for unpacked nibbles: 32 blocks of a panel. */
#define GK_UNPACKED_FLOATS 4096
/* Rows whose sums for a partly filled panel are kept aside at a time. */
#define GK_EDGE_ROWS 128
/* Floats of working memory that a product needs. */
enum { GK_SCRATCH_FLOATS = GK_UNPACKED_FLOATS + GK_EDGE_ROWS * GK_PANEL };

typedef enum { GK_F32, GK_F16, GK_BF16, GK_Q8_0, GK_Q4_0, GK_Q4_1, GK_TYPE_COUNT } gk_type;

/* Inputs of a block of the types that have blocks. */
#define GK_BLOCK 32
/* Inputs of a type's block; 1 for types without. */
static inline size_t gk_block_inputs(gk_type type) { return type > GK_BF16 ? GK_BLOCK : 1; }
/* Bytes of a block as files have it, or of a value: what precedes the levels (scale and minimum,
 * two bytes each), then the levels. */
static inline size_t gk_block_header_bytes(gk_type type) {
    return type == GK_Q4_1 ? 4 : type > GK_BF16 ? 2 : 0;
}
static inline size_t gk_block_bytes(gk_type type) {
    if (type <= GK_BF16) return type == GK_F32 ? 4 : 2;
    return gk_block_header_bytes(type) + (type == GK_Q8_0 ? GK_BLOCK : GK_BLOCK / 2);
}

/* The levels of all architectures; within one, each includes those before it. */
typedef enum {
    GK_PORTABLE,
    GK_AVX2,
    GK_AVX512,
    GK_AVX512VNNI,
    GK_AVX512BF16,
    GK_NEON,
    GK_NEONDOT,
    GK_LEVEL_COUNT
} gk_level;

/* As GRAFT_CPU spells it. */
const char *gk_level_name(gk_level level);
/* The strongest level of this processor, or the weaker one that the environment variable GRAFT_CPU
 * names. */
gk_level gk_supported_level(void);
/* True for a level that gk_set_level can use. */
int gk_level_is_supported(gk_level level);
/* The level in use. */
gk_level gk_current_level(void);
/* Uses `level`, or the strongest supported one below it; returns the level in use. */
gk_level gk_set_level(gk_level level);

/* Has memory that will be read soon brought near; the thread does not wait for it. */
static inline void gk_fetch(const void *memory, size_t bytes) {
    for (size_t line = 0; line < bytes; line += 64)
        __builtin_prefetch((const char *)memory + line);
}

/* The same, into the second-level cache. */
static inline void gk_fetch_near(const void *memory, size_t bytes) {
    for (size_t line = 0; line < bytes; line += 64)
        __builtin_prefetch((const char *)memory + line, 0, 2);
}

/* Tells the processor that this thread is spinning. */
static inline void gk_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- packed matrices ---------------------------------------------------------------------- */

/* Bytes of one packed panel: GK_PANEL outputs by `inputs`. */
size_t gk_panel_bytes(gk_type type, size_t inputs);

/* Packs panels [first_panel, last_panel) of a row-major matrix [outputs, inputs]; outputs beyond
 * the last are zero. `packed` is the start of the whole packed matrix. */
void gk_pack(gk_type type, const void *rows, size_t outputs, size_t inputs, size_t first_panel,
             size_t last_panel, void *packed);

/* Row `output` of the matrix in f32, [inputs]. */
void gk_unpack_row(gk_type type, const void *packed, size_t inputs, size_t output, float *row);

/* Rounds f32 weights, a multiple of 32, to blocks of Q8_0 or Q4_1. */
void gk_quantize(gk_type type, const float *values, size_t count, uint8_t *blocks);

/* Rounds f32 weights, a multiple of 32, to blocks of Q8_0, Q4_0 or Q4_1 as ggml's reference does,
 * bit for bit. */
void gk_quantize_plain(gk_type type, const float *values, size_t count, uint8_t *blocks);

/* To nearest even; beyond the range of f16 infinite. */
uint16_t gk_half_from_float(float value);

/* Values of a float type in f32. */
void gk_widen(gk_type type, const void *values, size_t count, float *out);

/* Rounds rows of x to bf16, to nearest even, in pairs: [rows, (inputs + 1) / 2] words. */
void gk_round_rows_bf16(const float *x, size_t x_stride, size_t rows, size_t inputs,
                        uint32_t *pairs);

/* True when products with bf16 matrices read rows from gk_round_rows_bf16. */
int gk_uses_bf16_rows(void);

/* 32 inputs of a row as signed bytes: x = scale * level. */
typedef struct {
    float scale;
    int32_t sum; /* of the levels */
} gk_row_block;

/* Rounds rows of x to blocks of 32 levels, to nearest even, the largest at 127; a block with a
 * value that is not finite has no finite scale. `inputs` is a multiple of 32.
 * levels: [rows, inputs]; blocks: [rows, inputs / 32]. */
void gk_round_rows_int8(const float *x, size_t x_stride, size_t rows, size_t inputs,
                        int8_t *levels, gk_row_block *blocks);

/* A product of some rows with some panels.
 *
 *   y[r * y_stride + o] = (accumulate ? y : 0) + sum over k of x[r * x_stride + k] * W[o, k]
 *
 * k ascends, one chain of fused multiply-adds an output, whatever `rows` is; types of blocks read
 * x_levels and x_blocks instead of x and have one link a block (body_int8.h).
 * `scratch` holds GK_SCRATCH_FLOATS floats; what lies at `after`, where it isn't NULL, is likely to
 * be multiplied next. */
typedef struct {
    gk_type type;
    const void *packed, *after;
    size_t outputs, inputs;
    size_t first_panel, last_panel;
    const float *x;
    size_t x_stride;
    const uint32_t *x_pairs; /* rows rounded to bf16, or NULL */
    const int8_t *x_levels;  /* rows rounded to blocks, for types of blocks */
    const gk_row_block *x_blocks;
    size_t rows;
    float *y;
    size_t y_stride;
    int accumulate;
    float *scratch;
} gk_product;

void gk_multiply(const gk_product *product);

/* A product of some rows with a row-major matrix of few outputs, f32, f16 or bf16.
 *
 *   y[r * y_stride + o] = scale * sum over k of x[r * x_stride + k] * W[o, k]
 *
 * The order of the sum is one, whatever `rows` is (body_dots.h). */
typedef struct {
    gk_type type;
    const void *weights; /* [outputs, inputs] */
    const void *after;   /* NULL, or what is likely to be multiplied next */
    size_t outputs, inputs;
    const float *x;
    size_t x_stride, rows;
    float *y;
    size_t y_stride;
    float scale;
} gk_dot_product;

void gk_dots(const gk_dot_product *product);

/* ---- sparse matrices ---------------------------------------------------------------------- */

/* The values of output o, with their inputs, are those from starts[o] up to starts[o + 1]. */
typedef struct {
    const int32_t *starts;  /* [outputs + 1] */
    const int32_t *columns; /* [starts[outputs]] */
    const float *values;    /* [starts[outputs]] */
    size_t outputs, inputs;
} gk_sparse_matrix;

/* Rows that a product takes at most. */
#define GK_SPARSE_ROWS 8

/* y[r, o] += scale * sum over i of values[i] * x[r, columns[i]] */
typedef struct {
    const gk_sparse_matrix *matrix;
    const float *x; /* [rows, inputs], rows x_stride floats apart */
    size_t x_stride, rows;
    float *y; /* [rows, outputs], rows y_stride floats apart */
    size_t y_stride;
    float scale;
    float *scratch; /* [inputs, GK_SPARSE_ROWS]; of one row unused */
} gk_sparse_product;

void gk_sparse_add(const gk_sparse_product *product);

/* ---- limits of the machine ---------------------------------------------------------------- */

/* Reads floats as fast as memory gives them; returns their sum. */
float gk_read_floats(const float *x, size_t count);

/* Does the arithmetic of products with a type, on registers alone; returns the operations done, a
 * multiplication and an addition being two. `sink` keeps the work from being left out. */
size_t gk_peak(gk_type type, size_t rounds, float *sink);

/* ---- attention ---------------------------------------------------------------------------- */

/* Words of 4 bytes that one key-value head takes in one page, its keys first. `type` is GK_F32:
 *
 *   keys [dimension][GK_PAGE], values [GK_PAGE][dimension rounded up to GK_PANEL]
 *
 * or GK_BF16, where two values share a word, as in packed weights:
 *
 *   keys [dimension / 2][GK_PAGE][2]
 *   values [dimension / GK_PANEL][GK_PAGE / 2][GK_PANEL][2 tokens]
 */
size_t gk_page_head_words(gk_type type, size_t head_dimension);

/* Writes key and value of one token, [heads * dimension] each, into `slot` of a page; bf16 to
 * nearest even. Of other tokens it writes and reads nothing, so that several threads may store into
 * one page.
 *
 * A probability of 0 doesn't keep a value that isn't finite from the rows that don't see it. So
 * where a head's value of a token isn't finite, it is stored as 0 and the key as no number: rows
 * that see the token come out as no numbers, and all others as if it weren't there. */
void gk_store_key_value(gk_type type, const float *key, const float *value, size_t heads,
                        size_t head_dimension, size_t slot, float *page);
/* The same token's key and value, read back. */
void gk_load_key_value(gk_type type, const float *page, size_t heads, size_t head_dimension,
                       size_t slot, float *key, float *value);

/* What happens to scores beside the causal mask; all 0 and NULL: nothing. */
typedef struct {
    size_t window;       /* tokens up to its own that a row sees, of the prefix too; 0: all */
    float soft_cap;      /* a score becomes cap * tanh(score / cap); 0: none */
    const float *slopes; /* [group], or NULL: score += slope * index of the column's token */
    const float *sinks;  /* [group], or NULL: the score of one column more, which has no value */
} gk_attention_rule;

/* Attention of some query rows of one key-value head over paged keys and values.
 *
 * Row i of the tile is query position first_row + i / group, head i % group. It sees all `prefix`
 * tokens and the first `visible + position`, but at least `shared`, own tokens, except what lies
 * before its window. For each row: scores in ascending dimension, the cap and then the slope on
 * them, softmax over ascending columns, values in ascending columns.
 *
 * With pages of bf16 GK_AVX512BF16 rounds queries and probabilities to bf16, too, and adds the
 * products of two inputs at a time; other levels compute in f32.
 * `scratch` holds gk_attention_scratch(...) floats. */
typedef struct {
    gk_type type; /* of the pages */
    const float *queries; /* first position, first query head of this key-value head */
    size_t query_stride;
    float *output;
    size_t output_stride;
    size_t positions; /* query positions in this tile */
    size_t group;     /* query heads that share the key-value head */
    size_t head_dimension;
    float scale;
    const float *const *prefix_pages;
    size_t prefix;
    const float *const *pages;
    size_t visible; /* own tokens that the first position sees */
    size_t shared;  /* own tokens that all positions see */
    size_t head_offset; /* words from a page's start to this head */
    gk_attention_rule rule;
    float *scratch;
} gk_attention_tile;

size_t gk_attention_scratch(size_t rows, size_t head_dimension, size_t columns);
void gk_attention(const gk_attention_tile *tile);

/* ---- Fourier transforms ------------------------------------------------------------------- */

/* One stage: sequences of `length` values become those of length * factor. */
typedef struct {
    size_t factor, length, rest;
    const float *turns; /* [length][factor] cosines of 2 pi f r / (length factor), then sines */
    const float *roots; /* [factor] cosines of 2 pi k / factor, then sines */
    const float *real, *imaginary;   /* [length][factor][rest] */
    float *to_real, *to_imaginary;   /* [factor][length][rest]; don't overlap the others */
} gk_fourier_stage;

void gk_fourier_stage_run(const gk_fourier_stage *stage);

/* A matrix of values, each turned by an angle of its own, and transposed. */
typedef struct {
    size_t rows, columns;
    const float *turns;            /* cosines [rows][columns], then sines */
    const float *real, *imaginary; /* [rows][columns] */
    float *to_real, *to_imaginary; /* [columns][rows]; don't overlap the others */
} gk_fourier_turn;

void gk_fourier_turn_run(const gk_fourier_turn *turn);

/* ---- rows --------------------------------------------------------------------------------- */

/* y = x / sqrt(mean(x^2) + epsilon) * gain */
void gk_rms_norm(const float *x, const float *gain, float epsilon, size_t width, float *y);
/* y = (x - mean) / sqrt(variance + epsilon) * gain + bias; bias may be NULL. */
void gk_layer_norm(const float *x, const float *gain, const float *bias, float epsilon,
                   size_t width, float *y);
/* Turns pairs (i, i + turned / 2) of each head's first `turned` values by angles given as cosines
 * and sines [turned / 2]. */
void gk_rotary(float *heads, size_t head_count, size_t dimension, size_t turned,
               const float *cosines, const float *sines);
/* The same with pairs (2 i, 2 i + 1). */
void gk_rotary_neighbours(float *heads, size_t head_count, size_t dimension, size_t turned,
                          const float *cosines, const float *sines);
typedef enum {
    GK_SILU,
    GK_GELU,
    GK_GELU_TANH,
    GK_RELU,
    GK_RELU_SQUARED,
    GK_QUICK_GELU
} gk_activation;
/* values = f(values) * factors; factors may be NULL, for 1. */
void gk_activate(gk_activation activation, float *values, const float *factors, size_t count);
/* x = cap * tanh(x / cap) */
void gk_soft_cap(float *x, float cap, size_t count);
/* y += x */
void gk_add(const float *x, float *y, size_t count);
/* y += factor * x */
void gk_scaled_add(const float *x, float factor, float *y, size_t count);
/* y += factor * (d * x), element by element */
void gk_scaled_product_add(const float *x, const float *d, float factor, float *y, size_t count);
/* x *= factor */
void gk_scale(float *x, float factor, size_t count);
/* The largest value's first index; count > 0, no NaN. */
size_t gk_index_of_maximum(const float *x, size_t count);
/* The first index from `first` on whose value is `threshold` or more; count when there is none. */
size_t gk_index_at_least(const float *x, size_t first, size_t count, float threshold);
/* The first index up to which values of 0 or more add up to more than `wanted`, in a fixed order;
 * count when they never do. */
size_t gk_index_of_sum(const float *x, size_t count, double wanted);
/* log of the sum of exp(x), by a fixed order; count > 0. */
float gk_log_sum_exp(const float *x, size_t count);
/* x = exp(x - maximum); returns the sum. */
float gk_exponentials(float *x, float maximum, size_t count);

#endif
