/* What the files of this folder share: one function a format, which reads one block. */
#ifndef GK_FORMATS_H
#define GK_FORMATS_H

#include <string.h>

#include "../include/ckernels.h"
#include "../include/block_formats.h"

/* As the kernels: no product and sum become one operation, or processors would disagree. */
#pragma STDC FP_CONTRACT OFF

/* The levels of a block whose values are scale * level; returns the scale. */
typedef float gk_levels_of(const uint8_t *block, int8_t *levels);
/* The values of any other block. */
typedef void gk_values_of(const uint8_t *block, float *values);

static inline uint16_t word_at(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t long_at(const uint8_t *bytes) {
    return word_at(bytes) | (uint32_t)word_at(bytes + 2) << 16;
}

static inline float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline float half_of(uint16_t bits) {
    float value;
    gk_widen(GK_F16, &bits, 1, &value);
    return value;
}

static inline float half_at(const uint8_t *bytes) { return half_of(word_at(bytes)); }

/* Nibble i of a row of bytes, the lower half of each first. */
static inline int nibble_at(const uint8_t *bytes, int i) {
    return bytes[i / 2] >> 4 * (i % 2) & 15;
}

gk_levels_of gk_q4_0_levels, gk_q5_0_levels, gk_q8_0_levels, gk_q8_1_levels, gk_q1_0_levels,
    gk_tq1_0_levels, gk_tq2_0_levels, gk_mxfp4_levels, gk_iq4_nl_levels;
gk_values_of gk_q4_1_values, gk_q5_1_values, gk_q2_k_values, gk_q3_k_values, gk_q4_k_values,
    gk_q5_k_values, gk_q6_k_values, gk_q8_k_values, gk_iq1_s_values, gk_iq1_m_values,
    gk_iq2_xxs_values, gk_iq2_xs_values, gk_iq2_s_values, gk_iq3_xxs_values, gk_iq3_s_values,
    gk_iq4_xs_values, gk_nvfp4_values;

/* The vectors that levels of the IQ formats are chosen from, as grids.c packs them. */
extern const uint16_t gk_grid_iq2_xxs[256], gk_grid_iq2_xs[512], gk_grid_iq2_s[1024],
    gk_grid_iq3_xxs[256], gk_grid_iq3_s[512], gk_grid_iq1_s[2048];
/* The 16 levels of IQ4_NL and IQ4_XS. */
extern const int8_t gk_levels_iq4[16];

#endif
