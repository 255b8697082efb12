/* Products with a few outputs whose weights lie as stored, row-major: the A of low-rank operators.
 *
 *   y[r][o] = scale * (sum over k of x[r][k] * W[o][k])
 *
 * Lane i of 16 adds k = i, i + 16, … by fused multiply-adds; the lanes are then added as a tree.
 * So no output has padding, whatever the rank, and no output's bits depend on which others are
 * computed beside it. A tile is 1 row × 4 outputs, or up to DOT_ROWS × DOT_OUTPUTS: 3 × 2 sums are
 * 12 of 16 registers with AVX2, 4 × 4 are 16 of 32 with AVX-512, and 2 × 2 16 of 32 with NEON,
 * where weights and rows need 8 more.
 */
INLINE lanes_f take_stored(gk_type type, const uint8_t *w, size_t k) {
    if (type == GK_F32) return LOAD((const float *)w + k);
    if (type == GK_F16) return widen_half((const uint16_t *)w + k);
    typedef uint16_t halves __attribute__((ext_vector_type(16), aligned(1)));
    return (lanes_f)(__builtin_convertvector(*(const halves *)(w + 2 * k), lanes_u) << 16);
}

/* The last `count` < 16 inputs; the rest of the lanes are 0. */
INLINE lanes_f take_stored_part(gk_type type, const uint8_t *w, size_t k, size_t count) {
    size_t size = type == GK_F32 ? 4 : 2;
    uint8_t part[LANES * 4] = {0};
    memcpy(part, w + k * size, count * size);
    return take_stored(type, part, 0);
}

#define DOT_ZERO(r, o) lanes_f s##r##o = SPLAT(0.0f);
#define DOT_ADD(r, o) s##r##o = FMA(v##r, w##o, s##r##o);
#define DOT_PUT(r, o) y[r * q->y_stride + o] = q->scale * sum_of_lanes(s##r##o);
#define DOT_ROW(r) lanes_f v##r = LOAD(x + r * q->x_stride + k);
#define DOT_ROW_PART(r) lanes_f v##r = load_part(x + r * q->x_stride + k, left, 0);
#define DOT_WEIGHTS(o) lanes_f w##o = take_stored(type, w + o * stride, k);
/* Each weight is read once: those of the next tile are fetched meanwhile. */
#define DOT_WEIGHTS_AHEAD(o)                                                                      \
    DOT_WEIGHTS(o)                                                                                \
    __builtin_prefetch(ahead + o * stride + k * (type == GK_F32 ? 4 : 2));
#define DOT_WEIGHTS_PART(o) lanes_f w##o = take_stored_part(type, w + o * stride, k, left);

#define DEFINE_DOT_TILE(name, TILE_OF, ROWS_OF, OUTPUTS_OF, TAKE)                                 \
    INLINE void name(gk_type type, const gk_dot_product *q, const float *x, const uint8_t *w,     \
                     const uint8_t *ahead, float *y) {                                            \
        (void)ahead;                                                                              \
        size_t stride = q->inputs * (type == GK_F32 ? 4 : 2), k = 0;                              \
        TILE_OF(DOT_ZERO)                                                                         \
        for (; k + LANES <= q->inputs; k += LANES) {                                              \
            ROWS_OF(DOT_ROW)                                                                      \
            OUTPUTS_OF(TAKE)                                                                      \
            TILE_OF(DOT_ADD)                                                                      \
        }                                                                                         \
        if (k < q->inputs) {                                                                      \
            size_t left = q->inputs - k;                                                          \
            ROWS_OF(DOT_ROW_PART)                                                                 \
            OUTPUTS_OF(DOT_WEIGHTS_PART)                                                          \
            TILE_OF(DOT_ADD)                                                                      \
        }                                                                                         \
        TILE_OF(DOT_PUT)                                                                          \
    }

