/* Values of the blocks that GGUF files hold, in f32, each operation rounded once and none fused, in
 * the order in which gguf-py does them, so that all processors agree with it bit for bit. */
#ifndef GK_BLOCK_FORMATS_H
#define GK_BLOCK_FORMATS_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    GK_BLOCK_Q4_0,
    GK_BLOCK_Q4_1,
    GK_BLOCK_Q5_0,
    GK_BLOCK_Q5_1,
    GK_BLOCK_Q8_0,
    GK_BLOCK_Q8_1,
    GK_BLOCK_Q1_0,
    GK_BLOCK_Q2_K,
    GK_BLOCK_Q3_K,
    GK_BLOCK_Q4_K,
    GK_BLOCK_Q5_K,
    GK_BLOCK_Q6_K,
    GK_BLOCK_Q8_K,
    GK_BLOCK_IQ1_S,
    GK_BLOCK_IQ1_M,
    GK_BLOCK_IQ2_XXS,
    GK_BLOCK_IQ2_XS,
    GK_BLOCK_IQ2_S,
    GK_BLOCK_IQ3_XXS,
    GK_BLOCK_IQ3_S,
    GK_BLOCK_IQ4_NL,
    GK_BLOCK_IQ4_XS,
    GK_BLOCK_TQ1_0,
    GK_BLOCK_TQ2_0,
    GK_BLOCK_MXFP4,
    GK_BLOCK_NVFP4,
    GK_BLOCK_FORMAT_COUNT
} gk_block_format;

/* Elements of a block, at most GK_BLOCK_MAXIMUM. */
size_t gk_format_elements(gk_block_format format);
enum { GK_BLOCK_MAXIMUM = 256 };

/* Bytes of a block. */
size_t gk_format_bytes(gk_block_format format);

/* The values of `count` blocks. */
void gk_format_values(gk_block_format format, const void *blocks, size_t count, float *values);

/* True for formats of one scale and levels of at most 8 bits, which Q8_0 holds without loss. */
int gk_format_has_levels(gk_block_format format);

/* Blocks of Q8_0 with the same values, gk_format_elements / 32 for each of the `count`. Returns 0,
 * leaving them unfinished, where a scale isn't one that f16 holds. The format has levels. */
int gk_format_to_q8_0(gk_block_format format, const void *blocks, size_t count, uint8_t *q8_0);

/* True where no value is infinite or NaN. */
int gk_are_finite(const float *values, size_t count);

#endif
