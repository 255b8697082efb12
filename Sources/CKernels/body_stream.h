/* Tiles of rows by a panel of a float type: weights are widened in registers as they stream by, and
 * what is multiplied next is fetched meanwhile, so that memory and arithmetic work side by side.
 *
 *   y[r][o] = (accumulate ? y[r][o] : 0) + sum over k of x[r][k] * W[o, k]     k ascending
 */
typedef struct {
    const float *x;
    size_t x_stride;
    const uint8_t *weights; /* packed, `inputs` of a panel */
    size_t inputs;
    const uint8_t *ahead; /* fetched bit by bit, `ahead_step` bytes with each step of the weights */
    size_t ahead_step;
    float *y;
    size_t y_stride;
    int accumulate;
} stream_tile;

/* Bytes of a step: one input of 16 outputs, with bf16 a pair. */
INLINE size_t step_bytes(gk_type type) { return GK_PANEL * (type == GK_F16 ? 2 : 4); }

#define STREAM_LOCALS                                                                             \
    const float *x = t->x;                                                                        \
    const uint8_t *weights = t->weights, *ahead = t->ahead;                                       \
    const size_t x_stride = t->x_stride, inputs = t->inputs, ahead_step = t->ahead_step;          \
    float *y = t->y;                                                                              \
    const size_t y_stride = t->y_stride;                                                          \
    const int accumulate = t->accumulate;
#define FETCH_AHEAD(step) __builtin_prefetch(ahead + (step) * ahead_step, 0, 2)
#define ADVANCE_AT(i) a##i = FMA(FACTOR(x[i * x_stride + k]), w, a##i);
#define ADVANCE_NEXT(i) a##i = FMA(FACTOR(x[i * x_stride + k + 1]), w, a##i);

/* Of types with one weight an input; TAKE widens 16 of them. Unrolled, the compiler loads
 * several inputs' weights first, into registers that it takes from the sums. */
#define DEFINE_INPUT_TILE(type, R, TAKE)                                                          \
    static void GK(stream_##type##_##R)(const stream_tile *t) {                                   \
        STREAM_LOCALS                                                                             \
        ROWS_##R(DECLARE)                                                                         \
        _Pragma("clang loop unroll(disable)")                                                     \
        for (size_t k = 0; k < inputs; k++) {                                                     \
            FETCH_AHEAD(k);                                                                       \
            lanes_f w = TAKE(weights, k);                                                         \
            ROWS_##R(ADVANCE_AT)                                                                  \
        }                                                                                         \
        ROWS_##R(PUT)                                                                             \
    }
#define TAKE_F32(weights, k) LOAD((const float *)(weights) + (k) * GK_PANEL)
#define TAKE_F16(weights, k) widen_half((const uint16_t *)(weights) + (k) * GK_PANEL)

#define DEFINE_STREAM_TILE(R)                                                                     \
    DEFINE_INPUT_TILE(f32, R, TAKE_F32)                                                           \
    DEFINE_INPUT_TILE(f16, R, TAKE_F16)                                                           \
    static void GK(stream_bf16_##R)(const stream_tile *t) {                                       \
        STREAM_LOCALS                                                                             \
        ROWS_##R(DECLARE)                                                                         \
        size_t k = 0;                                                                             \
        _Pragma("clang loop unroll_count(2)")                                                     \
        for (; k + 2 <= inputs; k += 2) {                                                         \
            FETCH_AHEAD(k / 2);                                                                   \
            {                                                                                     \
                lanes_f w = even_of_pair(pairs_at(weights, k));                                   \
                ROWS_##R(ADVANCE_AT)                                                              \
            }                                                                                     \
            FORGET(weights);                                                                      \
            {                                                                                     \
                lanes_f w = odd_of_pair(pairs_at(weights, k));                                    \
                ROWS_##R(ADVANCE_NEXT)                                                            \
            }                                                                                     \
        }                                                                                         \
        if (k < inputs) {                                                                         \
            lanes_f w = even_of_pair(pairs_at(weights, k));                                       \
            ROWS_##R(ADVANCE_AT)                                                                  \
        }                                                                                         \
        ROWS_##R(PUT)                                                                             \
    }

/* A pair is loaded once for its even and once for its odd input: kept, it takes registers from the
 * sums. */
#define FORGET(pointer) __asm__("" : "+r"(pointer))
INLINE lanes_u pairs_at(const uint8_t *weights, size_t k) {
    return LOAD_WORDS(weights + k / 2 * 4 * GK_PANEL);
}

DEFINE_STREAM_TILE(1)
DEFINE_STREAM_TILE(2)
DEFINE_STREAM_TILE(3)
DEFINE_STREAM_TILE(4)
DEFINE_STREAM_TILE(5)
DEFINE_STREAM_TILE(6)
#if TILE == 12
DEFINE_STREAM_TILE(7)
DEFINE_STREAM_TILE(8)
DEFINE_STREAM_TILE(9)
DEFINE_STREAM_TILE(10)
DEFINE_STREAM_TILE(11)
DEFINE_STREAM_TILE(12)
#define STREAM_TILES(type)                                                                        \
    {GK(type##_1), GK(type##_2), GK(type##_3), GK(type##_4),  GK(type##_5),  GK(type##_6),        \
     GK(type##_7), GK(type##_8), GK(type##_9), GK(type##_10), GK(type##_11), GK(type##_12)}
#else
#define STREAM_TILES(type)                                                                        \
    {GK(type##_1), GK(type##_2), GK(type##_3), GK(type##_4), GK(type##_5), GK(type##_6)}
#endif

typedef void (*stream_function)(const stream_tile *);

static const stream_function GK(streams)[GK_BF16 + 1][TILE] = {
    STREAM_TILES(stream_f32), STREAM_TILES(stream_f16), STREAM_TILES(stream_bf16),
};

/* Inputs that all rows run over at a time, an even number: as much of a panel as stays in the
 * nearest cache meanwhile, in parts of like size. */
INLINE size_t part_inputs(size_t inputs, size_t input_bytes) {
    size_t parts = (inputs * input_bytes + GK_PART_BYTES - 1) / GK_PART_BYTES;
    return ((inputs + parts - 1) / parts + 1) & ~(size_t)1;
}

/* Rows [row, row + rows) times one panel, sums in y. They pass from one part of the inputs to
 * the next through y, which changes no bit of them. */
INLINE void rows_by_panel(const gk_product *q, const uint8_t *panel, size_t row, size_t rows,
                          float *y, size_t y_stride, int accumulate) {
    size_t input_bytes = q->type == GK_F32 ? 4 * GK_PANEL : 2 * GK_PANEL;
    size_t tiles = (rows + TILE - 1) / TILE, length = part_inputs(q->inputs, input_bytes);
    for (size_t k = 0; k < q->inputs; k += length) {
        size_t part = q->inputs - k < length ? q->inputs - k : length;
        stream_tile t = {q->x + row * q->x_stride + k, q->x_stride, panel + k * input_bytes, part,
                         panel + (k + part) * input_bytes, step_bytes(q->type) / tiles, y,
                         y_stride, accumulate || k > 0};
        for (size_t r = 0, count; r < rows; r += count) {
            count = tile_rows(rows - r);
            GK(streams)[q->type][count - 1](&t);
            t.x += count * q->x_stride;
            t.y += count * y_stride;
            t.ahead += part * input_bytes / tiles;
        }
    }
}
