// A C face of libsentencepiece: load a model, encode text, look pieces up.
//
// No C++ exception and no status object crosses this boundary. A function that can fail returns an
// error text that the caller releases with gsp_free, or NULL when it succeeded. A loaded model is
// immutable, so any number of threads may use it at once.
#ifndef GRAFT_CSENTENCEPIECE_H
#define GRAFT_CSENTENCEPIECE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A loaded SentencePiece model.
typedef struct gsp_model gsp_model;

/// Loads a model from `count` bytes of a serialised ModelProto.
///
/// On success `*model` is the model and NULL is returned.
char *_Nullable gsp_load(const uint8_t *_Nonnull bytes, size_t count,
                         gsp_model *_Nullable *_Nonnull model);

/// Releases a model.
void gsp_unload(gsp_model *_Nullable model);

/// Encodes `count` bytes of UTF-8 as token ids, without any special token.
///
/// On success `*ids` holds `*id_count` ids and belongs to the caller, who releases it with
/// gsp_free.
char *_Nullable gsp_encode(const gsp_model *_Nonnull model, const char *_Nonnull text, size_t count,
                           int32_t *_Nullable *_Nonnull ids, size_t *_Nonnull id_count);

/// The number of pieces in the vocabulary.
int32_t gsp_piece_count(const gsp_model *_Nonnull model);

/// The bytes of a piece, valid as long as the model; NULL when `id` is out of range.
const char *_Nullable gsp_piece(const gsp_model *_Nonnull model, int32_t id,
                                size_t *_Nonnull count);

/// Ids of the beginning, end and unknown pieces; -1 where the model has none.
int32_t gsp_beginning_id(const gsp_model *_Nonnull model);
int32_t gsp_end_id(const gsp_model *_Nonnull model);
int32_t gsp_unknown_id(const gsp_model *_Nonnull model);

/// Releases memory that a function of this header returned.
void gsp_free(void *_Nullable memory);

#ifdef __cplusplus
}
#endif

#endif
