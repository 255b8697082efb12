/* Blocks whose levels are chosen from a table (the IQ types).
 *
 *   IQ4_NL   f16 d, 16 nibble pairs                              d * level[q]
 *   IQ4_XS   f16 d, upper 2 and lower 4 bits of 8 scales, 8 times 16 nibble pairs
 *   IQ2_XXS  f16 d, 8 x { 4 indices of 8 bits, 4 x 7 bits of signs, 4-bit scale }
 *   IQ2_XS   f16 d, 32 x { index of 9 bits, 7 bits of signs }, 16 scales of 4 bits
 *   IQ2_S    f16 d, 32 lower 8 bits of indices, 32 signs, 32 upper 2 bits, 16 scales of 4 bits
 *   IQ3_XXS  f16 d, 64 indices of 8 bits, 8 x { 4 x 7 bits of signs, 4-bit scale }
 *   IQ3_S    f16 d, 64 lower 8 bits of indices, 64 upper bits, 32 signs, 8 scales of 4 bits
 *   IQ1_S    f16 d, 32 lower 8 bits of indices, 8 x { 4 x 3 upper bits, 3-bit scale, shift }
 *   IQ1_M    32 lower 8 bits of indices, 32 x { 3 upper bits, shift }, 16 scales of 3 bits and in
 *            the 4 upper bits of their words f16 d
 *
 * An index chooses 8 (IQ3: 4) levels at once. Seven bits of signs are those of elements 0 to 6; the
 * last makes the number of minuses even.
 *
 * Source: the block layouts of ggml (ggml-common.h), and gguf-py's `quants.py`.
 */
#include "formats.h"

enum { EIGHTS = 32 };

const int8_t gk_levels_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                  1,    13,   25,  38,  53,  69,  89,  113};

float gk_iq4_nl_levels(const uint8_t *block, int8_t *levels) {
    for (int i = 0; i < 16; i++) {
        levels[i] = gk_levels_iq4[block[2 + i] & 15];
        levels[i + 16] = gk_levels_iq4[block[2 + i] >> 4];
    }
    return half_at(block);
}

void gk_iq4_xs_values(const uint8_t *block, float *values) {
    float scale = half_at(block);
    uint16_t high = word_at(block + 2);
    const uint8_t *low = block + 4, *pairs = block + 8;
    for (int part = 0; part < 8; part++, pairs += 16, values += 32) {
        int own = (nibble_at(low, part) | (high >> 2 * part & 3) << 4) - 32;
        float step = scale * (float)own;
        for (int i = 0; i < 16; i++) {
            values[i] = step * (float)gk_levels_iq4[pairs[i] & 15];
            values[i + 16] = step * (float)gk_levels_iq4[pairs[i] >> 4];
        }
    }
}

/* The eighth sign follows from seven. */
static uint8_t even_signs(uint32_t seven) {
    seven &= 127;
    return (uint8_t)(seven | (uint32_t)(__builtin_popcount(seven) & 1) << 7);
}

static float signed_by(uint8_t signs, int i, float value) {
    return signs >> i & 1 ? -value : value;
}

/* Eight elements of IQ2, two bits each in the grid. */
static void put_eight(float step, uint16_t packed, uint8_t signs, float *values) {
    static const float levels[4] = {8, 25, 43, 0};
    for (int i = 0; i < 8; i++)
        values[i] = signed_by(signs, i, step * levels[packed >> 2 * i & 3]);
}

/* Four elements of IQ3, four bits each in the grid. */
static void put_four(float step, const float *levels, uint16_t packed, uint8_t signs,
                     float *values) {
    for (int i = 0; i < 4; i++)
        values[i] = signed_by(signs, i, step * levels[packed >> 4 * i & 7]);
}

/* Eight elements of IQ1: levels of -1, 0 and 1, shifted by an eighth. */
static void put_shifted(float step, uint16_t packed, int is_down, float *values) {
    float shift = is_down ? -0.125f : 0.125f;
    for (int i = 0; i < 8; i++)
        values[i] = step * ((float)((int)(packed >> 2 * i & 3) - 1) + shift);
}

