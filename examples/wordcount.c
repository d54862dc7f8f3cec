/*
 * wordcount.c - counts the words of text files with a pool of processes, then once more in this
 * process, and compares.
 *
 * A word is a run of letters, digits and bytes above 127 (so UTF-8 letters count, and bytes that
 * are no UTF-8 do no harm), in ASCII lower case. A file with a NUL near its start is binary and
 * skipped.
 *
 * The pool asks for the next paths when it can use them, and results are added as they come, in any
 * order: whatever the number of files, only some of them are in memory.
 *
 * Python: Pool(n).imap_unordered(count, chunks_of_paths)
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "check.h"

static const char usage[] =
    "usage: wordcount [OPTION...] [FILE...]\n"
    "Counts the words of text files with several processes.\n"
    "  --list FILE     also count the files named in FILE, one a line; - is standard input\n"
    "  --workers N     how many processes (default: one a CPU)\n"
    "  --chunk N       how many files a task (default: 16 tasks a worker)\n"
    "  --top N         how many words to print (default: 10)\n"
    "  --method NAME   spawn, fork or forkserver\n"
    "  --progress      show how far it is, for a terminal\n";

/* ---- words and how often they were seen: a hash table with open addressing ---- */

enum { LONGEST_WORD = 64 }; /* bytes that tell words apart; more are dropped */

typedef struct word {
    int64_t count; /* 0: an empty place */
    unsigned hash;
    unsigned size;
    char text[LONGEST_WORD];
} word;

typedef struct tally {
    word *words;
    size_t room; /* a power of two */
    size_t used;
    int64_t total, files, binary, unreadable, bytes;
    brood_value errors; /* a list: "path: reason" */
} tally;

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    EXPECT(memory != NULL);
    return memory;
}

static tally new_tally(void)
{
    enum { FIRST_ROOM = 1024 };
    return (tally){
        .words = allocate(FIRST_ROOM, sizeof(word)), .room = FIRST_ROOM, .errors = brood_list()};
}

static void free_tally(tally *t)
{
    free(t->words);
    brood_value_clear(&t->errors);
}

