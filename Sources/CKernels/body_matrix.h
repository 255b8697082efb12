/* Products of rows with packed panels, written once over 16 lanes, one lane an output.
 *
 *   acc[o] = fma(x[k], W[o, k], acc[o])     k ascending, W widened to f32 exactly
 *
 * Many rows: a panel is widened once, GK_CHUNK inputs at a time, and all rows run over it in tiles
 * of TILE rows; sums pass from chunk to chunk through y, which changes no bit of them. TILE rows
 * times one panel are as many accumulators as fit the registers (6 × 2 of 16 with AVX2, 12 × 1 of
 * 32 with AVX-512) and more than the 8 that hide an addition's latency (4 cycles, 2 a cycle).
 * Few rows: GK_GROUP panels at once, so that one row alone has 8 chains.
 */
#define PANEL_FLOATS (GK_CHUNK * GK_PANEL)

/* One tile: `rows` × 16 outputs over `k` inputs. The accumulators have names, because the compiler
 * keeps an array of them in memory. */
#define DECLARE(i) lanes_f a##i = accumulate ? LOAD(y + i * y_stride) : SPLAT(0.0f);
#define ADVANCE(i) a##i = FMA(SPLAT(x[i * x_stride + p]), w, a##i);
#define PUT(i) STORE(y + i * y_stride, a##i);
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

#define DEFINE_TILE(R)                                                                            \
    static void GK(tile_##R)(size_t k, const float *x, size_t x_stride, const float *panel,       \
                             size_t panel_stride, float *y, size_t y_stride, int accumulate) {    \
        ROWS_##R(DECLARE)                                                                         \
        _Pragma("clang loop unroll_count(4)")                                                     \
        for (size_t p = 0; p < k; p++) {                                                          \
            lanes_f w = LOAD(panel + p * panel_stride);                                           \
            ROWS_##R(ADVANCE)                                                                     \
        }                                                                                         \
        ROWS_##R(PUT)                                                                             \
    }

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)
#if TILE == 12
DEFINE_TILE(7)
DEFINE_TILE(8)
DEFINE_TILE(9)
DEFINE_TILE(10)
DEFINE_TILE(11)
DEFINE_TILE(12)
#endif

typedef void (*tile_function)(size_t, const float *, size_t, const float *, size_t, float *,
                              size_t, int);

static const tile_function GK(tiles)[TILE + 1] = {
    0,           GK(tile_1), GK(tile_2), GK(tile_3),  GK(tile_4),  GK(tile_5), GK(tile_6),
#if TILE == 12
    GK(tile_7),  GK(tile_8), GK(tile_9), GK(tile_10), GK(tile_11), GK(tile_12),
#endif
};

/* Any number of rows times 16 outputs whose weights lie as f32, `panel_stride` floats from one
 * input to the next. */
INLINE void panel_product(size_t rows, size_t k, const float *x, size_t x_stride,
                          const float *panel, size_t panel_stride, float *y, size_t y_stride,
                          int accumulate) {
    for (size_t r = 0; r < rows; r += TILE) {
        size_t count = rows - r < TILE ? rows - r : TILE;
        GK(tiles)[count](k, x + r * x_stride, x_stride, panel, panel_stride, y + r * y_stride,
                         y_stride, accumulate);
    }
}

/* ---- widening ------------------------------------------------------------------------------ */

INLINE lanes_f widen_half(const uint16_t *p) {
#if defined(GK_HARDWARE_HALF)
    __m256 low = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    __m256 high = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
    lanes_f result;
    memcpy(&result, &low, 32);
    memcpy((char *)&result + 32, &high, 32);
    return result;
#else
    typedef uint16_t halves __attribute__((ext_vector_type(16), aligned(2)));
    lanes_u h = __builtin_convertvector(*(const halves *)p, lanes_u);
    lanes_u bits = (h & 0x7fff) << 13, sign = (h & 0x8000) << 16;
    lanes_f value = (lanes_f)bits * SPLAT(0x1p112f);
    lanes_i special = bits >= (lanes_u)(0x7c00u << 13);
    value = blend(special, (lanes_f)(bits | 0x7f800000u), value);
    return (lanes_f)((lanes_u)value | sign);
#endif
}

INLINE void widen_pairs(const uint8_t *panel, size_t first, size_t count, float *out) {
    const uint32_t *pairs = (const uint32_t *)panel + first / 2 * GK_PANEL;
    for (size_t k = 0; k < count; k += 2, pairs += GK_PANEL, out += 2 * GK_PANEL) {
        lanes_u both = *(const lanes_u_unaligned *)pairs;
        STORE(out, (lanes_f)(both << 16));
        STORE(out + GK_PANEL, (lanes_f)(both & 0xffff0000u));
    }
}

