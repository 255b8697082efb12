/* LAPACK's routines that loading adapters uses. OpenBLAS has the Fortran routines, and no header for
   them; the length of each text argument follows the others, as gfortran passes it. */
#ifndef GRAFT_OPENBLAS_LAPACK_H
#define GRAFT_OPENBLAS_LAPACK_H

#include <cblas.h>
#include <stddef.h>

/* Eigenvalues, ascending, and eigenvectors of a symmetric matrix. */
void dsyevd_(
    const char *jobz, const char *uplo, const blasint *n, double *a, const blasint *lda, double *w,
    double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info,
    size_t jobz_length, size_t uplo_length);

/* Eigenvalues in a range, and their eigenvectors, by relatively robust representations. */
void dsyevr_(
    const char *jobz, const char *range, const char *uplo, const blasint *n, double *a,
    const blasint *lda, const double *vl, const double *vu, const blasint *il, const blasint *iu,
    const double *abstol, blasint *m, double *w, double *z, const blasint *ldz, blasint *isuppz,
    double *work, const blasint *lwork, blasint *iwork, const blasint *liwork, blasint *info,
    size_t jobz_length, size_t range_length, size_t uplo_length);

/* A = Q R; the reflections of Q are left below R. */
void sgeqrf_(
    const blasint *m, const blasint *n, float *a, const blasint *lda, float *tau, float *work,
    const blasint *lwork, blasint *info);

/* C = Q C or C Q, of reflections that sgeqrf_ left. */
void sormqr_(
    const char *side, const char *trans, const blasint *m, const blasint *n, const blasint *k,
    const float *a, const blasint *lda, const float *tau, float *c, const blasint *ldc, float *work,
    const blasint *lwork, blasint *info, size_t side_length, size_t trans_length);

/* A = Q B P^T with two diagonals in B; the reflections of Q and P are left beside them. */
void sgebrd_(
    const blasint *m, const blasint *n, float *a, const blasint *lda, float *d, float *e,
    float *tauq, float *taup, float *work, const blasint *lwork, blasint *info);

/* Singular values and vectors of a bidiagonal matrix by divide and conquer. */
void sbdsdc_(
    const char *uplo, const char *compq, const blasint *n, float *d, float *e, float *u,
    const blasint *ldu, float *vt, const blasint *ldvt, float *q, blasint *iq, float *work,
    blasint *iwork, blasint *info, size_t uplo_length, size_t compq_length);

/* C = Q C or C P^T, of reflections that sgebrd_ left. */
void sormbr_(
    const char *vect, const char *side, const char *trans, const blasint *m, const blasint *n,
    const blasint *k, const float *a, const blasint *lda, const float *tau, float *c,
    const blasint *ldc, float *work, const blasint *lwork, blasint *info, size_t vect_length,
    size_t side_length, size_t trans_length);

/* The solution of A X = B by an LU decomposition with row exchanges. */
void dgesv_(
    const blasint *n, const blasint *nrhs, double *a, const blasint *lda, blasint *ipiv, double *b,
    const blasint *ldb, blasint *info);

#endif
