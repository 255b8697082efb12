/* Integer dot products with AVX2: see body_int8.h.
 *
 * The instruction multiplies unsigned by signed bytes and adds pairs in 16 bits. Nibbles are
 * unsigned, and a block's eight pairs fit: 8 * 2 * 15 * 127 < 2^15. Signed weights give their
 * sign to the row's levels; a pair fits, 2 * 128 * 127 < 2^15, and is added up in 32 bits. */
typedef struct {
    __m256i low, high;
} halves_i;

typedef halves_i weight_bytes;
typedef halves_i dot_sums;

INLINE weight_bytes take_weights(level_kind kind, const uint8_t *bytes) {
    (void)kind;
    return (halves_i){_mm256_loadu_si256((const __m256i *)bytes),
                      _mm256_loadu_si256((const __m256i *)(bytes + 32))};
}

INLINE void take_nibbles(const uint8_t *bytes, weight_bytes *low, weight_bytes *high) {
    weight_bytes both = take_weights(NIBBLES, bytes);
    __m256i mask = _mm256_set1_epi8(15);
    *low = (halves_i){_mm256_and_si256(both.low, mask), _mm256_and_si256(both.high, mask)};
    *high = (halves_i){_mm256_and_si256(_mm256_srli_epi16(both.low, 4), mask),
                       _mm256_and_si256(_mm256_srli_epi16(both.high, 4), mask)};
}

/* Keeps additions as written; reassociated, they need more registers than there are. */
#define KEEP_ORDER(v) __asm__("" : "+x"(v))

INLINE dot_sums start_sums(level_kind kind, int32_t row_sum, int32_t offset) {
    (void)kind, (void)row_sum, (void)offset;
    return (halves_i){_mm256_setzero_si256(), _mm256_setzero_si256()};
}

INLINE __m256i add_signed(__m256i sums, __m256i w, __m256i x) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

INLINE dot_sums add_dots(level_kind kind, dot_sums sums, weight_bytes w, int32_t x) {
    __m256i four = _mm256_set1_epi32(x);
    if (kind == SIGNED_BYTES) {
        sums.low = add_signed(sums.low, w.low, four);
        sums.high = add_signed(sums.high, w.high, four);
    } else {
        sums.low = _mm256_add_epi16(sums.low, _mm256_maddubs_epi16(w.low, four));
        sums.high = _mm256_add_epi16(sums.high, _mm256_maddubs_epi16(w.high, four));
    }
    KEEP_ORDER(sums.low);
    KEEP_ORDER(sums.high);
    return sums;
}

INLINE lanes_i finish_sums(level_kind kind, dot_sums sums, int32_t row_sum, int32_t offset) {
    if (kind == NIBBLES) {
        __m256i ones = _mm256_set1_epi16(1), start = _mm256_set1_epi32(offset * row_sum);
        sums.low = _mm256_sub_epi32(_mm256_madd_epi16(sums.low, ones), start);
        sums.high = _mm256_sub_epi32(_mm256_madd_epi16(sums.high, ones), start);
    }
    lanes_i result;
    memcpy(&result, &sums, sizeof result);
    return result;
}
