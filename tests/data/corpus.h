/*
 * corpus.h - the pickles that real Python has written, see tests/interop/make_pickle_corpus.py.
 */
#ifndef DT_CORPUS_H
#define DT_CORPUS_H

#include "support.h"

typedef struct dt_record {
    char name[64];
    char *repr;
    const unsigned char *pickle;
    size_t size;
} dt_record;

typedef struct dt_corpus {
    unsigned char *bytes;
    size_t size;
    dt_record *records;
    size_t n;
} dt_corpus;

static inline void dt_take_field(const dt_corpus *corpus, size_t *at, const unsigned char **data,
                                 size_t *size)
{
    assert_true(corpus->size - *at >= 4);
    const unsigned char *p = corpus->bytes + *at;
    *size = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    assert_true(corpus->size - *at - 4 >= *size);
    *data = p + 4;
    *at += 4 + *size;
}

static inline void dt_read_file(dt_corpus *corpus, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("there is no %s", path);
    size_t capacity = 1 << 20;
    corpus->bytes = bri_alloc(capacity);
    corpus->size = fread(corpus->bytes, 1, capacity, file);
    fclose(file);
    assert_in_range(corpus->size, 10000, capacity - 1);
}

static inline void dt_open_corpus(dt_corpus *corpus)
{
    *corpus = (dt_corpus){.n = 0};
    dt_read_file(corpus, BROOD_TEST_SRCDIR "/data/corpus/pickles.bin");
    corpus->records = bri_calloc(1000, sizeof *corpus->records);
    const char *last = "";
    for (size_t at = 0; at < corpus->size; corpus->n++) {
        assert_true(corpus->n < 1000);
        dt_record *record = &corpus->records[corpus->n];
        const unsigned char *data;
        size_t size;
        dt_take_field(corpus, &at, &data, &size);
        snprintf(record->name, sizeof record->name, "%.*s", (int)size, (const char *)data);
        dt_take_field(corpus, &at, &data, &size);
        bool same = size == 1 && data[0] == '*';
        record->repr = same ? bri_strdup(last) : bri_strndup((const char *)data, size);
        last = record->repr;
        dt_take_field(corpus, &at, &record->pickle, &record->size);
    }
}

static inline void dt_close_corpus(dt_corpus *corpus)
{
    for (size_t i = 0; i < corpus->n; i++)
        bri_free(corpus->records[i].repr);
    bri_free(corpus->records);
    bri_free(corpus->bytes);
}

static inline bool dt_is_large(const dt_record *record)
{
    return strncmp(record->name, "large", 5) == 0;
}

#endif /* DT_CORPUS_H */
