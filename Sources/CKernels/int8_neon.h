/* Integer dot products with NEON: see body_int8.h. A register holds 4 outputs × 4 levels. */
typedef int8x16x4_t weight_bytes;
typedef int32x4x4_t dot_sums;

/* The word in a lane of a register: instructions take their factor from there. Without the barrier
 * the compiler would load the word alone and copy it to all lanes. */
#define GK_WORDS_IN_LANES 1
INLINE int32_t word_at(const int8_t *levels, int index) {
    int32x4_t words = vreinterpretq_s32_s8(vld1q_s8(levels + index / 4 * 16));
    __asm__("" : "+w"(words));
    return words[index % 4];
}

/* M for each register of 16 outputs. */
#define PARTS(M) M(0) M(1) M(2) M(3)

#if !defined(ADD_PRODUCTS)
/* Without dot products: those of bytes have 16 bits, and so has the sum of a pair, since
 * 2 * 128 * 127 < 2^15; the two pairs of an output are added in 32. */
INLINE int32x4_t add_products(int32x4_t sums, int8x16_t w, int8x16_t x) {
    /* Both halves of x are the same; that must stay unknown for the second product to be one
     * instruction. */
    __asm__("" : "+w"(x));
    int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(x)), high = vmull_high_s8(w, x);
    return vpadalq_s16(sums, vpaddq_s16(low, high));
}
#define ADD_PRODUCTS(sums, w, x) add_products(sums, w, x)
#endif

#define TAKE_PART(i) w.val[i] = vld1q_s8((const int8_t *)bytes + 16 * i);

INLINE weight_bytes take_weights(level_kind kind, const uint8_t *bytes) {
    (void)kind;
    weight_bytes w;
    PARTS(TAKE_PART)
    return w;
}

#define SPLIT_PART(i)                                                                             \
    {                                                                                             \
        uint8x16_t both = vld1q_u8(bytes + 16 * i);                                               \
        low->val[i] = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));                        \
        high->val[i] = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));                                  \
    }

INLINE void take_nibbles(const uint8_t *bytes, weight_bytes *low, weight_bytes *high) {
    PARTS(SPLIT_PART)
}

#define START_PART(i) sums.val[i] = vdupq_n_s32(-offset * row_sum);

INLINE dot_sums start_sums(level_kind kind, int32_t row_sum, int32_t offset) {
    (void)kind;
    dot_sums sums;
    PARTS(START_PART)
    return sums;
}

/* Additions stay in this order: in others, they need more registers than there are. */
#define ADD_PART(i)                                                                               \
    sums.val[i] = ADD_PRODUCTS(sums.val[i], w.val[i], four);                                      \
    __asm__ volatile("" : "+w"(sums.val[i]));

INLINE dot_sums add_dots(level_kind kind, dot_sums sums, weight_bytes w, int32_t x) {
    (void)kind;
    int8x16_t four = vreinterpretq_s8_s32(vdupq_n_s32(x));
    PARTS(ADD_PART)
    return sums;
}

INLINE lanes_i finish_sums(level_kind kind, dot_sums sums, int32_t row_sum, int32_t offset) {
    (void)kind, (void)row_sum, (void)offset;
    lanes_i result;
    memcpy(&result, &sums, sizeof result);
    return result;
}