INLINE void widen_bytes(const uint8_t *panel, size_t first, size_t count, float *out) {
    for (size_t block = first / 32; block < (first + count) / 32; block++) {
        const uint8_t *source = panel + block * 34 * GK_PANEL;
        lanes_f scale = widen_half((const uint16_t *)source);
        const uint32_t *levels = (const uint32_t *)(source + 2 * GK_PANEL);
        for (int group = 0; group < 8; group++, levels += GK_PANEL) {
            lanes_i four = (lanes_i) * (const lanes_u_unaligned *)levels;
            for (int j = 0; j < 4; j++, out += GK_PANEL)
                STORE(out, scale * __builtin_convertvector((four << (24 - 8 * j)) >> 24, lanes_f));
        }
    }
}

INLINE void widen_nibbles(int has_minimum, const uint8_t *panel, size_t first, size_t count,
                          float *out) {
    size_t header = has_minimum ? 4 : 2;
    for (size_t block = first / 32; block < (first + count) / 32; block++) {
        const uint8_t *source = panel + block * (header + 16) * GK_PANEL;
        lanes_f scale = widen_half((const uint16_t *)source);
        lanes_f minimum = has_minimum ? widen_half((const uint16_t *)source + GK_PANEL)
                                      : SPLAT(0.0f);
        lanes_i shift = (lanes_i)(has_minimum ? 0 : 8);
        const uint32_t *levels = (const uint32_t *)(source + header * GK_PANEL);
        for (int group = 0; group < 4; group++, levels += GK_PANEL) {
            lanes_u eight = *(const lanes_u_unaligned *)levels;
            for (int j = 0; j < 4; j++) {
                lanes_i low = (lanes_i)((eight >> (8 * j)) & 15) - shift;
                lanes_i high = (lanes_i)((eight >> (8 * j + 4)) & 15) - shift;
                float *target = out + (group * 4 + j) * GK_PANEL;
                lanes_f a = scale * __builtin_convertvector(low, lanes_f);
                lanes_f b = scale * __builtin_convertvector(high, lanes_f);
                STORE(target, has_minimum ? a + minimum : a);
                STORE(target + 16 * GK_PANEL, has_minimum ? b + minimum : b);
            }
        }
        out += 32 * GK_PANEL;
    }
}

/* Inputs [first, first + count) of a panel as f32, [count][16]; returns where they are. `first` is
 * a multiple of GK_CHUNK. An odd count of bf16 inputs writes one row more. */
INLINE const float *widen(gk_type type, const uint8_t *panel, size_t first, size_t count,
                          float *out) {
    switch (type) {
    case GK_F32: return (const float *)panel + first * GK_PANEL;
    case GK_F16:
        for (size_t k = 0; k < count; k++)
            STORE(out + k * GK_PANEL,
                  widen_half((const uint16_t *)panel + (first + k) * GK_PANEL));
        break;
    case GK_BF16: widen_pairs(panel, first, count, out); break;
    case GK_Q8_0: widen_bytes(panel, first, count, out); break;
    case GK_Q4_0: widen_nibbles(0, panel, first, count, out); break;
    default: widen_nibbles(1, panel, first, count, out); break;
    }
    return out;
}

/* ---- one row ------------------------------------------------------------------------------- */

