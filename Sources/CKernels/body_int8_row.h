/* What all products with 8-bit and 4-bit blocks share, and the product of one row. A level
 * provides, before this file is included, what body_int8.h says. */
INLINE level_kind kind_of(gk_type type) { return type == GK_Q8_0 ? SIGNED_BYTES : NIBBLES; }

/* What a tile reads of its rows; rows are `inputs` bytes and `inputs` / 32 heads apart. */
typedef struct {
    const int8_t *levels;
    const gk_row_block *heads;
    size_t level_stride, head_stride;
} row_run;

/* Word `index` of a row's levels: four inputs. */
#if !defined(GK_WORDS_IN_LANES)
INLINE int32_t word_at(const int8_t *levels, int index) {
    int32_t word;
    memcpy(&word, levels + 4 * index, 4);
    return word;
}
#endif

/* One row by one panel, in one pass over the packed bytes: when weights come from memory, it
 * must not wait while levels are unpacked and multiplied. */
INLINE void int_row(gk_type type, row_run x, const uint8_t *panel, size_t blocks, float *y,
                    int accumulate) {
    level_kind kind = kind_of(type);
    const int32_t offset = type == GK_Q4_0 ? 8 : 0;
    const size_t stride = block_group_bytes(type), header = type == GK_Q4_1 ? 64 : 32;
    lanes_f sum = accumulate ? LOAD(y) : SPLAT(0.0f);
    for (size_t b = 0; b < blocks; b++, panel += stride) {
        for (size_t line = 0; line < stride; line += 64) __builtin_prefetch(panel + AHEAD + line);
        const gk_row_block *head = x.heads + b;
        const int8_t *levels = x.levels + b * 32;
        dot_sums sums = start_sums(kind, head->sum, offset);
        _Pragma("clang loop unroll(full)")
        for (int quarter = 0; quarter < 4; quarter++) {
            const uint8_t *bytes = panel + header + quarter * 64;
            weight_bytes low, high;
            if (type == GK_Q8_0) {
                low = take_weights(kind, bytes);
                high = take_weights(kind, bytes + 256);
            } else {
                take_nibbles(bytes, &low, &high);
            }
            sums = add_dots(kind, sums, low, word_at(levels, quarter));
            sums = add_dots(kind, sums, high, word_at(levels, 4 + quarter));
        }
        lanes_i dots = finish_sums(kind, sums, head->sum, offset);
        lanes_f scale = widen_half((const uint16_t *)panel) * SPLAT(head->scale);
        sum = FMA(__builtin_convertvector(dots, lanes_f), scale, sum);
        if (type == GK_Q4_1)
            sum = FMA(widen_half((const uint16_t *)panel + GK_PANEL),
                      SPLAT(head->scale * (float)head->sum), sum);
    }
    STORE(y, sum);
}

ALONE void GK(q8_0_row)(const row_run *x, const uint8_t *panel, size_t blocks, float *y,
                        int accumulate) {
    int_row(GK_Q8_0, *x, panel, blocks, y, accumulate);
}
ALONE void GK(q4_0_row)(const row_run *x, const uint8_t *panel, size_t blocks, float *y,
                        int accumulate) {
    int_row(GK_Q4_0, *x, panel, blocks, y, accumulate);
}
ALONE void GK(q4_1_row)(const row_run *x, const uint8_t *panel, size_t blocks, float *y,
                        int accumulate) {
    int_row(GK_Q4_1, *x, panel, blocks, y, accumulate);
}

typedef void (*int_row_function)(const row_run *, const uint8_t *, size_t, float *, int);

static const int_row_function GK(int_rows)[3] = {GK(q8_0_row), GK(q4_0_row), GK(q4_1_row)};