static unsigned hash_word(const char *text, unsigned size)
{
    unsigned hash = 2166136261u; /* FNV-1a */
    for (unsigned i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

/* The word's place, or the empty one where it belongs. */
static word *find_word(const tally *t, const char *text, unsigned size, unsigned hash)
{
    size_t i = hash & (t->room - 1);
    while (t->words[i].count != 0 && (t->words[i].hash != hash || t->words[i].size != size ||
                                      memcmp(t->words[i].text, text, size) != 0))
        i = (i + 1) & (t->room - 1);
    return &t->words[i];
}

static void grow(tally *t)
{
    tally larger = *t;
    larger.room *= 2;
    larger.words = allocate(larger.room, sizeof(word));
    for (size_t i = 0; i < t->room; i++)
        if (t->words[i].count != 0)
            *find_word(&larger, t->words[i].text, t->words[i].size, t->words[i].hash) = t->words[i];
    free(t->words);
    *t = larger;
}

static void add_word(tally *t, const char *text, unsigned size, int64_t count)
{
    unsigned hash = hash_word(text, size);
    word *place = find_word(t, text, size, hash);
    t->total += count;
    if (place->count != 0) {
        place->count += count;
        return;
    }
    *place = (word){.count = count, .hash = hash, .size = size};
    memcpy(place->text, text, size);
    if (++t->used > t->room / 2)
        grow(t);
}

/* ---- counting a file ---- */

/* What a byte counts as inside a word: itself, its lower case, or 0 for none. */
static const char *letters(void)
{
    static char table[256];
    if (table['a'] == 0)
        for (int c = 1; c < 256; c++)
            table[c] = (char)(c > 127 || isalnum(c) ? tolower(c) : 0);
    return table;
}

static void report(tally *t, const char *path, const char *reason)
{
    char text[512];
    snprintf(text, sizeof text, "%s: %s", path, reason);
    BROOD_CHECK(brood_append(&t->errors, brood_bytes(text, strlen(text))));
    t->unreadable++;
}

static void count_stream(tally *t, FILE *file, char *buffer, size_t room)
{
    const char *letter = letters();
    char current[LONGEST_WORD];
    unsigned size = 0;
    for (size_t n; (n = fread(buffer, 1, room, file)) != 0; t->bytes += (int64_t)n)
        for (size_t i = 0; i < n; i++) {
            char c = letter[(unsigned char)buffer[i]];
            if (c == 0 && size != 0) {
                add_word(t, current, size, 1);
                size = 0;
            } else if (c != 0 && size < LONGEST_WORD) {
                current[size++] = c;
            }
        }
    if (size != 0)
        add_word(t, current, size, 1);
}

static void count_file(tally *t, const char *path)
{
    char buffer[65536];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        report(t, path, strerror(errno));
        return;
    }
    size_t n = fread(buffer, 1, 4096, file);
    if (ferror(file)) {
        report(t, path, strerror(errno)); /* a directory, on some systems */
    } else if (memchr(buffer, 0, n) != NULL) {
        t->binary++;
    } else {
        rewind(file);
        count_stream(t, file, buffer, sizeof buffer);
        if (ferror(file))
            report(t, path, strerror(errno));
        else
            t->files++;
    }
    fclose(file);
}

/* ---- a task: some paths in, a tally out ---- */

static brood_value pack_tally(tally *t)
{
    brood_value words = brood_dict();
    for (size_t i = 0; i < t->room; i++)
        if (t->words[i].count != 0)
            BROOD_CHECK(brood_dict_put(&words, brood_bytes(t->words[i].text, t->words[i].size),
                                       brood_int(t->words[i].count)));
    brood_value errors = t->errors;
    t->errors = brood_none();
    return brood_pack("(lllllvv)", brood_process_pid(brood_current_process()), t->files, t->binary,
                      t->unreadable, t->bytes, errors, words);
}

static void add_packed(tally *t, const brood_value *packed, int64_t *pid)
{
    int64_t files, binary, unreadable, bytes, count;
    const brood_value *errors, *words, *key, *item;
    BROOD_CHECK(brood_unpack(packed, "(iiiiivv)", pid, &files, &binary, &unreadable, &bytes,
                             &errors, &words));
    t->files += files;
    t->binary += binary;
    t->unreadable += unreadable;
    t->bytes += bytes;
    for (size_t i = 0; i < brood_value_length(errors); i++) {
        brood_value copy;
        BROOD_CHECK(brood_value_copy(brood_item(errors, i), &copy));
        BROOD_CHECK(brood_append(&t->errors, copy));
    }
    for (size_t position = 0; brood_dict_next(words, &position, &key, &item);) {
        const void *text;
        size_t size;
        BROOD_CHECK(brood_get_bytes(key, &text, &size));
        BROOD_CHECK(brood_get_int(item, &count));
        add_word(t, text, (unsigned)size, count);
    }
}

/* count_files(paths): paths are bytes, because a file's name need not be UTF-8. */
static brood_status count_files(brood_call *call)
{
    const brood_value *paths;
    BROOD_TRY(brood_call_args(call, "v", &paths));
    tally t = new_tally();
    for (size_t i = 0; i < brood_value_length(paths); i++) {
        const void *path; /* a NUL follows the bytes */
        size_t size;
        BROOD_TRY(brood_get_bytes(brood_item(paths, i), &path, &size));
        count_file(&t, path);
    }
    brood_value result = pack_tally(&t);
    free_tally(&t);
    return brood_call_return(call, result);
}

/* ---- the program ---- */

typedef struct settings {
    int workers;
    size_t chunk;
    size_t top;
    bool progress;
    brood_start_method method;
    char **paths;
    size_t n_paths;
} settings;

static void add_path(settings *s, const char *path)
{
    if ((s->n_paths & (s->n_paths - 1)) == 0) { /* a power of two is full */
        s->paths = realloc(s->paths, (s->n_paths == 0 ? 1 : s->n_paths * 2) * sizeof *s->paths);
        EXPECT(s->paths != NULL);
    }
    s->paths[s->n_paths] = allocate(strlen(path) + 1, 1);
    strcpy(s->paths[s->n_paths++], path);
}

static void read_list(settings *s, const char *name)
{
    char line[4096 + 2];
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (file == NULL) {
        fprintf(stderr, "wordcount: %s: %s\n", name, strerror(errno));
        exit(1);
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            add_path(s, line);
    }
    if (file != stdin)
        fclose(file);
}

static long read_number(const char *option, const char *text)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 1 || number > 1000000) {
        fprintf(stderr, "wordcount: %s takes a number from 1, not \"%s\"\n", option, text);
        exit(2);
    }
    return number;
}