/* One row over four panels of f32, each [k][16]. */
INLINE void row_by_four(size_t k, const float *x, const float *const panels[4], lanes_f sums[4]) {
    lanes_f a0 = sums[0], a1 = sums[1], a2 = sums[2], a3 = sums[3];
    const float *p0 = panels[0], *p1 = panels[1], *p2 = panels[2], *p3 = panels[3];
    for (size_t p = 0; p < k; p++) {
        lanes_f v = SPLAT(x[p]);
        a0 = FMA(v, LOAD(p0 + p * GK_PANEL), a0);
        a1 = FMA(v, LOAD(p1 + p * GK_PANEL), a1);
        a2 = FMA(v, LOAD(p2 + p * GK_PANEL), a2);
        a3 = FMA(v, LOAD(p3 + p * GK_PANEL), a3);
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
}

#define PAIR(i)                                                                                   \
    {                                                                                             \
        lanes_u both = *(const lanes_u_unaligned *)(p##i + p * GK_PANEL);                         \
        a##i = FMA(even, (lanes_f)(both << 16), a##i);                                            \
        a##i = FMA(odd, (lanes_f)(both & 0xffff0000u), a##i);                                     \
    }

/* One row over four panels of bf16 pairs, widened in registers. */
INLINE void row_by_four_pairs(size_t k, const float *x, const uint8_t *const panels[4],
                              lanes_f sums[4]) {
    lanes_f a0 = sums[0], a1 = sums[1], a2 = sums[2], a3 = sums[3];
    const uint32_t *p0 = (const uint32_t *)panels[0], *p1 = (const uint32_t *)panels[1];
    const uint32_t *p2 = (const uint32_t *)panels[2], *p3 = (const uint32_t *)panels[3];
    size_t p = 0;
    for (; p < k / 2; p++) {
        lanes_f even = SPLAT(x[2 * p]), odd = SPLAT(x[2 * p + 1]);
        PAIR(0) PAIR(1) PAIR(2) PAIR(3)
    }
    if (k & 1) {
        lanes_f even = SPLAT(x[2 * p]), odd = SPLAT(0.0f);
        PAIR(0) PAIR(1) PAIR(2) PAIR(3)
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
}

INLINE void put_lanes(const gk_product *q, size_t row, size_t panel, lanes_f sum) {
    float *y = q->y + row * q->y_stride + panel * GK_PANEL;
    size_t left = q->outputs - panel * GK_PANEL;
    if (left >= GK_PANEL) STORE(y, sum);
    else store_part(y, left, sum);
}

INLINE lanes_f take_lanes(const gk_product *q, size_t row, size_t panel) {
    if (!q->accumulate) return SPLAT(0.0f);
    const float *y = q->y + row * q->y_stride + panel * GK_PANEL;
    size_t left = q->outputs - panel * GK_PANEL;
    return left >= GK_PANEL ? LOAD(y) : load_part(y, left, 0);
}

/* Row by row over groups of four panels; a group with fewer repeats its last one. */
static void GK(multiply_few)(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t first = q->first_panel; first < q->last_panel; first += GK_GROUP) {
        size_t count = q->last_panel - first < GK_GROUP ? q->last_panel - first : GK_GROUP;
        const uint8_t *panels[GK_GROUP];
        for (size_t i = 0; i < GK_GROUP; i++)
            panels[i] = (const uint8_t *)q->packed + (first + (i < count ? i : count - 1)) * panel_bytes;
        for (size_t row = 0; row < q->rows; row++) {
            lanes_f sums[GK_GROUP];
            for (size_t i = 0; i < GK_GROUP; i++)
                sums[i] = i < count ? take_lanes(q, row, first + i) : SPLAT(0.0f);
            const float *x = q->x + row * q->x_stride;
            if (q->type == GK_BF16) {
                row_by_four_pairs(q->inputs, x, panels, sums);
            } else {
                for (size_t k = 0; k < q->inputs; k += GK_CHUNK) {
                    size_t part = q->inputs - k < GK_CHUNK ? q->inputs - k : GK_CHUNK;
                    const float *wide[GK_GROUP];
                    for (size_t i = 0; i < GK_GROUP; i++)
                        wide[i] = i < count ? widen(q->type, panels[i], k, part,
                                                    q->scratch + i * PANEL_FLOATS)
                                            : wide[count - 1];
                    row_by_four(part, x + k, wide, sums);
                }
            }
            for (size_t i = 0; i < count; i++) put_lanes(q, row, first + i, sums[i]);
        }
    }
}

/* ---- many rows ----------------------------------------------------------------------------- */

/* The last panel of a matrix whose outputs don't fill it: rows through a full-width buffer. */
static void GK(multiply_edge)(const gk_product *q, const uint8_t *panel, size_t index) {
    float *wide = q->scratch, *sums = q->scratch + GK_GROUP * PANEL_FLOATS;
    for (size_t row = 0; row < q->rows; row++) {
        STORE(sums, take_lanes(q, row, index));
        for (size_t k = 0; k < q->inputs; k += GK_CHUNK) {
            size_t part = q->inputs - k < GK_CHUNK ? q->inputs - k : GK_CHUNK;
            const float *weights = widen(q->type, panel, k, part, wide);
            GK(tile_1)(part, q->x + row * q->x_stride + k, q->x_stride, weights, GK_PANEL, sums,
                       GK_PANEL, 1);
        }
        put_lanes(q, row, index, LOAD(sums));
    }
}

static void GK(multiply_many)(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t index = q->first_panel; index < q->last_panel; index++) {
        const uint8_t *panel = (const uint8_t *)q->packed + index * panel_bytes;
        if ((index + 1) * GK_PANEL > q->outputs) {
            GK(multiply_edge)(q, panel, index);
            continue;
        }
        for (size_t k = 0; k < q->inputs; k += 2 * GK_CHUNK) {
            size_t part = q->inputs - k < 2 * GK_CHUNK ? q->inputs - k : 2 * GK_CHUNK;
            const float *weights = widen(q->type, panel, k, part, q->scratch);
            panel_product(q->rows, part, q->x + k, q->x_stride, weights, GK_PANEL,
                          q->y + index * GK_PANEL, q->y_stride, q->accumulate || k > 0);
        }
    }
}

static void GK(multiply)(const gk_product *q) {
    if (q->rows <= FEW_ROWS) GK(multiply_few)(q);
    else GK(multiply_many)(q);
}
