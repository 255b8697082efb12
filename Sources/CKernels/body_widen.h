/* Packed weights as f32, exactly (layouts: pack.c).
 *
 * A block's weight is scale * level (+ minimum). A level is converted where it lies, in the top
 * byte of its word: that gives level * 2^24, and the scale is multiplied by 2^-24 beforehand.
 * Products of a half with such small integers fit the 24 bits of a float, so nothing is rounded.
 */
INLINE lanes_f widen_half(const uint16_t *p) {
#if defined(GK_HARDWARE_HALF)
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

INLINE void widen_pairs(const uint8_t *panel, size_t first, size_t count, float *out) {
    const uint32_t *pairs = (const uint32_t *)panel + first / 2 * GK_PANEL;
    for (size_t k = 0; k < count; k += 2, pairs += GK_PANEL, out += 2 * GK_PANEL) {
        lanes_u pair = *(const lanes_u_unaligned *)pairs;
        STORE(out, even_of_pair(pair));
        STORE(out + GK_PANEL, odd_of_pair(pair));
    }
}

/* Bytes of 16 blocks side by side: 16 scales, 16 minima of Q4_1, the levels. */
INLINE size_t block_group_bytes(gk_type type) {
    return GK_PANEL * (size_t)(type == GK_Q8_0 ? 34 : type == GK_Q4_0 ? 18 : 20);
}

/* Scales times the weight of the place where level_at finds a level. */
INLINE lanes_f block_scale(gk_type type, const uint8_t *block) {
    return widen_half((const uint16_t *)block) * SPLAT(type == GK_Q4_0 ? 0x1p-28f : 0x1p-24f);
}

INLINE lanes_f block_minimum(const uint8_t *block) {
    return widen_half((const uint16_t *)block + GK_PANEL);
}

/* Levels of inputs 16 * half + 4 * quarter + 0…3 of a block as signed bytes; those of Q4_0 times
 * 16. */
INLINE lanes_u block_levels(gk_type type, const uint8_t *block, int half, int quarter) {
    const uint32_t *words = (const uint32_t *)(block + (type == GK_Q4_1 ? 4 : 2) * GK_PANEL);
    if (type == GK_Q8_0) words += half * 4 * GK_PANEL;
    lanes_u bytes = *(const lanes_u_unaligned *)(words + quarter * GK_PANEL);
    if (type == GK_Q8_0) return bytes;
    if (type == GK_Q4_1) return (half ? bytes >> 4 : bytes) & 0x0f0f0f0fu;
    return ((half ? bytes : bytes << 4) & 0xf0f0f0f0u) ^ 0x80808080u;
}

INLINE lanes_f level_at(lanes_u levels, int j) {
    return __builtin_convertvector((lanes_i)((levels << (24 - 8 * j)) & 0xff000000u), lanes_f);
}

INLINE lanes_f block_weight(gk_type type, lanes_f scale, lanes_f minimum, lanes_f level) {
    return type == GK_Q4_1 ? FMA(scale, level, minimum) : scale * level;
}

INLINE void widen_blocks(gk_type type, const uint8_t *panel, size_t first, size_t count,
                         float *out) {
    for (size_t b = first / 32; b < (first + count) / 32; b++) {
        const uint8_t *block = panel + b * block_group_bytes(type);
        lanes_f scale = block_scale(type, block), minimum = block_minimum(block);
        for (int quarter = 0; quarter < 8; quarter++) {
            lanes_u levels = block_levels(type, block, quarter / 4, quarter % 4);
            for (int j = 0; j < 4; j++, out += GK_PANEL)
                STORE(out, block_weight(type, scale, minimum, level_at(levels, j)));
        }
    }
}

/* Inputs [first, first + count) of a panel as f32, [count][16]; returns where they are. `first` is
 * a multiple of GK_WIDE_INPUTS. An odd count of bf16 inputs writes one row more. */
INLINE const float *widen(gk_type type, const uint8_t *panel, size_t first, size_t count,
                          float *out) {
    switch (type) {
    case GK_F32: return (const float *)panel + first * GK_PANEL;
    case GK_F16:
        for (size_t k = 0; k < count; k++)
            STORE(out + k * GK_PANEL,
                  widen_half((const uint16_t *)panel + (first + k) * GK_PANEL));
        break;
    case GK_BF16: widen_pairs(panel, first, count, out); break;
    case GK_Q8_0: widen_blocks(GK_Q8_0, panel, first, count, out); break;
    case GK_Q4_0: widen_blocks(GK_Q4_0, panel, first, count, out); break;
    default: widen_blocks(GK_Q4_1, panel, first, count, out); break;
    }
    return out;
}
