/* Elementwise kernels over f32 rows, written once over 16 lanes. Included by the file of each
 * level, which defines GK(name).
 *
 * Sums run in 16 lanes, lane i taking elements i, i + 16, …; the lanes are then added as a tree.
 * A tail shorter than 16 is filled with neutral elements, so no length has an order of its own. */
#include "body_lanes.h"

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

INLINE void put_normed(const float *x, float mean, float factor, const float *gain,
                       const float *bias, size_t width, float *y) {
    size_t i = 0;
    for (; i + LANES <= width; i += LANES) {
        lanes_f normed = (LOAD(x + i) - SPLAT(mean)) * SPLAT(factor) * LOAD(gain + i);
        STORE(y + i, bias ? normed + LOAD(bias + i) : normed);
    }
    for (; i < width; i++) {
        float normed = (x[i] - mean) * factor * gain[i];
        y[i] = bias ? normed + bias[i] : normed;
    }
}

/* The mean first, then the variance around it: nothing cancels. */
static void GK(layer_norm)(const float *x, const float *gain, const float *bias, float epsilon,
                           size_t width, float *y) {
    size_t i, whole = width / LANES * LANES;
    lanes_f sum = SPLAT(0.0f), squares = sum;
    for (i = 0; i < whole; i += LANES) sum += LOAD(x + i);
    if (whole < width) sum += load_part(x + whole, width - whole, 0);
    float mean = sum_of_lanes(sum) / (float)width;
    for (i = 0; i < whole; i += LANES) {
        lanes_f apart = LOAD(x + i) - SPLAT(mean);
        squares = FMA(apart, apart, squares);
    }
    if (whole < width) {
        lanes_f apart = load_part(x + whole, width - whole, mean) - SPLAT(mean);
        squares = FMA(apart, apart, squares);
    }
    float factor = 1.0f / sqrtf(sum_of_lanes(squares) / (float)width + epsilon);
    if (bias) put_normed(x, mean, factor, gain, bias, width, y);
    else put_normed(x, mean, factor, gain, NULL, width, y);
}

static void GK(rotary)(float *heads, size_t head_count, size_t dimension, size_t turned,
                       const float *cosines, const float *sines) {
    size_t half = turned / 2;
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

/* The same with pairs of neighbours; 16 of them are two loads, taken apart and put together. */
static void GK(rotary_neighbours)(float *heads, size_t head_count, size_t dimension,
                                  size_t turned, const float *cosines, const float *sines) {
    size_t half = turned / 2;
    for (size_t head = 0; head < head_count; head++) {
        float *pairs = heads + head * dimension;
        size_t i = 0;
        for (; i + LANES <= half; i += LANES) {
            lanes_f low = LOAD(pairs + 2 * i), high = LOAD(pairs + 2 * i + LANES);
            lanes_f a = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20,
                                                22, 24, 26, 28, 30);
            lanes_f b = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21,
                                                23, 25, 27, 29, 31);
            lanes_f c = LOAD(cosines + i), s = LOAD(sines + i);
            lanes_f first = a * c - b * s, second = b * c + a * s;
            STORE(pairs + 2 * i, __builtin_shufflevector(first, second, 0, 16, 1, 17, 2, 18, 3, 19,
                                                         4, 20, 5, 21, 6, 22, 7, 23));
            STORE(pairs + 2 * i + LANES,
                  __builtin_shufflevector(first, second, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13,
                                          29, 14, 30, 15, 31));
        }
        for (; i < half; i++) {
            float a = pairs[2 * i], b = pairs[2 * i + 1];
            pairs[2 * i] = a * cosines[i] - b * sines[i];
            pairs[2 * i + 1] = b * cosines[i] + a * sines[i];
        }
    }
}

static void GK(add)(const float *x, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += x[i];
}

static void GK(scale)(float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] *= factor;
}

static void GK(scaled_add)(const float *x, float factor, float *y, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += factor * x[i];
}