/* An option with a value. */
static void read_option(settings *s, const char *name, const char *value)
{
    if (strcmp(name, "--workers") == 0) {
        s->workers = (int)read_number(name, value);
    } else if (strcmp(name, "--chunk") == 0) {
        s->chunk = (size_t)read_number(name, value);
    } else if (strcmp(name, "--top") == 0) {
        s->top = (size_t)read_number(name, value);
    } else if (strcmp(name, "--list") == 0) {
        read_list(s, value);
    } else if (strcmp(name, "--method") == 0) {
        BROOD_CHECK(brood_start_method_parse(value, &s->method));
    } else {
        fprintf(stderr, "wordcount: unknown option %s\n%s", name, usage);
        exit(2);
    }
}

static settings read_arguments(int argc, char **argv)
{
    settings s = {.workers = brood_cpu_count(), .top = 10};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0) {
            fputs(usage, stdout);
            exit(0);
        } else if (strcmp(name, "--progress") == 0) {
            s.progress = true;
        } else if (strncmp(name, "--", 2) != 0) {
            add_path(&s, name);
        } else {
            i++;
            read_option(&s, name, i < argc ? argv[i] : "");
        }
    }
    if (s.n_paths == 0) {
        fputs(usage, stderr);
        exit(2);
    }
    if (s.chunk == 0)
        s.chunk = s.n_paths / ((size_t)s.workers * 16) + 1;
    return s;
}

static void show_progress(const settings *s, size_t files)
{
    if (!s->progress)
        return;
    fprintf(stderr, "\r%zu of %zu files%s", files, s->n_paths, files == s->n_paths ? "\n" : "");
    fflush(stderr);
}

/* The next paths that have not been given out, as a list: one task. */
typedef struct cutter {
    const settings *s;
    size_t next;
} cutter;

static brood_status cut_paths(void *context, brood_value *item)
{
    cutter *c = context;
    if (c->next == c->s->n_paths)
        return BROOD_EEOF;
    brood_value paths = brood_list();
    for (size_t end = c->next + c->s->chunk; c->next < end && c->next < c->s->n_paths; c->next++) {
        const char *path = c->s->paths[c->next];
        BROOD_CHECK(brood_append(&paths, brood_bytes(path, strlen(path))));
    }
    *item = paths;
    return BROOD_OK;
}

static void expect_worker(int64_t pid, const int64_t *pids, size_t n_pids)
{
    size_t known = 0;
    while (known < n_pids && pids[known] != pid)
        known++;
    EXPECT(known < n_pids); /* a worker has counted it, not this process */
}

static void add_results(tally *t, brood_imap *results, const settings *s, const int64_t *pids,
                        size_t n_pids)
{
    brood_value packed;
    brood_status status;
    while ((status = brood_imap_next(results, &packed, BROOD_FOREVER)) == BROOD_OK) {
        int64_t pid;
        add_packed(t, &packed, &pid);
        brood_value_clear(&packed);
        expect_worker(pid, pids, n_pids);
        show_progress(s, (size_t)(t->files + t->binary + t->unreadable));
    }
    if (status != BROOD_EEOF)
        BROOD_CHECK(status);
}

