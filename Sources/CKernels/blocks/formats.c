/* The table of formats, and what is done with any of them. */
#include "formats.h"

typedef struct {
    uint16_t elements, bytes;
    gk_levels_of *levels; /* NULL where a block has more than a scale and levels */
    gk_values_of *values; /* NULL where it has not */
} block_format;

static const block_format formats[GK_BLOCK_FORMAT_COUNT] = {
    [GK_BLOCK_Q4_0] = {32, 18, gk_q4_0_levels, NULL},
    [GK_BLOCK_Q4_1] = {32, 20, NULL, gk_q4_1_values},
    [GK_BLOCK_Q5_0] = {32, 22, gk_q5_0_levels, NULL},
    [GK_BLOCK_Q5_1] = {32, 24, NULL, gk_q5_1_values},
    [GK_BLOCK_Q8_0] = {32, 34, gk_q8_0_levels, NULL},
    [GK_BLOCK_Q8_1] = {32, 36, gk_q8_1_levels, NULL},
    [GK_BLOCK_Q1_0] = {128, 18, gk_q1_0_levels, NULL},
    [GK_BLOCK_Q2_K] = {256, 84, NULL, gk_q2_k_values},
    [GK_BLOCK_Q3_K] = {256, 110, NULL, gk_q3_k_values},
    [GK_BLOCK_Q4_K] = {256, 144, NULL, gk_q4_k_values},
    [GK_BLOCK_Q5_K] = {256, 176, NULL, gk_q5_k_values},
    [GK_BLOCK_Q6_K] = {256, 210, NULL, gk_q6_k_values},
    [GK_BLOCK_Q8_K] = {256, 292, NULL, gk_q8_k_values},
    [GK_BLOCK_IQ1_S] = {256, 50, NULL, gk_iq1_s_values},
    [GK_BLOCK_IQ1_M] = {256, 56, NULL, gk_iq1_m_values},
    [GK_BLOCK_IQ2_XXS] = {256, 66, NULL, gk_iq2_xxs_values},
    [GK_BLOCK_IQ2_XS] = {256, 74, NULL, gk_iq2_xs_values},
    [GK_BLOCK_IQ2_S] = {256, 82, NULL, gk_iq2_s_values},
    [GK_BLOCK_IQ3_XXS] = {256, 98, NULL, gk_iq3_xxs_values},
    [GK_BLOCK_IQ3_S] = {256, 110, NULL, gk_iq3_s_values},
    [GK_BLOCK_IQ4_NL] = {32, 18, gk_iq4_nl_levels, NULL},
    [GK_BLOCK_IQ4_XS] = {256, 136, NULL, gk_iq4_xs_values},
    [GK_BLOCK_TQ1_0] = {256, 54, gk_tq1_0_levels, NULL},
    [GK_BLOCK_TQ2_0] = {256, 66, gk_tq2_0_levels, NULL},
    [GK_BLOCK_MXFP4] = {32, 17, gk_mxfp4_levels, NULL},
    [GK_BLOCK_NVFP4] = {64, 36, NULL, gk_nvfp4_values},
};

size_t gk_format_elements(gk_block_format format) { return formats[format].elements; }

size_t gk_format_bytes(gk_block_format format) { return formats[format].bytes; }

int gk_format_has_levels(gk_block_format format) { return formats[format].levels != NULL; }

void gk_format_values(gk_block_format format, const void *blocks, size_t count, float *values) {
    const block_format *f = &formats[format];
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, block += f->bytes, values += f->elements) {
        if (f->values) {
            f->values(block, values);
            continue;
        }
        int8_t levels[GK_BLOCK_MAXIMUM];
        float scale = f->levels(block, levels);
        for (size_t k = 0; k < f->elements; k++) values[k] = scale * (float)levels[k];
    }
}

static int are_zero(const int8_t *levels, size_t count) {
    int any = 0;
    for (size_t i = 0; i < count; i++) any |= levels[i];
    return !any;
}

int gk_format_to_q8_0(gk_block_format format, const void *blocks, size_t count, uint8_t *q8_0) {
    const block_format *f = &formats[format];
    const uint8_t *block = blocks;
    for (size_t i = 0; i < count; i++, block += f->bytes) {
        int8_t levels[GK_BLOCK_MAXIMUM];
        float scale = f->levels(block, levels);
        uint16_t bits = gk_half_from_float(scale);
        /* NaN, too, isn't equal. Zeros need no scale. */
        if (!(half_of(bits) == scale)) {
            if (!gk_are_finite(&scale, 1) || !are_zero(levels, f->elements)) return 0;
            bits = 0;
        }
        for (size_t k = 0; k < f->elements; k += GK_BLOCK, q8_0 += 2 + GK_BLOCK) {
            memcpy(q8_0, &bits, 2);
            memcpy(q8_0 + 2, levels + k, GK_BLOCK);
        }
    }
    return 1;
}

int gk_are_finite(const float *values, size_t count) {
    uint32_t exceptions = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, values + i, 4);
        exceptions |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !exceptions;
}
