/* Products of few rows: weights are streamed once and widened in registers.
 *
 * One row runs over GK_GROUP panels at once, which gives it 8 chains of additions with AVX2 and
 * four streams to prefetch. Each function below continues GK_GROUP sums over all inputs.
 */
#define GROUP(M) M(0) M(1) M(2) M(3)
#define TAKE(i)                                                                                   \
    lanes_f a##i = sums[i];                                                                       \
    const uint8_t *p##i = panels[i];
#define GIVE(i) sums[i] = a##i;

#define ADD_F32(i)                                                                                \
    __builtin_prefetch(p##i + ahead + k * 4 * GK_PANEL);                                          \
    a##i = FMA(v, LOAD((const float *)p##i + k * GK_PANEL), a##i);

/* Short panels, as low-rank factors have, end before any hardware looks ahead: the next group is fetched
 * meanwhile. */
INLINE size_t bytes_ahead(gk_type type, size_t inputs) {
    size_t group = GK_GROUP * GK_PANEL * inputs * (type == GK_F32 ? 4 : 2);
    return group < 2 * AHEAD ? group : 2 * AHEAD;
}

ALONE void GK(row_f32)(size_t inputs, const float *x, const uint8_t *const *panels,
                       lanes_f *sums) {
    const size_t ahead = bytes_ahead(GK_F32, inputs);
    GROUP(TAKE)
    for (size_t k = 0; k < inputs; k++) {
        lanes_f v = SPLAT(x[k]);
        GROUP(ADD_F32)
    }
    GROUP(GIVE)
}

#define ADD_F16(i)                                                                                \
    __builtin_prefetch(p##i + ahead + k * 2 * GK_PANEL);                                          \
    a##i = FMA(v, widen_half((const uint16_t *)p##i + k * GK_PANEL), a##i);

ALONE void GK(row_f16)(size_t inputs, const float *x, const uint8_t *const *panels,
                       lanes_f *sums) {
    const size_t ahead = bytes_ahead(GK_F16, inputs);
    GROUP(TAKE)
    for (size_t k = 0; k < inputs; k++) {
        lanes_f v = SPLAT(x[k]);
        GROUP(ADD_F16)
    }
    GROUP(GIVE)
}

#define ADD_PAIR(i)                                                                               \
    {                                                                                             \
        __builtin_prefetch(p##i + ahead + k * 2 * GK_PANEL);                                      \
        lanes_u pair = *(const lanes_u_unaligned *)(p##i + k * 2 * GK_PANEL);                     \
        a##i = FMA(even, even_of_pair(pair), a##i);                                               \
        a##i = FMA(odd, odd_of_pair(pair), a##i);                                                 \
    }

ALONE void GK(row_bf16)(size_t inputs, const float *x, const uint8_t *const *panels,
                        lanes_f *sums) {
    const size_t ahead = bytes_ahead(GK_BF16, inputs);
    GROUP(TAKE)
    size_t k = 0;
    for (; k + 2 <= inputs; k += 2) {
        lanes_f even = SPLAT(x[k]), odd = SPLAT(x[k + 1]);
        GROUP(ADD_PAIR)
    }
    if (k < inputs) {
        lanes_f even = SPLAT(x[k]), odd = SPLAT(0.0f);
        GROUP(ADD_PAIR)
    }
    GROUP(GIVE)
}

typedef void (*row_function)(size_t, const float *, const uint8_t *const *, lanes_f *);

static const row_function GK(rows)[GK_BF16 + 1] = {
    GK(row_f32), GK(row_f16), GK(row_bf16),
};

/* Row by row over groups of panels; a group with fewer repeats its last one. */
static void GK(multiply_few)(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t first = q->first_panel; first < q->last_panel; first += GK_GROUP) {
        size_t count = q->last_panel - first < GK_GROUP ? q->last_panel - first : GK_GROUP;
        const uint8_t *panels[GK_GROUP];
        for (size_t i = 0; i < GK_GROUP; i++)
            panels[i] = (const uint8_t *)q->packed +
                        (first + (i < count ? i : count - 1)) * panel_bytes;
        for (size_t row = 0; row < q->rows; row++) {
            lanes_f sums[GK_GROUP];
            for (size_t i = 0; i < GK_GROUP; i++)
                sums[i] = i < count ? take_lanes(q, row, first + i) : SPLAT(0.0f);
            GK(rows)[q->type](q->inputs, q->x + row * q->x_stride, panels, sums);
            for (size_t i = 0; i < count; i++) put_lanes(q, row, first + i, sums[i]);
        }
    }
}
