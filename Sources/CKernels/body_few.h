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

ALONE void GK(row_f32)(size_t inputs, const float *x, const uint8_t *const *panels,
                      ptrdiff_t ahead, lanes_f *sums) {
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
                      ptrdiff_t ahead, lanes_f *sums) {
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
        lanes_u pair = LOAD_WORDS(p##i + k * 2 * GK_PANEL);                                       \
        a##i = FMA(even, even_of_pair(pair), a##i);                                               \
        a##i = FMA(odd, odd_of_pair(pair), a##i);                                                 \
    }

ALONE void GK(row_bf16)(size_t inputs, const float *x, const uint8_t *const *panels,
                       ptrdiff_t ahead, lanes_f *sums) {
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

typedef void (*row_function)(size_t, const float *, const uint8_t *const *, ptrdiff_t, lanes_f *);

static const row_function GK(rows)[GK_BF16 + 1] = {
    GK(row_f32), GK(row_f16), GK(row_bf16),
};

/* How far ahead of its use each panel of a group is fetched. Short panels, as low-rank factors
 * have, end before any hardware looks ahead: the next group is fetched meanwhile, or what comes
 * after the last. */
INLINE ptrdiff_t bytes_ahead(const gk_product *q, size_t first, const uint8_t *panel) {
    size_t group = GK_GROUP * gk_panel_bytes(q->type, q->inputs);
    if (group >= AHEAD) return AHEAD;
    if (first + GK_GROUP >= q->last_panel && q->after) return (ptrdiff_t)((uintptr_t)q->after - (uintptr_t)panel);
    return (ptrdiff_t)group;
}

/* Row by row over groups of panels; a group with fewer repeats its last one. */
static void GK(multiply_few)(const gk_product *q) {
    size_t panel_bytes = gk_panel_bytes(q->type, q->inputs);
    for (size_t first = q->first_panel; first < q->last_panel; first += GK_GROUP) {
        size_t count = q->last_panel - first < GK_GROUP ? q->last_panel - first : GK_GROUP;
        const uint8_t *panels[GK_GROUP];
        for (size_t i = 0; i < GK_GROUP; i++)
            panels[i] = (const uint8_t *)q->packed +
                        (first + (i < count ? i : count - 1)) * panel_bytes;
        ptrdiff_t ahead = bytes_ahead(q, first, panels[0]);
        for (size_t row = 0; row < q->rows; row++) {
            lanes_f sums[GK_GROUP];
            for (size_t i = 0; i < GK_GROUP; i++)
                sums[i] = i < count ? take_lanes(q, row, first + i) : SPLAT(0.0f);
            GK(rows)[q->type](q->inputs, q->x + row * q->x_stride, panels, ahead,
                              sums);
            for (size_t i = 0; i < count; i++) put_lanes(q, row, first + i, sums[i]);
        }
    }
}
