/* Packed weights of the float types as f32, exactly (layouts: pack.c). */
INLINE lanes_f widen_half(const uint16_t *p) {
#if defined(GK_HARDWARE_HALF) && defined(__aarch64__)
    typedef _Float16 halves __attribute__((ext_vector_type(16), aligned(1)));
    return __builtin_convertvector(*(const halves *)p, lanes_f);
#elif defined(GK_HARDWARE_HALF)
    __m256 low = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
    __m256 high = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
    lanes_f result;
    memcpy(&result, &low, 32);
    memcpy((char *)&result + 32, &high, 32);
    return result;
#else
    typedef uint16_t halves __attribute__((ext_vector_type(16), aligned(2)));
    lanes_u h = __builtin_convertvector(*(const halves *)p, lanes_u);
    lanes_u bits = (h & 0x7fff) << 13, sign = (h & 0x8000) << 16;
    lanes_f value = (lanes_f)bits * SPLAT(0x1p112f);
    lanes_i special = bits >= (lanes_u)(0x7c00u << 13);
    value = blend(special, (lanes_f)(bits | 0x7f800000u), value);
    return (lanes_f)((lanes_u)value | sign);
#endif
}

/* The even and the odd input of a pair of bf16. */
INLINE lanes_f even_of_pair(lanes_u pair) { return (lanes_f)(pair << 16); }
INLINE lanes_f odd_of_pair(lanes_u pair) { return (lanes_f)(pair & 0xffff0000u); }

/* How the levels of blocks go into integer products (body_int8.h). */
typedef enum { SIGNED_BYTES, NIBBLES } level_kind;

/* Bytes of 16 blocks side by side: 16 scales, 16 minima of Q4_1, the levels. */
INLINE size_t block_group_bytes(gk_type type) {
    return GK_PANEL * gk_block_bytes(type);
}
