#include "CSentencePiece.h"

#include <sentencepiece_processor.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

struct gsp_model {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

/// A copy of `text` that gsp_free releases.
char *error_text(const char *text) noexcept {
    const size_t count = std::strlen(text) + 1;
    char *copy = static_cast<char *>(std::malloc(count));
    if (copy != nullptr) {
        std::memcpy(copy, text, count);
    }
    return copy;
}

/// Runs `body`, which returns a Status, and turns every kind of failure into a text.
template <typename Body>
char *guarded(Body body) noexcept {
    try {
        const sentencepiece::util::Status status = body();
        return status.ok() ? nullptr : error_text(status.ToString().c_str());
    } catch (const std::exception &exception) {
        return error_text(exception.what());
    } catch (...) {
        return error_text("unknown failure in libsentencepiece");
    }
}

}  // namespace

char *gsp_load(const uint8_t *bytes, size_t count, gsp_model **model) {
    *model = nullptr;
    return guarded([&] {
        auto loaded = std::make_unique<gsp_model>();
        auto status = loaded->processor.LoadFromSerializedProto(
            {reinterpret_cast<const char *>(bytes), count});
        if (status.ok()) {
            *model = loaded.release();
        }
        return status;
    });
}

void gsp_unload(gsp_model *model) { delete model; }

char *gsp_encode(const gsp_model *model, const char *text, size_t count, int32_t **ids,
                 size_t *id_count) {
    *ids = nullptr;
    *id_count = 0;
    return guarded([&] {
        std::vector<int> encoded;
        auto status = model->processor.Encode({text, count}, &encoded);
        if (!status.ok() || encoded.empty()) {
            return status;
        }
        auto *copy = static_cast<int32_t *>(std::malloc(encoded.size() * sizeof(int32_t)));
        if (copy == nullptr) {
            throw std::bad_alloc();
        }
        for (size_t i = 0; i < encoded.size(); ++i) {
            copy[i] = encoded[i];
        }
        *ids = copy;
        *id_count = encoded.size();
        return status;
    });
}

int32_t gsp_piece_count(const gsp_model *model) { return model->processor.GetPieceSize(); }

const char *gsp_piece(const gsp_model *model, int32_t id, size_t *count) {
    *count = 0;
    if (id < 0 || id >= model->processor.GetPieceSize()) {
        return nullptr;
    }
    const std::string &piece = model->processor.IdToPiece(id);
    *count = piece.size();
    return piece.data();
}

int32_t gsp_beginning_id(const gsp_model *model) { return model->processor.bos_id(); }
int32_t gsp_end_id(const gsp_model *model) { return model->processor.eos_id(); }
int32_t gsp_unknown_id(const gsp_model *model) { return model->processor.unk_id(); }

void gsp_free(void *memory) { std::free(memory); }
