/* Elementwise kernels over f32 rows, written once over 16 lanes; each level compiles them for its
 * registers. Included by the file of each level, which defines GK(name).
 *
 * Sums run in 16 lanes, lane i taking elements i, i + 16, …; the lanes are then added as a tree. A
 * tail shorter than 16 is filled with neutral elements, so no length has an order of its own.
 */
#pragma STDC FP_CONTRACT OFF

#include <math.h>
#include <string.h>

#include "kernel_table.h"

#define LANES 16

typedef float lanes_f __attribute__((ext_vector_type(16)));
typedef int32_t lanes_i __attribute__((ext_vector_type(16)));
typedef uint32_t lanes_u __attribute__((ext_vector_type(16)));
typedef float lanes_f_unaligned __attribute__((ext_vector_type(16), aligned(4)));
typedef uint32_t lanes_u_unaligned __attribute__((ext_vector_type(16), aligned(4)));

#define INLINE static inline __attribute__((always_inline))
#define FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define LOAD(p) ((lanes_f) * (const lanes_f_unaligned *)(p))
#define STORE(p, v) (*(lanes_f_unaligned *)(p) = (v))
#define SPLAT(x) ((lanes_f)(x))

INLINE lanes_f load_part(const float *p, size_t count, float fill) {
    float part[LANES];
    for (int i = 0; i < LANES; i++) part[i] = (size_t)i < count ? p[i] : fill;
    return LOAD(part);
}

INLINE void store_part(float *p, size_t count, lanes_f v) {
    float part[LANES];
    STORE(part, v);
    memcpy(p, part, count * sizeof(float));
}

INLINE float sum_of_lanes(lanes_f v) {
    float part[LANES];
    STORE(part, v);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++) part[i] += part[i + width];
    return part[0];
}

INLINE float maximum_of_lanes(lanes_f v) {
    float part[LANES];
    STORE(part, v);
    float maximum = part[0];
    for (int i = 1; i < LANES; i++) maximum = part[i] > maximum ? part[i] : maximum;
    return maximum;
}

INLINE lanes_f blend(lanes_i mask, lanes_f yes, lanes_f no) {
    return (lanes_f)((mask & (lanes_i)yes) | (~mask & (lanes_i)no));
}

/* e^x within 2 units in the last place: x = n ln 2 + r, |r| <= ln 2 / 2, a polynomial in r, 2^n put
 * into the exponent. Below -87 the result is 0. */
INLINE lanes_f exponential(lanes_f x) {
    lanes_i tiny = x < SPLAT(-87.0f);
    x = blend(x > SPLAT(88.0f), SPLAT(88.0f), x);
    x = blend(tiny, SPLAT(-87.0f), x);
    lanes_f n = FMA(x, SPLAT(1.44269504f), SPLAT(12582912.0f)) - SPLAT(12582912.0f);
    lanes_f r = FMA(n, SPLAT(-0.693359375f), x);
    r = FMA(n, SPLAT(2.12194440e-4f), r);
    lanes_f p = SPLAT(1.9875691500e-4f);
    p = FMA(p, r, SPLAT(1.3981999507e-3f));
    p = FMA(p, r, SPLAT(8.3334519073e-3f));
    p = FMA(p, r, SPLAT(4.1665795894e-2f));
    p = FMA(p, r, SPLAT(1.6666665459e-1f));
    p = FMA(p, r, SPLAT(5.0000001201e-1f));
    p = FMA(p, r * r, r + SPLAT(1.0f));
    lanes_i exponent = __builtin_convertvector(n, lanes_i);
    lanes_f power = (lanes_f)((exponent + 127) << 23);
    return blend(tiny, SPLAT(0.0f), p * power);
}

static void GK(rms_norm)(const float *x, const float *gain, float epsilon, size_t width,
                         float *y) {
    lanes_f sum = SPLAT(0.0f);
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) sum = FMA(LOAD(x + i), LOAD(x + i), sum);
    if (i < width) {
        lanes_f part = load_part(x + i, width - i, 0);
        sum = FMA(part, part, sum);
    }
    float factor = 1.0f / sqrtf(sum_of_lanes(sum) / (float)width + epsilon);
    for (i = 0; i + LANES <= width; i += LANES)
        STORE(y + i, LOAD(x + i) * SPLAT(factor) * LOAD(gain + i));
    for (; i < width; i++) y[i] = x[i] * factor * gain[i];
}

static void GK(rotary)(float *heads, size_t head_count, size_t dimension, const float *cosines,
                       const float *sines) {
    size_t half = dimension / 2;
    for (size_t head = 0; head < head_count; head++) {
        float *low = heads + head * dimension, *high = low + half;
        size_t i = 0;
        for (; i + LANES <= half; i += LANES) {
            lanes_f a = LOAD(low + i), b = LOAD(high + i);
            lanes_f c = LOAD(cosines + i), s = LOAD(sines + i);
            STORE(low + i, a * c - b * s);
            STORE(high + i, b * c + a * s);
        }
        for (; i < half; i++) {
            float a = low[i], b = high[i];
            low[i] = a * cosines[i] - b * sines[i];
            high[i] = b * cosines[i] + a * sines[i];
        }
    }
}

INLINE lanes_f silu(lanes_f x) { return x / (SPLAT(1.0f) + exponential(-x)); }

static void GK(silu_multiply)(float *gate, const float *up, size_t count) {
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        STORE(gate + i, silu(LOAD(gate + i)) * LOAD(up + i));
    if (i < count)
        store_part(gate + i, count - i,
                   silu(load_part(gate + i, count - i, 0)) * load_part(up + i, count - i, 0));
}

static void GK(add)(const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += x[i];
}

static void GK(scale)(float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] *= factor;
}

INLINE float maximum_of(const float *x, size_t count) {
    lanes_f maximum = SPLAT(-INFINITY);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes_f v = LOAD(x + i);
        maximum = blend(v > maximum, v, maximum);
    }
    if (i < count) {
        lanes_f v = load_part(x + i, count - i, -INFINITY);
        maximum = blend(v > maximum, v, maximum);
    }
    return maximum_of_lanes(maximum);
}

static size_t GK(index_of_maximum)(const float *x, size_t count) {
    float maximum = maximum_of(x, count);
    for (size_t i = 0; i < count; i++)
        if (x[i] == maximum) return i;
    return 0;
}

static float GK(exponentials)(float *x, float maximum, size_t count) {
    lanes_f sum = SPLAT(0.0f), shift = SPLAT(maximum);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes_f e = exponential(LOAD(x + i) - shift);
        STORE(x + i, e);
        sum += e;
    }
    if (i < count) {
        lanes_f e = exponential(load_part(x + i, count - i, -INFINITY) - shift);
        store_part(x + i, count - i, e);
        sum += e;
    }
    return sum_of_lanes(sum);
}

static float GK(log_sum_exp)(const float *x, size_t count) {
    float maximum = maximum_of(x, count);
    lanes_f sum = SPLAT(0.0f), shift = SPLAT(maximum);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) sum += exponential(LOAD(x + i) - shift);
    if (i < count) sum += exponential(load_part(x + i, count - i, -INFINITY) - shift);
    return maximum + logf(sum_of_lanes(sum));
}
