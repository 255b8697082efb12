/* Opens OpenBLAS with the core type that it shall use, and passes calls on to it. */
#include "openblas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { row_major = 101, not_transposed = 111, transposed = 112 };

typedef void sgemm_function(
    int, int, int, blasint, blasint, blasint, float, const float *, blasint, const float *, blasint,
    float, float *, blasint);
typedef void dgemm_function(
    int, int, int, blasint, blasint, blasint, double, const double *, blasint, const double *, blasint,
    double, double *, blasint);

static struct {
    char *(*core)(void);
    void (*use_threads)(int);
    sgemm_function *sgemm;
    dgemm_function *dgemm;
#define OPENBLAS_MEMBER(name, parameters, arguments) void(*name) parameters;
    OPENBLAS_LAPACK(OPENBLAS_MEMBER)
#undef OPENBLAS_MEMBER
} library;

static const char *failure;
static char failure_text[512];

const char *openblas_preferred_core(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return NULL;
}

/* Looks a routine up; the first that is missing is the failure. */
static void *routine(void *handle, const char *name) {
    void *address = dlsym(handle, name);
    if (address == NULL && failure == NULL) {
        snprintf(
            failure_text, sizeof failure_text,
            "libopenblas.so.0 has no %s: install Debian's libopenblas0-pthread, which has LAPACK", name);
        failure = failure_text;
    }
    return address;
}

static void open_library(void) {
    const char *core = openblas_preferred_core();
    const char *chosen = getenv("OPENBLAS_CORETYPE");
    /* Only what the environment leaves open: whoever sets the variable means it. */
    if (core != NULL && (chosen == NULL || *chosen == '\0')) setenv("OPENBLAS_CORETYPE", core, 1);
    void *handle = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *reason = dlerror();
        snprintf(
            failure_text, sizeof failure_text,
            "libopenblas.so.0 can't be opened (%s): install the package libopenblas0",
            reason != NULL ? reason : "no reason given");
        failure = failure_text;
        return;
    }
    library.core = (char *(*)(void))routine(handle, "openblas_get_corename");
    library.use_threads = (void (*)(int))routine(handle, "openblas_set_num_threads");
    library.sgemm = (sgemm_function *)routine(handle, "cblas_sgemm");
    library.dgemm = (dgemm_function *)routine(handle, "cblas_dgemm");
#define OPENBLAS_LOOK_UP(name, parameters, arguments) \
    library.name = (void(*) parameters)routine(handle, #name "_");
    OPENBLAS_LAPACK(OPENBLAS_LOOK_UP)
#undef OPENBLAS_LOOK_UP
}

const char *openblas_open(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return failure;
}

const char *openblas_core(void) { return library.core(); }

void openblas_use_threads(int count) { library.use_threads(count); }

void openblas_sgemm(
    blasint m, blasint n, blasint k, float alpha, const float *a, blasint lda, const float *b,
    blasint ldb, float beta, float *c, blasint ldc) {
    library.sgemm(
        row_major, not_transposed, not_transposed, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void openblas_dgemm(
    int transposes_b, blasint m, blasint n, blasint k, double alpha, const double *a, blasint lda,
    const double *b, blasint ldb, double beta, double *c, blasint ldc) {
    library.dgemm(
        row_major, not_transposed, transposes_b ? transposed : not_transposed, m, n, k, alpha, a, lda, b,
        ldb, beta, c, ldc);
}

#define OPENBLAS_FORWARD(name, parameters, arguments) \
    void openblas_##name parameters { library.name arguments; }
OPENBLAS_LAPACK(OPENBLAS_FORWARD)
