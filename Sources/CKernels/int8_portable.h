/* Integer dot products without special instructions: see body_int8.h. */
typedef lanes_i weight_bytes;
typedef lanes_i dot_sums;

INLINE weight_bytes take_weights(level_kind kind, const uint8_t *bytes) {
    (void)kind;
    return (lanes_i) * (const lanes_u_unaligned *)bytes;
}

INLINE void take_nibbles(const uint8_t *bytes, weight_bytes *low, weight_bytes *high) {
    lanes_u both = *(const lanes_u_unaligned *)bytes;
    *low = (lanes_i)(both & 0x0f0f0f0fu);
    *high = (lanes_i)(both >> 4 & 0x0f0f0f0fu);
}

INLINE dot_sums start_sums(level_kind kind, int32_t row_sum, int32_t offset) {
    (void)kind;
    return (lanes_i)(-offset * row_sum);
}

INLINE dot_sums add_dots(level_kind kind, dot_sums sums, weight_bytes w, int32_t x) {
    (void)kind;
    for (int j = 0; j < 4; j++)
        sums += (w << (24 - 8 * j) >> 24) * (lanes_i)(int32_t)(int8_t)(x >> 8 * j);
    return sums;
}

INLINE lanes_i finish_sums(level_kind kind, dot_sums sums, int32_t row_sum, int32_t offset) {
    (void)kind, (void)row_sum, (void)offset;
    return sums;
}
