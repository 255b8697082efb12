/* Measures what this machine can do at most: bytes read from memory and f32 arithmetic a second.
 *
 *   limits THREADS    prints one JSON object: read_gb_s, f32_gflops
 *
 * Reading: every thread sums its own part of a gibibyte, which no cache holds; the best of five passes.
 * The memory lies in large pages, as a server's weights do.
 * Arithmetic: every thread keeps twelve vectors of independent multiply-adds in registers.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MAX_THREADS = 256, PASSES = 5, CHAINS = 12, AHEAD_BYTES = 4096 };
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
typedef uint64_t words __attribute__((vector_size(VECTOR_BYTES)));
typedef float floats __attribute__((vector_size(VECTOR_BYTES)));

static const size_t TOTAL_BYTES = (size_t)1 << 30;
static const size_t HUGE_PAGE_BYTES = (size_t)1 << 21;
static const long STEPS = 40 * 1000 * 1000;

struct work {
    const words *data;
    size_t count;
    uint64_t result;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Four parts side by side, each asked for some lines ahead: one stream alone leaves the memory idle
 * between the pages that the processor fetches ahead by itself. */
static void *read_all(void *argument) {
    struct work *work = argument;
    size_t part = work->count / 4;
    words sums[4] = {{0}, {0}, {0}, {0}};
    for (size_t i = 0; i < part; i++) {
#pragma GCC unroll 4
        for (int s = 0; s < 4; s++) {
            const words *place = work->data + part * (size_t)s + i;
            __builtin_prefetch((const char *)place + AHEAD_BYTES);
            sums[s] += *place;
        }
    }
    words sum = sums[0] + sums[1] + sums[2] + sums[3];
    work->result = sum[0] + sum[1];
    return NULL;
}

static void *multiply_add(void *argument) {
    struct work *work = argument;
    floats chain[CHAINS], factor, term;
    for (int lane = 0; lane < (int)(VECTOR_BYTES / sizeof(float)); lane++) {
        factor[lane] = 0.999f;
        term[lane] = 1e-3f;
    }
    for (int i = 0; i < CHAINS; i++) chain[i] = term * (float)(i + 1);
    for (long step = 0; step < STEPS; step++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * factor + term;
    }
    float sum = 0;
    for (int i = 0; i < CHAINS; i++) sum += chain[i][0];
    work->result = (uint64_t)(sum * 1000);
    return NULL;
}

/* Seconds until `count` threads have done their work. */
static double timed(void *(*body)(void *), struct work *works, int count) {
    pthread_t threads[MAX_THREADS];
    double start = now();
    for (int i = 1; i < count; i++) {
        if (pthread_create(&threads[i], NULL, body, &works[i]) != 0) exit(1);
    }
    body(&works[0]);
    for (int i = 1; i < count; i++) pthread_join(threads[i], NULL);
    return now() - start;
}

int main(int argc, char **argv) {
    int count = argc > 1 ? atoi(argv[1]) : 1;
    if (count < 1 || count > MAX_THREADS) return 64;
    words *data = aligned_alloc(HUGE_PAGE_BYTES, TOTAL_BYTES);
    if (data == NULL) return 1;
#ifdef MADV_HUGEPAGE
    madvise(data, TOTAL_BYTES, MADV_HUGEPAGE);
#endif
    memset(data, 1, TOTAL_BYTES);
    struct work works[MAX_THREADS];
    size_t each = TOTAL_BYTES / sizeof(words) / (size_t)count;
    for (int i = 0; i < count; i++) works[i] = (struct work){data + each * (size_t)i, each, 0};
    double reading = 1e9, computing = 1e9;
    for (int pass = 0; pass < PASSES; pass++) {
        double seconds = timed(read_all, works, count);
        if (seconds < reading) reading = seconds;
    }
    for (int pass = 0; pass < 2; pass++) {
        double seconds = timed(multiply_add, works, count);
        if (seconds < computing) computing = seconds;
    }
    uint64_t used = 0;
    for (int i = 0; i < count; i++) used ^= works[i].result;
    double operations = 2.0 * CHAINS * (VECTOR_BYTES / sizeof(float)) * (double)STEPS * count;
    printf("{\"read_gb_s\": %.2f, \"f32_gflops\": %.1f, \"used\": %d}\n",
           (double)(each * (size_t)count * sizeof(words)) / reading / 1e9, operations / computing / 1e9,
           (int)(used & 1));
    free(data);
    return 0;
}