static tally count_with_pool(settings *s)
{
    brood_pool *pool;
    brood_imap *results;
    size_t n_pids;
    int64_t *pids = allocate((size_t)s->workers, sizeof *pids);
    cutter c = {.s = s};
    brood_pool_options options = {.workers = s->workers, .method = s->method};
    brood_map_options map = {.generator = cut_paths, .context = &c};

    BROOD_CHECK(brood_pool_create(&pool, &options));
    BROOD_CHECK(brood_pool_pids(pool, pids, (size_t)s->workers, &n_pids));
    printf("workers:  ");
    for (size_t i = 0; i < n_pids; i++)
        printf(" %lld", (long long)pids[i]);
    printf("\n");
    fflush(stdout);
    tally t = new_tally();
    BROOD_CHECK(brood_pool_imap_unordered(pool, count_files, (brood_value){0}, &map, &results));
    add_results(&t, results, s, pids, n_pids);
    brood_imap_destroy(results);
    BROOD_CHECK(brood_pool_close(pool));
    BROOD_CHECK(brood_pool_join(pool, BROOD_FOREVER));
    brood_pool_destroy(pool);
    free(pids);
    return t;
}

static tally count_alone(const settings *s)
{
    tally t = new_tally();
    for (size_t i = 0; i < s->n_paths; i++)
        count_file(&t, s->paths[i]);
    return t;
}

static void expect_same(const tally *a, const tally *b)
{
    EXPECT(a->total == b->total && a->used == b->used);
    EXPECT(a->files == b->files && a->binary == b->binary && a->unreadable == b->unreadable);
    EXPECT(a->bytes == b->bytes);
    for (size_t i = 0; i < a->room; i++) {
        const word *w = &a->words[i];
        EXPECT(w->count == 0 || find_word(b, w->text, w->size, w->hash)->count == w->count);
    }
}

/* Most frequent first; among equals the lesser word. */
static int compare_words(const void *a, const void *b)
{
    const word *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    unsigned shorter = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->text, y->text, shorter);
    return order != 0 ? order : (x->size > y->size) - (x->size < y->size);
}

static void print_tally(tally *t, const settings *s)
{
    qsort(t->words, t->room, sizeof *t->words, compare_words);
    for (size_t i = 0; i < s->top && i < t->used; i++)
        printf("%9lld %.*s\n", (long long)t->words[i].count, (int)t->words[i].size,
               t->words[i].text);
    printf("words:     %lld, %zu different ones\n", (long long)t->total, t->used);
    printf("files:     %lld read, %lld binary, %lld unreadable\n", (long long)t->files,
           (long long)t->binary, (long long)t->unreadable);
    printf("bytes:     %lld\n", (long long)t->bytes);
    for (size_t i = 0; i < brood_value_length(&t->errors); i++) {
        const void *text;
        size_t size;
        BROOD_CHECK(brood_get_bytes(brood_item(&t->errors, i), &text, &size));
        fprintf(stderr, "wordcount: %.*s\n", (int)size, (const char *)text);
    }
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    settings s = read_arguments(argc, argv);

    brood_ms begin = brood_now();
    tally together = count_with_pool(&s);
    brood_ms with_pool = brood_now() - begin;

    begin = brood_now();
    tally alone = count_alone(&s);
    brood_ms with_one = brood_now() - begin;

    expect_same(&together, &alone);
    print_tally(&together, &s);
    printf("elapsed:   %.3f s with %d workers, %.3f s in one process: the same counts\n",
           (double)with_pool / 1000, s.workers, (double)with_one / 1000);
    free_tally(&together);
    free_tally(&alone);
    for (size_t i = 0; i < s.n_paths; i++)
        free(s.paths[i]);
    free(s.paths);
    return 0;
}
