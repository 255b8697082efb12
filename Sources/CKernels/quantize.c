/* Weights rounded to blocks of 32, as GGUF stores them.
 *
 *   Q8_0   f16 scale d, 32 signed bytes q              w = d * q
 *   Q4_0   f16 scale d, 16 nibble pairs q + 8           w = d * q, input i low and i + 16 high
 *   Q4_1   f16 scale d, f16 minimum m, 16 nibble pairs  w = d * q + m, input i low and i + 16 high
 */
#include <math.h>
#include <string.h>

#include "ckernels.h"

/* As the kernels: no product and sum become one operation, or processors would disagree. */
#pragma STDC FP_CONTRACT OFF

/* Sixteen values with one distance: minimum + scale * level. */
typedef struct {
    float scale, minimum;
} grid;

static float as_half(float value, uint8_t *target) {
    uint16_t bits = gk_half_from_float(value);
    if (target) memcpy(target, &bits, 2);
    float rounded;
    gk_widen(GK_F16, &bits, 1, &rounded);
    return rounded;
}

/* The nearest level of each value, 0...15; adding 1.5 * 2^23 rounds. */
static void levels_of(grid g, const float *values, float *levels) {
    float inverse = g.scale > 0 ? 1 / g.scale : 0;
    for (int i = 0; i < GK_BLOCK; i++) {
        float level = (values[i] - g.minimum) * inverse;
        level = level < 0 ? 0 : level > 15 ? 15 : level;
        levels[i] = (level + 12582912.0f) - 12582912.0f;
    }
}

/* The sum of squared differences. */
static float error_of(grid g, const float *values, const float *levels) {
    float sum = 0;
    for (int i = 0; i < GK_BLOCK; i++) {
        float difference = levels[i] * g.scale + g.minimum - values[i];
        sum += difference * difference;
    }
    return sum;
}

/* The line through (level, value) by least squares; a scale of 0 when there is none. */
static grid fitted(const float *values, const float *levels) {
    float sum = 0, squares = 0, total = 0, product = 0;
    for (int i = 0; i < GK_BLOCK; i++) {
        sum += levels[i];
        squares += levels[i] * levels[i];
        total += values[i];
        product += levels[i] * values[i];
    }
    grid g = {0, 0};
    float determinant = GK_BLOCK * squares - sum * sum;
    if (determinant <= 0) return g;
    g.scale = (GK_BLOCK * product - sum * total) / determinant;
    g.minimum = (total - g.scale * sum) / GK_BLOCK;
    return g;
}

/* Of grids that lay 8 to 16 steps over the block's range, each with the best scale and minimum for
 * its levels, the one that loses least in squares. */
static void quantize_q4_1(const float *values, uint8_t *block) {
    float lowest = values[0], highest = values[0], levels[GK_BLOCK];
    for (int i = 1; i < GK_BLOCK; i++) {
        lowest = values[i] < lowest ? values[i] : lowest;
        highest = values[i] > highest ? values[i] : highest;
    }
    grid best = {as_half((highest - lowest) / 15, 0), as_half(lowest, 0)};
    levels_of(best, values, levels);
    float least = error_of(best, values, levels);
    for (float steps = 8; steps <= 16 && highest > lowest; steps += 0.25f) {
        levels_of((grid){(highest - lowest) / steps, lowest}, values, levels);
        grid g = fitted(values, levels);
        if (g.scale <= 0) continue;
        g = (grid){as_half(g.scale, 0), as_half(g.minimum, 0)};
        levels_of(g, values, levels);
        float error = error_of(g, values, levels);
        if (error < least) {
            best = g;
            least = error;
        }
    }
    levels_of(best, values, levels);
    as_half(best.scale, block);
    as_half(best.minimum, block + 2);
    for (int i = 0; i < 16; i++)
        block[4 + i] = (uint8_t)((int)levels[i] | (int)levels[i + 16] << 4);
}

static void quantize_q8_0(const float *values, uint8_t *block) {
    float largest = 0;
    for (int i = 0; i < GK_BLOCK; i++)
        largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    float scale = as_half(largest / 127, block), inverse = scale > 0 ? 1 / scale : 0;
    for (int i = 0; i < GK_BLOCK; i++) {
        float level = values[i] * inverse;
        level = level < -127 ? -127 : level > 127 ? 127 : level;
        block[2 + i] = (uint8_t)(int8_t)((level + 12582912.0f) - 12582912.0f);
    }
}

void gk_quantize(gk_type type, const float *values, size_t count, uint8_t *blocks) {
    for (size_t i = 0; i + GK_BLOCK <= count; i += GK_BLOCK) {
        if (type == GK_Q8_0) {
            quantize_q8_0(values + i, blocks);
            blocks += 34;
        } else {
            quantize_q4_1(values + i, blocks);
            blocks += 20;
        }
    }
}

/* What ggml makes of weights: levels laid over the block's range, nothing tried beside. Scales
 * round to f16 after the levels are chosen with them. */

static float inverse_of(float scale) { return scale != 0 ? 1 / scale : 0; }

static int nibble_of(float level) { return level < 0 ? 0 : level >= 15 ? 15 : (int)level; }

static void plain_q8_0(const float *values, uint8_t *block) {
    float largest = 0;
    for (int i = 0; i < GK_BLOCK; i++)
        largest = fabsf(values[i]) > largest ? fabsf(values[i]) : largest;
    float scale = largest / 127, inverse = inverse_of(scale);
    as_half(scale, block);
    for (int i = 0; i < GK_BLOCK; i++) {
        float level = roundf(values[i] * inverse);
        level = level < -127 ? -127 : level > 127 ? 127 : level;
        block[2 + i] = (uint8_t)(int8_t)level;
    }
}

static void plain_q4_0(const float *values, uint8_t *block) {
    float farthest = values[0];
    for (int i = 1; i < GK_BLOCK; i++)
        if (fabsf(values[i]) > fabsf(farthest)) farthest = values[i];
    float scale = farthest / -8, inverse = inverse_of(scale);
    as_half(scale, block);
    for (int i = 0; i < 16; i++) {
        int low = nibble_of(values[i] * inverse + 8.5f);
        int high = nibble_of(values[i + 16] * inverse + 8.5f);
        block[2 + i] = (uint8_t)(low | high << 4);
    }
}

static void plain_q4_1(const float *values, uint8_t *block) {
    float lowest = values[0], highest = values[0];
    for (int i = 1; i < GK_BLOCK; i++) {
        lowest = values[i] < lowest ? values[i] : lowest;
        highest = values[i] > highest ? values[i] : highest;
    }
    float scale = (highest - lowest) / 15, inverse = inverse_of(scale);
    as_half(scale, block);
    as_half(lowest, block + 2);
    for (int i = 0; i < 16; i++) {
        int low = nibble_of((values[i] - lowest) * inverse + 0.5f);
        int high = nibble_of((values[i + 16] - lowest) * inverse + 0.5f);
        block[4 + i] = (uint8_t)(low | high << 4);
    }
}

void gk_quantize_plain(gk_type type, const float *values, size_t count, uint8_t *blocks) {
    for (size_t i = 0; i + GK_BLOCK <= count; i += GK_BLOCK) {
        if (type == GK_Q8_0) {
            plain_q8_0(values + i, blocks);
            blocks += 34;
        } else if (type == GK_Q4_0) {
            plain_q4_0(values + i, blocks);
            blocks += 18;
        } else {
            plain_q4_1(values + i, blocks);
            blocks += 20;
        }
    }
}