static void GK(scaled_product_add)(const float *x, const float *d, float factor, float *y,
                                   size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += factor * (d[i] * x[i]);
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

static size_t GK(index_at_least)(const float *x, size_t first, size_t count, float threshold) {
    size_t i = first;
    for (; i + LANES <= count; i += LANES)
        if (__builtin_reduce_min(LOAD(x + i) >= SPLAT(threshold)) != 0) break;
    for (; i < count; i++)
        if (x[i] >= threshold) return i;
    return count;
}

static size_t GK(index_of_sum)(const float *x, size_t count, double wanted) {
    double sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        double next = sum + (double)sum_of_lanes(LOAD(x + i));
        if (next > wanted) break;
        sum = next;
    }
    for (; i < count; i++) {
        sum += (double)x[i];
        if (sum > wanted) return i;
    }
    return count;
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

/* To nearest even; what is not a number stays so. */
INLINE lanes_u round_to_bf16(lanes_u bits) {
    lanes_u rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    lanes_i is_nan = (bits & 0x7fffffffu) > (lanes_u)(0x7f800000u);
    return ((lanes_u)is_nan & (bits >> 16 | 0x40)) | (~(lanes_u)is_nan & rounded);
}

/* Two inputs a word are the rounded inputs one after another. */
static void GK(round_rows_bf16)(const float *x, size_t x_stride, size_t rows, size_t inputs,
                                uint32_t *pairs) {
    typedef uint16_t halves __attribute__((ext_vector_type(16), aligned(1)));
    size_t whole = inputs / LANES * LANES, pair_count = (inputs + 1) / 2;
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * x_stride;
        uint8_t *target = (uint8_t *)(pairs + r * pair_count);
        for (size_t k = 0; k < whole; k += LANES)
            *(halves *)(target + 2 * k) =
                __builtin_convertvector(round_to_bf16((lanes_u)LOAD(row + k)), halves);
        if (whole == inputs) continue;
        halves rest = __builtin_convertvector(
            round_to_bf16((lanes_u)load_part(row + whole, inputs - whole, 0)), halves);
        memcpy(target + 2 * whole, &rest, (2 * pair_count - whole) * 2);
    }
}

/* Levels are rounded by adding 1.5 * 2^23, which leaves them in the low bits; the largest magnitude
 * is found among bit patterns, where whatever is not finite comes out on top. */
static void GK(round_rows_int8)(const float *x, size_t x_stride, size_t rows, size_t inputs,
                                int8_t *levels, gk_row_block *blocks) {
    typedef int8_t lanes_b __attribute__((ext_vector_type(16), aligned(1)));
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * x_stride;
        for (size_t k = 0; k < inputs; k += 32, row += 32, levels += 32, blocks++) {
            lanes_f low = LOAD(row), high = LOAD(row + 16);
            lanes_u a = (lanes_u)low & 0x7fffffffu, b = (lanes_u)high & 0x7fffffffu;
            uint32_t bits = __builtin_reduce_max(a > b ? a : b);
            float largest, inverse = 0;
            memcpy(&largest, &bits, 4);
            blocks->scale = bits < 0x7f800000u ? 0 : NAN;
            if (bits < 0x7f800000u && largest > 1e-30f) {
                blocks->scale = largest / 127.0f;
                inverse = 127.0f / largest;
            }
            lanes_b near_low = __builtin_convertvector(
                (lanes_i)(low * SPLAT(inverse) + SPLAT(12582912.0f)), lanes_b);
            lanes_b near_high = __builtin_convertvector(
                (lanes_i)(high * SPLAT(inverse) + SPLAT(12582912.0f)), lanes_b);
            *(lanes_b *)levels = near_low;
            *(lanes_b *)(levels + 16) = near_high;
            blocks->sum = __builtin_reduce_add(__builtin_convertvector(near_low, lanes_i) +
                                               __builtin_convertvector(near_high, lanes_i));
        }
    }
}
