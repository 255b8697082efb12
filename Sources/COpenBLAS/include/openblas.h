/* The parts of OpenBLAS that loading, merging and the tools for adapters use.
 *
 * The library is opened when it is first needed and not linked, because it chooses its kernels
 * while it is loaded, from the processor's model number: version 0.3.21 takes an Intel core that
 * is newer than itself for Prescott (SSE3), a tenth of the speed and other roundings. What it
 * shall choose can only be said in the environment before.
 *
 * Every routine is LAPACK's or CBLAS's of the same name behind the prefix; LAPACK's are
 * Fortran's, so the length of each text argument follows the others, as gfortran passes it. */
#ifndef GRAFT_OPENBLAS_H
#define GRAFT_OPENBLAS_H

#include <stddef.h>
#include <stdint.h>

/* Debian's OpenBLAS counts in 32 bits. */
typedef int32_t blasint;

/* Opens the library, once. Returns NULL, or why that failed: a sentence's second half that lives
   as long as the process. No other function here may be called before this returned NULL. */
const char *openblas_open(void);

/* The core type that OPENBLAS_CORETYPE is set to where the environment leaves it open: the same
   on every x86 processor with AVX2 and FMA, so that files that the library has a part in are the
   same bytes there. NULL where the choice is the library's own. */
const char *openblas_preferred_core(void);

/* The core type whose kernels are in use, such as "Haswell". */
const char *openblas_core(void);

/* How many threads a call uses. */
void openblas_use_threads(int count);

/* C = alpha A B + beta C, or A B^T, all row-major. */
void openblas_sgemm(
    blasint m, blasint n, blasint k, float alpha, const float *a, blasint lda, const float *b,
    blasint ldb, float beta, float *c, blasint ldc);
void openblas_dgemm(
    int transposes_b, blasint m, blasint n, blasint k, double alpha, const double *a, blasint lda,
    const double *b, blasint ldb, double beta, double *c, blasint ldc);

/* LAPACK's argument lists, by the names of its routines: X(result, name, parameters, arguments). */
#define OPENBLAS_LAPACK(X)                                                                              \
    /* Singular values and vectors by divide and conquer. */                                           \
    X(sgesdd,                                                                                           \
      (const char *jobz, const blasint *m, const blasint *n, float *a, const blasint *lda, float *s,   \
       float *u, const blasint *ldu, float *vt, const blasint *ldvt, float *work,                      \
       const blasint *lwork, blasint *iwork, blasint *info, size_t jobz_length),                       \
      (jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info, jobz_length))                \
    /* Eigenvalues, ascending, and eigenvectors of a symmetric matrix. */                              \
    X(dsyevd,                                                                                           \
      (const char *jobz, const char *uplo, const blasint *n, double *a, const blasint *lda, double *w, \
       double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info,       \
       size_t jobz_length, size_t uplo_length),                                                        \
      (jobz, uplo, n, a, lda, w, work, lwork, iwork, liwork, info, jobz_length, uplo_length))          \
    /* Eigenvalues in a range, and their vectors, by relatively robust representations. */             \
    X(dsyevr,                                                                                           \
      (const char *jobz, const char *range, const char *uplo, const blasint *n, double *a,             \
       const blasint *lda, const double *vl, const double *vu, const blasint *il, const blasint *iu,   \
       const double *abstol, blasint *m, double *w, double *z, const blasint *ldz, blasint *isuppz,    \
       double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info,       \
       size_t jobz_length, size_t range_length, size_t uplo_length),                                   \
      (jobz, range, uplo, n, a, lda, vl, vu, il, iu, abstol, m, w, z, ldz, isuppz, work, lwork, iwork, \
       liwork, info, jobz_length, range_length, uplo_length))                                          \
    /* A = Q R; the reflections of Q are left below R. */                                              \
    X(sgeqrf,                                                                                           \
      (const blasint *m, const blasint *n, float *a, const blasint *lda, float *tau, float *work,      \
       const blasint *lwork, blasint *info),                                                           \
      (m, n, a, lda, tau, work, lwork, info))                                                          \
    /* C = Q C or C Q, of reflections that sgeqrf left. */                                             \
    X(sormqr,                                                                                           \
      (const char *side, const char *trans, const blasint *m, const blasint *n, const blasint *k,      \
       const float *a, const blasint *lda, const float *tau, float *c, const blasint *ldc,             \
       float *work, const blasint *lwork, blasint *info, size_t side_length, size_t trans_length),     \
      (side, trans, m, n, k, a, lda, tau, c, ldc, work, lwork, info, side_length, trans_length))       \
    /* A = Q B P^T with two diagonals in B; the reflections of Q and P are left beside them. */        \
    X(sgebrd,                                                                                           \
      (const blasint *m, const blasint *n, float *a, const blasint *lda, float *d, float *e,           \
       float *tauq, float *taup, float *work, const blasint *lwork, blasint *info),                    \
      (m, n, a, lda, d, e, tauq, taup, work, lwork, info))                                             \
    /* Singular values and vectors of a bidiagonal matrix by divide and conquer. */                    \
    X(sbdsdc,                                                                                           \
      (const char *uplo, const char *compq, const blasint *n, float *d, float *e, float *u,            \
       const blasint *ldu, float *vt, const blasint *ldvt, float *q, blasint *iq, float *work,         \
       blasint *iwork, blasint *info, size_t uplo_length, size_t compq_length),                        \
      (uplo, compq, n, d, e, u, ldu, vt, ldvt, q, iq, work, iwork, info, uplo_length, compq_length))   \
    /* C = Q C or C P^T, of reflections that sgebrd left. */                                           \
    X(sormbr,                                                                                           \
      (const char *vect, const char *side, const char *trans, const blasint *m, const blasint *n,      \
       const blasint *k, const float *a, const blasint *lda, const float *tau, float *c,               \
       const blasint *ldc, float *work, const blasint *lwork, blasint *info, size_t vect_length,       \
       size_t side_length, size_t trans_length),                                                       \
      (vect, side, trans, m, n, k, a, lda, tau, c, ldc, work, lwork, info, vect_length, side_length,   \
       trans_length))                                                                                  \
    /* The solution of A X = B by an LU decomposition with row exchanges. */                           \
    X(dgesv,                                                                                            \
      (const blasint *n, const blasint *nrhs, double *a, const blasint *lda, blasint *ipiv, double *b, \
       const blasint *ldb, blasint *info),                                                             \
      (n, nrhs, a, lda, ipiv, b, ldb, info))

#define OPENBLAS_DECLARE(name, parameters, arguments) void openblas_##name parameters;
OPENBLAS_LAPACK(OPENBLAS_DECLARE)
#undef OPENBLAS_DECLARE

#endif
