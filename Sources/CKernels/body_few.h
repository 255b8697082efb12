/* Products of few rows: weights are streamed once and widened in registers.
 *
 * One row runs over GK_GROUP panels at once, which gives it 8 chains of additions with AVX2 and
 * four streams to prefetch. Each function below continues GK_GROUP sums over all inputs; they stay
 * functions of their own because the compiler spills their sums when they are part of a larger one.
 */
#define ALONE static __attribute__((noinline))
#define GROUP(M) M(0) M(1) M(2) M(3)
#define TAKE(i)                                                                                   \
    lanes_f a##i = sums[i];                                                                       \
    const uint8_t *p##i = panels[i];
#define GIVE(i) sums[i] = a##i;

#define ADD_F32(i) a##i = FMA(v, LOAD((const float *)p##i + k * GK_PANEL), a##i);

ALONE void GK(row_f32)(size_t inputs, const float *x, const uint8_t *const *panels,
                       lanes_f *sums) {
    GROUP(TAKE)
    for (size_t k = 0; k < inputs; k++) {
        lanes_f v = SPLAT(x[k]);
        GROUP(ADD_F32)
    }
    GROUP(GIVE)
}

#define ADD_F16(i) a##i = FMA(v, widen_half((const uint16_t *)p##i + k * GK_PANEL), a##i);

ALONE void GK(row_f16)(size_t inputs, const float *x, const uint8_t *const *panels,
                       lanes_f *sums) {
    GROUP(TAKE)
    for (size_t k = 0; k < inputs; k++) {
        lanes_f v = SPLAT(x[k]);
        GROUP(ADD_F16)
    }
    GROUP(GIVE)
}

#define ADD_PAIR(i)                                                                               \
    {                                                                                             \
        lanes_u pair = *(const lanes_u_unaligned *)(p##i + k * 2 * GK_PANEL);                     \
        a##i = FMA(even, even_of_pair(pair), a##i);                                               \
        a##i = FMA(odd, odd_of_pair(pair), a##i);                                                 \
    }

ALONE void GK(row_bf16)(size_t inputs, const float *x, const uint8_t *const *panels,
                        lanes_f *sums) {
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

#define HEAD(i)                                                                                   \
    lanes_f scale##i = block_scale(type, p##i), minimum##i = block_minimum(p##i);
#define ADD_LEVEL(i, j)                                                                           \
    a##i = FMA(SPLAT(x[j]), block_weight(type, scale##i, minimum##i, level_at(levels, j)), a##i);
#define ADD_LEVELS(i)                                                                             \
    {                                                                                             \
        lanes_u levels = block_levels(type, p##i, half, quarter);                                 \
        ADD_LEVEL(i, 0) ADD_LEVEL(i, 1) ADD_LEVEL(i, 2) ADD_LEVEL(i, 3)                           \
    }
#define NEXT_BLOCK(i) p##i += block_group_bytes(type);

/* 16 inputs of a block, over two panels: the scales of four would not fit the registers. */
#define HALF_BLOCK(h)                                                                             \
    _Pragma("clang loop unroll(disable)")                                                         \
    for (int quarter = 0; quarter < 4; quarter++, x += 4) {                                       \
        enum { half = h };                                                                        \
        PAIR_OF_PANELS(ADD_LEVELS)                                                                \
    }
#define PAIR_OF_PANELS(M) M(0) M(1)

INLINE void row_blocks(gk_type type, size_t inputs, const float *x, const uint8_t *const *panels,
                       lanes_f *sums) {
    PAIR_OF_PANELS(TAKE)
    for (size_t k = 0; k < inputs; k += 32) {
        PAIR_OF_PANELS(HEAD)
        HALF_BLOCK(0)
        HALF_BLOCK(1)
        PAIR_OF_PANELS(NEXT_BLOCK)
    }
    PAIR_OF_PANELS(GIVE)
}

#define DEFINE_ROW_BLOCKS(name, type)                                                             \
    ALONE void GK(name)(size_t inputs, const float *x, const uint8_t *const *panels,              \
                        lanes_f *sums) {                                                          \
        row_blocks(type, inputs, x, panels, sums);                                                \
        row_blocks(type, inputs, x, panels + 2, sums + 2);                                        \
    }
DEFINE_ROW_BLOCKS(row_q8_0, GK_Q8_0)
DEFINE_ROW_BLOCKS(row_q4_0, GK_Q4_0)
DEFINE_ROW_BLOCKS(row_q4_1, GK_Q4_1)

typedef void (*row_function)(size_t, const float *, const uint8_t *const *, lanes_f *);

static const row_function GK(rows)[GK_TYPE_COUNT] = {
    GK(row_f32), GK(row_f16), GK(row_bf16), GK(row_q8_0), GK(row_q4_0), GK(row_q4_1),
};

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