#define DOT_OF_1(M, r) M(r, 0)
#define DOT_OF_2(M, r) M(r, 0) M(r, 1)
#define DOT_OF_4(M, r) M(r, 0) M(r, 1) M(r, 2) M(r, 3)
#define DOT_1_1(M) DOT_OF_1(M, 0)
#define DOT_1_4(M) DOT_OF_4(M, 0)
#define DOT_2_1(M) DOT_1_1(M) DOT_OF_1(M, 1)
#define DOT_2_2(M) DOT_OF_2(M, 0) DOT_OF_2(M, 1)
#define DOT_2_4(M) DOT_1_4(M) DOT_OF_4(M, 1)
#define DOT_3_1(M) DOT_2_1(M) DOT_OF_1(M, 2)
#define DOT_3_2(M) DOT_2_2(M) DOT_OF_2(M, 2)
#define DOT_3_4(M) DOT_2_4(M) DOT_OF_4(M, 2)
#define DOT_4_1(M) DOT_3_1(M) DOT_OF_1(M, 3)
#define DOT_4_4(M) DOT_3_4(M) DOT_OF_4(M, 3)

/* All outputs of R rows, OUTPUTS at a time and then one by one. */
#define DEFINE_DOT_ROWS(R, OUTPUTS)                                                               \
    DEFINE_DOT_TILE(dots_##R##_1, DOT_##R##_1, ROWS_##R, ROWS_1, DOT_WEIGHTS)                     \
    DEFINE_DOT_TILE(dots_##R##_n, DOT_##R##_##OUTPUTS, ROWS_##R, ROWS_##OUTPUTS,                  \
                    DOT_WEIGHTS_AHEAD)                                                            \
    INLINE void dots_##R(gk_type type, const gk_dot_product *q, size_t row) {                     \
        size_t bytes = q->inputs * (type == GK_F32 ? 4 : 2), o = 0;                               \
        const uint8_t *weights = q->weights, *after = q->after ? q->after : weights;              \
        const float *x = q->x + row * q->x_stride;                                                \
        float *y = q->y + row * q->y_stride;                                                      \
        for (; o + OUTPUTS <= q->outputs; o += OUTPUTS) {                                         \
            const uint8_t *w = weights + o * bytes;                                               \
            int is_last = o + 2 * OUTPUTS > q->outputs;                                           \
            dots_##R##_n(type, q, x, w, is_last ? after : w + OUTPUTS * bytes, y + o);            \
        }                                                                                         \
        for (; o < q->outputs; o++) dots_##R##_1(type, q, x, weights + o * bytes, NULL, y + o);   \
    }
/* Expands DOT_OUTPUTS and DOT_ROWS before they are pasted into a name. */
#define DEFINE_SEVERAL_DOT_ROWS(R, OUTPUTS) DEFINE_DOT_ROWS(R, OUTPUTS)
#define DOTS_OF(R) dots_##R
#define DOTS_OF_ROWS(R) DOTS_OF(R)
DEFINE_DOT_ROWS(1, 4)
DEFINE_SEVERAL_DOT_ROWS(2, DOT_OUTPUTS)
#if DOT_ROWS >= 3
DEFINE_SEVERAL_DOT_ROWS(3, DOT_OUTPUTS)
#endif
#if DOT_ROWS >= 4
DEFINE_SEVERAL_DOT_ROWS(4, DOT_OUTPUTS)
#endif

INLINE void dots_of_type(gk_type type, const gk_dot_product *q) {
    for (size_t row = 0; row < q->rows; row += DOT_ROWS) {
        switch (q->rows - row) {
        case 1: dots_1(type, q, row); break;
#if DOT_ROWS >= 3
        case 2: dots_2(type, q, row); break;
#endif
#if DOT_ROWS >= 4
        case 3: dots_3(type, q, row); break;
#endif
        default: DOTS_OF_ROWS(DOT_ROWS)(type, q, row);
        }
    }
}

static void GK(dots)(const gk_dot_product *q) {
    switch (q->type) {
    case GK_F32: dots_of_type(GK_F32, q); break;
    case GK_F16: dots_of_type(GK_F16, q); break;
    default: dots_of_type(GK_BF16, q); break;
    }
}
