/* The product that everything else is made of: a tile of rows times 16 outputs, weights in f32.
 *
 *   y[r][o] = (accumulate ? y[r][o] : 0) + sum over k of x[r][k] * panel[k][o]     k ascending
 *
 * TILE rows times one panel are as many accumulators as fit the registers (6 × 2 of 16 with AVX2,
 * 12 × 1 of 32 with AVX-512, 6 × 4 of 32 with NEON) and more than the 8 that hide an addition's
 * latency (4 cycles, 2 a cycle). The accumulators have names, because the compiler keeps an array
 * of them in memory.
 */
#if !defined(FACTOR) /* how a level's multiply-adds take a scalar */
#define FACTOR(x) SPLAT(x)
#endif
#define DECLARE(i) lanes_f a##i = accumulate ? LOAD(y + i * y_stride) : SPLAT(0.0f);
#define ADVANCE(i) a##i = FMA(FACTOR(x[i * x_stride + p]), w, a##i);
#define PUT(i) STORE(y + i * y_stride, a##i);
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

/* Rows of the next tile when `left` remain: two tiles of like size rather than a full one and a
 * small one, which would have too few chains to hide latency. */
INLINE size_t tile_rows(size_t left) {
    if (left >= 2 * TILE || left <= TILE) return left < TILE ? left : TILE;
    return (left + 1) / 2;
}

/* Any number of rows times 16 outputs whose weights lie as f32, `panel_stride` floats from one
 * input to the next. */
INLINE void panel_product(size_t rows, size_t k, const float *x, size_t x_stride,
                          const float *panel, size_t panel_stride, float *y, size_t y_stride,
                          int accumulate) {
    for (size_t r = 0, count; r < rows; r += count) {
        count = tile_rows(rows - r);
        GK(tiles)[count](k, x + r * x_stride, x_stride, panel, panel_stride, y + r * y_stride,
                         y_stride, accumulate);
    }
}

/* Two panels that lie alike, and two that come next: these are fetched meanwhile, place by
 * place, since panels of pages lie far apart, where no hardware looks ahead. */
typedef struct {
    const float *first, *second;
    const float *next, *next2;
} panel_twins;

/* Few rows by two panels at once: as many chains of additions as a whole tile has. */
#define DECLARE_TWO(i)                                                                            \
    lanes_f a##i = accumulate ? LOAD(y + i * y_stride) : SPLAT(0.0f);                             \
    lanes_f b##i = accumulate ? LOAD(y2 + i * y_stride) : SPLAT(0.0f);
#define FACTOR_OF(i) lanes_f x##i = SPLAT(x[i * x_stride + p]);
#define ADVANCE_A(i) a##i = FMA(x##i, w, a##i);
#define ADVANCE_B(i) b##i = FMA(x##i, w, b##i);
#define PUT_TWO(i)                                                                                \
    STORE(y + i * y_stride, a##i);                                                                \
    STORE(y2 + i * y_stride, b##i);
#define DEFINE_TWIN(R)                                                                            \
    static void GK(twin_##R)(size_t k, const float *x, size_t x_stride, const panel_twins *t,     \
                             size_t panel_stride, float *y, float *y2, size_t y_stride,           \
                             int accumulate) {                                                    \
        const float *panel = t->first, *panel2 = t->second, *next = t->next, *next2 = t->next2;   \
        ROWS_##R(DECLARE_TWO)                                                                     \
        _Pragma("clang loop unroll_count(2)")                                                     \
        for (size_t p = 0; p < k; p++) {                                                          \
            __builtin_prefetch(next + p * panel_stride);                                          \
            __builtin_prefetch(next2 + p * panel_stride);                                         \
            ROWS_##R(FACTOR_OF)                                                                   \
            { lanes_f w = LOAD(panel + p * panel_stride); ROWS_##R(ADVANCE_A) }                   \
            { lanes_f w = LOAD(panel2 + p * panel_stride); ROWS_##R(ADVANCE_B) }                  \
        }                                                                                         \
        ROWS_##R(PUT_TWO)                                                                         \
    }

DEFINE_TWIN(1)
DEFINE_TWIN(2)
DEFINE_TWIN(3)
#if TILE == 12
/* Of 32 registers 6 rows by two panels take 12 sums and 6 factors, each loaded once for both
   panels. */
#define TWIN_ROWS 6
DEFINE_TWIN(4)
DEFINE_TWIN(5)
DEFINE_TWIN(6)
#else
#define TWIN_ROWS 3
#endif

typedef void (*twin_function)(size_t, const float *, size_t, const panel_twins *, size_t, float *,
                              float *, size_t, int);

static const twin_function GK(twins)[TWIN_ROWS + 1] = {
    0,           GK(twin_1), GK(twin_2), GK(twin_3),
#if TWIN_ROWS == 6
    GK(twin_4),  GK(twin_5), GK(twin_6),
#endif
};

/* Any number of rows times two panels; y2 is where the second one's sums go. Where registers
 * hold few rows by two panels, a whole tile of rows has chains enough with one. */
INLINE void twin_product(size_t rows, size_t k, const float *x, size_t x_stride,
                         const panel_twins *t, size_t panel_stride, float *y, float *y2,
                         size_t y_stride, int accumulate) {
    if (TWIN_ROWS == 6 || rows < TILE) {
        for (size_t r = 0, count; r < rows; r += count) {
            size_t left = rows - r, tiles = (left + TWIN_ROWS - 1) / TWIN_ROWS;
            count = (left + tiles - 1) / tiles;
            GK(twins)[count](k, x + r * x_stride, x_stride, t, panel_stride, y + r * y_stride,
                             y2 + r * y_stride, y_stride, accumulate);
        }
        return;
    }
    for (size_t p = 0; p < k; p++) {
        __builtin_prefetch(t->next + p * panel_stride);
        __builtin_prefetch(t->next2 + p * panel_stride);
    }
    panel_product(rows, k, x, x_stride, t->first, panel_stride, y, y_stride, accumulate);
    panel_product(rows, k, x, x_stride, t->second, panel_stride, y2, y_stride, accumulate);
}

/* Rounds of the tile's multiply-adds on registers: what a product can't outrun. */
#define PEAK_START(i) lanes_f a##i = SPLAT((float)i);
#define PEAK_STEP(i) a##i = FMA(factor, added, a##i);
#define PEAK_END(i) total += a##i;
static size_t GK(peak_fma)(size_t rounds, float *sink) {
    lanes_f factor = SPLAT(*sink * 0 + 0.5f), added = SPLAT(*sink * 0 + 1.0f);
    lanes_f total = SPLAT(0.0f);
#if TILE == 12
    ROWS_12(PEAK_START)
    for (size_t i = 0; i < rounds; i++) { ROWS_12(PEAK_STEP) }
    ROWS_12(PEAK_END)
#else
    ROWS_6(PEAK_START)
    for (size_t i = 0; i < rounds; i++) { ROWS_6(PEAK_STEP) }
    ROWS_6(PEAK_END)
#endif
    *sink += total[0];
    return rounds * TILE * LANES * 2;
}

/* The sum of many floats, only to have them read. */
static float GK(read_floats)(const float *x, size_t count) {
    lanes_f a = SPLAT(0.0f), b = a, c = a, d = a;
    for (size_t i = 0; i + 4 * LANES <= count; i += 4 * LANES) {
        a += LOAD(x + i);
        b += LOAD(x + i + LANES);
        c += LOAD(x + i + 2 * LANES);
        d += LOAD(x + i + 3 * LANES);
    }
    return sum_of_lanes(a + b + c + d);
}
