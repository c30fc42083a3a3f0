/* embed_answer.h -- what a provider of vectors is asked, and what it may answer.
 *
 * Ollama: POST /api/embed {"model", "input": [text, ...]} gives {"embeddings": [[number, ...],
 * ...]}. Others, as OpenAI has it: POST /embeddings {"model", "input", "encoding_format": "float"}
 * gives {"data": [{"index", "embedding": [number, ...]}, ...]} in any order.  Pure; any thread. */
#ifndef TANDEM_EMBED_ANSWER_H
#define TANDEM_EMBED_ANSWER_H

#include "state/embed.h"

enum embed_dialect { EMBED_OLLAMA, EMBED_OPENAI };

/* Where below its base URL a provider is asked: "/api/embed". */
const char *embed_path(enum embed_dialect dialect);
/* Adds the question.  'dimension' 0: whatever the model's is. */
void embed_ask_write(enum embed_dialect dialect, const char *model, unsigned dimension,
                     const struct slice *texts, size_t count, struct buf *out);
/* The most bytes that a good answer has. */
size_t embed_answer_max(size_t count, unsigned dimension);
/* Reads 'count' vectors of 'dimension' (0: of any one) into '*out', each of length 1.  E_IO if the
 * answer is anything else: not JSON, too few or too many, of another dimension or of several,
 * numbers that are none; E_OVERLOAD.  '*out' is empty then. */
enum err embed_answer_read(enum embed_dialect dialect, struct slice text, size_t count,
                           unsigned dimension, struct vectors *out, struct fault *f);

#endif