void gk_iq2_xxs_values(const uint8_t *block, float *values) {
    float scale = half_at(block);
    for (int k = 0; k < EIGHTS; k++) {
        const uint8_t *part = block + 2 + k / 4 * 8;
        uint32_t rest = long_at(part + 4);
        float step = scale * (0.5f + (float)(rest >> 28)) * 0.25f;
        put_eight(step, gk_grid_iq2_xxs[part[k % 4]], even_signs(rest >> k % 4 * 7),
                  values + 8 * k);
    }
}

void gk_iq2_xs_values(const uint8_t *block, float *values) {
    float scale = half_at(block);
    for (int k = 0; k < EIGHTS; k++) {
        uint16_t chosen = word_at(block + 2 + 2 * k);
        float step = scale * (0.5f + (float)nibble_at(block + 66, k / 2)) * 0.25f;
        put_eight(step, gk_grid_iq2_xs[chosen & 511], even_signs(chosen >> 9), values + 8 * k);
    }
}

void gk_iq2_s_values(const uint8_t *block, float *values) {
    const uint8_t *low = block + 2, *signs = block + 34, *high = block + 66, *scales = block + 74;
    float scale = half_at(block);
    for (int k = 0; k < EIGHTS; k++) {
        int index = low[k] | (high[k / 4] >> k % 4 * 2 & 3) << 8;
        float step = scale * (0.5f + (float)nibble_at(scales, k / 2)) * 0.25f;
        put_eight(step, gk_grid_iq2_s[index], signs[k], values + 8 * k);
    }
}

void gk_iq3_xxs_values(const uint8_t *block, float *values) {
    static const float levels[8] = {4, 12, 20, 28, 36, 44, 52, 62};
    const uint8_t *indices = block + 2;
    float scale = half_at(block);
    for (int k = 0; k < EIGHTS; k++) {
        uint32_t rest = long_at(block + 66 + k / 4 * 4);
        float step = scale * (0.5f + (float)(rest >> 28)) * 0.5f;
        uint8_t signs = even_signs(rest >> k % 4 * 7);
        put_four(step, levels, gk_grid_iq3_xxs[indices[2 * k]], signs, values + 8 * k);
        put_four(step, levels, gk_grid_iq3_xxs[indices[2 * k + 1]], signs >> 4,
                 values + 8 * k + 4);
    }
}

void gk_iq3_s_values(const uint8_t *block, float *values) {
    static const float levels[8] = {1, 3, 5, 7, 9, 11, 13, 15};
    const uint8_t *low = block + 2, *high = block + 66, *signs = block + 74, *scales = block + 106;
    float scale = half_at(block);
    for (int k = 0; k < EIGHTS; k++) {
        float step = scale * (float)(1 + 2 * nibble_at(scales, k / 4));
        for (int half = 0; half < 2; half++) {
            int i = 2 * k + half;
            int index = low[i] | (high[i / 8] >> i % 8 & 1) << 8;
            put_four(step, levels, gk_grid_iq3_s[index], signs[k] >> 4 * half, values + 4 * i);
        }
    }
}

void gk_iq1_s_values(const uint8_t *block, float *values) {
    const uint8_t *low = block + 2;
    float scale = half_at(block);
    for (int k = 0; k < EIGHTS; k++) {
        uint16_t rest = word_at(block + 34 + k / 4 * 2);
        float step = scale * (float)(2 * (rest >> 12 & 7) + 1);
        int index = low[k] | (rest >> k % 4 * 3 & 7) << 8;
        put_shifted(step, gk_grid_iq1_s[index], rest >> 15, values + 8 * k);
    }
}

void gk_iq1_m_values(const uint8_t *block, float *values) {
    const uint8_t *low = block, *high = block + 32, *scales = block + 48;
    uint16_t bits = 0;
    for (int i = 0; i < 4; i++) bits |= (uint16_t)(word_at(scales + 2 * i) >> 12 << 4 * i);
    float scale = half_of(bits);
    for (int k = 0; k < EIGHTS; k++) {
        int part = k / 2;
        float step = scale * (float)(2 * (word_at(scales + part / 4 * 2) >> part % 4 * 3 & 7) + 1);
        int rest = nibble_at(high, k);
        put_shifted(step, gk_grid_iq1_s[low[k] | (rest & 7) << 8], rest & 8, values + 8 * k);
    }
}
